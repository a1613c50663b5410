"""The most memory that something takes while it runs, measured where the device or the system tells."""

import ctypes
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""What resets the peak of resident memory. Source: proc(5), `/proc/pid/clear_refs`."""
_KIB = 1024


@dataclass
class WorkingMemory:
    """What a `with working_memory(device)` found; None until its end, and where nothing tells."""

    most_bytes: int | None = None


@contextmanager
def working_memory(device: torch.device) -> Iterator[WorkingMemory]:
    """Measure the most memory that its body takes beyond what is taken when it begins.

    On CUDA devices and XPUs by torch's allocator, exactly. On the CPU by the resident memory of this process, where
    Linux lets it reset its peak: to some pages, and only what memory that was freed before does not serve, which is
    handed back first. Elsewhere nothing is found.
    """
    found = WorkingMemory()
    peak = _begin(device)
    yield found
    if peak is not None:
        found.most_bytes = peak()


def how_measured(device: torch.device) -> str:
    """How `working_memory` measures there, in a sentence."""
    if device.type in ("cuda", "xpu"):
        return "Measured by torch's allocator: the peak of allocated memory during a pass, minus the memory before it."
    if device.type == "cpu" and _resident() is not None:
        return "Measured by the system: peak of the worker's resident memory during a pass, minus the memory before it."
    return f"Not measured: torch reports no peak of {device.type} memory."


def _begin(device: torch.device) -> Callable[[], int] | None:
    """Reset the peak; returns what tells it, less what is taken now."""
    if device.type in ("cuda", "xpu"):
        accelerator = torch.cuda if device.type == "cuda" else torch.xpu
        accelerator.synchronize(device)
        accelerator.reset_peak_memory_stats(device)
        before = accelerator.memory_allocated(device)
        return lambda: int(accelerator.max_memory_allocated(device)) - before
    return _begin_resident() if device.type == "cpu" else None


def _begin_resident() -> Callable[[], int] | None:
    _give_back_freed()
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return None
    start = _resident()
    if start is None:
        return None
    before = start[0]
    return lambda: max((_resident() or start)[1] - before, 0)


def _resident() -> tuple[int, int] | None:
    """Resident bytes of this process now and at their peak; None where the system does not tell."""
    try:
        status = _STATUS.read_text()
    except OSError:
        return None
    now, most = (re.search(rf"^{name}:\s*(\d+) kB", status, re.MULTILINE) for name in ("VmRSS", "VmHWM"))
    return (int(now[1]) * _KIB, int(most[1]) * _KIB) if now and most else None


def _give_back_freed() -> None:
    """Have the C library return freed memory, which a pass would otherwise use without it being seen."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
