"""What numbers depend on here: devices, with the formats in which each has kernels, versions and threads."""

import platform
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

from precision.errors import UnsupportedError
from precision.formats import FORMATS
from precision.results import DeviceInfo, Environment

_COMPUTING = ("cpu", "cuda", "mps", "xpu")


def environment() -> Environment:
    """What the numbers depend on besides the spec and the device."""
    return Environment(
        torch=torch.__version__,
        transformers=version("transformers"),
        python=platform.python_version(),
        platform=platform.platform(),
        threads=torch.get_num_threads(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
    )


def list_devices() -> tuple[DeviceInfo, ...]:
    """Every device that can compute here: the CPU first, then accelerators in torch's order."""
    ids = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        ids.append("mps")
    if torch.xpu.is_available():
        ids.extend(f"xpu:{index}" for index in range(torch.xpu.device_count()))
    return tuple(describe_device(torch.device(name)) for name in ids)


def describe_device(device: torch.device) -> DeviceInfo:
    """Name, memory and native formats of one device.

    Raises:
        UnsupportedError: this machine has no such device.
    """
    try:
        if device.type not in _COMPUTING:
            raise UnsupportedError(f"Device {str(device)!r} does not compute. Known kinds: {', '.join(_COMPUTING)}.")
        torch.empty(1, device=device)
        name, memory = _name_and_memory(device)
    except (RuntimeError, AssertionError) as error:
        here = ", ".join(info.id for info in list_devices()) if device.type != "cpu" else "none"
        raise UnsupportedError(f"This machine has no device {str(device)!r}. Devices here: {here}.") from error
    return DeviceInfo(id=str(device), name=name, memory_bytes=memory, native_formats=_native_formats(device))


def device_named(name: str) -> torch.device:
    """The torch device of a device id; a cluster's `worker/` prefix is ignored.

    Raises:
        UnsupportedError: not the name of a device.
    """
    try:
        return torch.device(name.rsplit("/", 1)[-1])
    except RuntimeError as error:
        raise UnsupportedError(f"{name!r} is not a device. Examples: cpu, cuda:0, mps, xpu:0.") from error


def _native_formats(device: torch.device) -> tuple[str, ...]:
    return tuple(row.name for row in FORMATS if row.computes and _multiplies(getattr(torch, row.name), device))


def _multiplies(dtype: torch.dtype, device: torch.device) -> bool:
    try:
        ones = torch.ones(8, 8, dtype=dtype, device=device)
        return bool((ones @ ones)[0, 0].item() == 8)
    except (RuntimeError, TypeError):
        return False


def _name_and_memory(device: torch.device) -> tuple[str, int | None]:
    if device.type == "cpu":
        return _cpu_name(), _ram_bytes()
    if device.type in ("cuda", "xpu"):
        found = torch.get_device_module(device).get_device_properties(device)
        return found.name, found.total_memory
    if device.type == "mps":
        return f"Apple GPU ({platform.processor() or platform.machine()})", torch.mps.recommended_max_memory()
    return device.type, None


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _ram_bytes() -> int:
    """Physical memory, or the container's limit where that is smaller."""
    total = int(psutil.virtual_memory().total)
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        return min(total, int(text))
    return total
