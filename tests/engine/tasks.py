"""Work for worker processes, well-behaved and not; the spec's `text` says which and how."""

from __future__ import annotations

import ctypes
import os
import time
from datetime import UTC, datetime

from precision.errors import InputError
from precision.progress import Progress
from precision.results import CompareResult, DeviceInfo, Environment, Execution, ModelDescription
from precision.spec import RunSpec
from tests.engine.attempts import attempt


def run(spec: RunSpec, progress: Progress) -> CompareResult:
    """Do what `spec.text` names, after a first step and a partial result."""
    progress.step("Loading the model", 0.1)
    progress.partial(example_result(spec, elapsed_s=0.5))
    verb, _, argument = (spec.text or "return").partition(" ")
    if verb == "steps":
        _steps(float(argument), progress)
    elif verb == "stuck":
        _stuck(float(argument), progress)
    elif verb == "memory":
        _fill_memory(progress)
    elif verb == "segfault":
        _crash(argument, progress)
    elif verb == "refuse":
        raise InputError("The batch is too large: 9 of at most 8.")
    elif verb == "bug":
        raise ZeroDivisionError("a secret of the server")
    elif verb == "exit":
        raise SystemExit(3)
    elif verb == "refused":
        raise MemoryError("you tried to allocate 7 EB")
    elif verb == "nonsense":
        return example_result(spec).model_copy(update={"elapsed_s": "soon"})
    elif verb == "pid":
        return _says(spec, str(os.getpid()))
    elif verb == "attempt":
        return _says(spec, attempt(argument))
    elif verb == "threads":
        import torch

        return _says(spec, str(torch.get_num_threads()), os.environ["MKL_NUM_THREADS"])
    return example_result(spec, elapsed_s=1.0)


def _steps(seconds: float, progress: Progress) -> None:
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        progress.step("Stepping", passed / seconds, f"{passed:.3f} s")
        time.sleep(0.01)


def _stuck(seconds: float, progress: Progress) -> None:
    progress.step("Running one long kernel", 0.5)
    time.sleep(seconds)


def _crash(file: str, progress: Progress) -> None:
    """Once the file is gone."""
    progress.step("Crashing", 0.5)
    while os.path.exists(file):
        time.sleep(0.01)
    ctypes.string_at(0)


def _says(spec: RunSpec, *words: str) -> CompareResult:
    return example_result(spec).model_copy(update={"warnings": words})


def _fill_memory(progress: Progress) -> None:
    progress.step("Filling memory", 0.5)
    kept = []
    while True:
        kept.append(b"x" * (1 << 24))
        time.sleep(0.005)


def example_result(spec: RunSpec, *, elapsed_s: float = 1.0, content: str | None = None) -> CompareResult:
    """A result with next to nothing in it."""
    return CompareResult(
        spec=spec,
        model=ModelDescription(
            id="tinynet", title="TinyNet", family="Article", weights="random", licence="Apache-2.0",
            good_for="Tests.", parameters=None, inputs=(),
        ),
        input=None,
        device=DeviceInfo(id="cpu", name="CPU", memory_bytes=None),
        environment=Environment(
            torch="", transformers=None, python="", platform="", threads=1, cpu_capability="",
        ),
        execution=Execution(label="native", explanation=""),
        audit=None,
        comparison=None,
        cost=None,
        failure=None,
        warnings=(),
        elapsed_s=elapsed_s,
        measured_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        content=content,
    )  # fmt: skip
