"""How fast a model and its device are in float16."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from precision.findings.speed import are_disturbed, compare_speed
from precision.measure.casting import methods as casting
from precision.measure.claims.facts.running import FLOAT16, RunFacts
from precision.measure.claims.facts.storage import StorageFacts
from precision.measure.claims.finding import Finding, duration, error, fact, size, together, true_if
from precision.measure.claims.subject import Subject
from precision.measure.machine.cost import time_side_by_side
from precision.measure.models.loading import LoadedModel
from precision.results import Cost, Timing
from precision.spec import CastMethod
from precision.text.units import number_text

_TWICE = 2.0
_TENSOR_CORES_FROM = 4.0
"""Ratio of float16 to full float32 throughput that CUDA cores alone do not exceed on any NVIDIA GPU: 4 × on A100.
Source: NVIDIA A100 Tensor Core GPU Architecture (2020), table of peak rates."""
_ALIKE = 0.1
_MATRIX = 4096
_TOO_BUSY = "The machine was too busy with other programs, so the times are unreliable. Try again when it is idle."
_TENSOR_CORES_SINCE = (7, 0)
"""Compute capability of the first GPUs that have them (Volta)."""


@dataclass(frozen=True, kw_only=True)
class TwinTimes:
    """Two copies after `half()` and one after `to(torch.float16)`, timed in turns."""

    half: Timing
    half_again: Timing
    to: Timing


@dataclass(frozen=True, kw_only=True)
class MatrixTimes:
    """A large matrix product on a CUDA device."""

    float32: Timing
    """In full float32: TF32 switched off."""
    float16: Timing
    capability: tuple[int, int]
    """Compute capability of the device."""


def twin_times(loaded: LoadedModel, device: torch.device, on_round: Callable[[float], None]) -> TwinTimes:
    """Time the model after either call, and a second copy after `half()`, in blocks that take turns."""
    methods = (CastMethod.HALF, CastMethod.HALF, CastMethod.TO)
    models = [casting.cast(loaded.module, FLOAT16, method=method, device=device) for method in methods]
    runs = [model.prepared(loaded.args, loaded.kwargs) for model in models]
    half, again, to = time_side_by_side(runs, on_round=on_round)
    return TwinTimes(half=half, half_again=again, to=to)


def matrix_times(device: torch.device, on_round: Callable[[float], None]) -> MatrixTimes | None:
    """Time a product of two matrices of 4096 rows in both dtypes; None on any other device."""
    if device.type != "cuda":
        return None
    full = torch.ones(_MATRIX, _MATRIX, device=device)
    low = full.half()
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        float32, float16 = time_side_by_side((lambda: full @ full, lambda: low @ low), on_round=on_round)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed
    return MatrixTimes(float32=float32, float16=float16, capability=torch.cuda.get_device_capability(device))


def twice_as_fast(on: Subject) -> Finding:
    """Whether float16 is faster than float32, by no more than two times; not testable on a busy machine."""
    seen = on.compared
    if seen.cost is None:
        return Finding("not testable here", seen.failure.message if seen.failure else "Nothing was timed.", ())
    return _faster(seen.cost)


def _faster(cost: Cost) -> Finding:
    speed = compare_speed(cost)
    times = (cost.reference_time, cost.candidate_time)
    evidence = (duration("float32", times[0]), duration("After half()", times[1]))
    if are_disturbed(*times):
        return Finding("not testable here", _TOO_BUSY, evidence)
    if speed.ratio is None:
        return Finding("depends", "No measurable difference in speed between float16 and float32.", evidence)
    sentence = f"float16 is {speed.text} float32."
    if max(speed.ratio, 1 / speed.ratio) - 1 <= _ALIKE:
        alike = "The two differ by less than a tenth, as equal models do."
        return Finding("depends", alike, evidence)
    return Finding("depends" if speed.ratio > _TWICE else true_if(speed.ratio > 1), sentence, evidence)


def half_faster(on: Subject) -> Finding:
    """Whether a model is both faster and smaller after `half()`."""
    return together(_faster_twin(twin_times(on.loaded, on.device, on.on_share), on.runs), _lighter(on.storage))


def _lighter(seen: StorageFacts) -> Finding:
    half, to = seen.half.total_bytes, seen.to.total_bytes
    evidence = (size("Bytes after half()", half), size("Bytes after to(torch.float16)", to))
    sentence = "Both take the same bytes."
    if half != to:
        sentence = f"half() takes {abs(half - to):,} bytes {'less' if half < to else 'more'}."
    return Finding(true_if(half < to), sentence, evidence)


def _faster_twin(seen: TwinTimes, runs: RunFacts) -> Finding:
    """Whether `half()` is faster, by more than two equal copies after it differ.

    Where the same operators run after both calls, less than a tenth is no difference: equal models may lie differently
    in memory. On a busy machine the operators alone decide.
    """
    same = runs.half.operators == runs.to.operators
    speed = compare_speed(Cost(reference_time=seen.to, candidate_time=seen.half))
    equals = (seen.half.median_s, seen.half_again.median_s)
    between_equals = max(equals) / min(equals)
    evidence = (
        duration("After half()", seen.half),
        duration("Another copy after half()", seen.half_again),
        duration("After to(torch.float16)", seen.to),
        fact("Time ratio of two equal copies, slower to faster", f"{between_equals:.3f}"),
        fact("Operators", "the same after both calls" if same else "not the same"),
    )
    least = max(2 * (between_equals - 1), _ALIKE if same else 0.0)
    if are_disturbed(seen.half, seen.half_again, seen.to):
        if same:
            return Finding("false", f"The same operators run. {_TOO_BUSY}", evidence)
        return Finding("not testable here", _TOO_BUSY, evidence)
    if speed.ratio is None or max(speed.ratio, 1 / speed.ratio) - 1 <= least:
        if same:
            sentence = "The same operators run, and the times are as close as those of equal copies."
            return Finding("false", sentence, evidence)
        return Finding("depends", "No measurable difference in speed, although different operators run.", evidence)
    return Finding(true_if(speed.ratio > 1), f"half() is {speed.text} to(torch.float16).", evidence)


def tensor_cores(on: Subject) -> Finding:
    """Whether float16 products are faster than CUDA cores alone could make them."""
    seen = matrix_times(on.device, on.on_share)
    if seen is None:
        return Finding("not testable here", f"The run is on {on.device}, which has no Tensor Cores.", ())
    ratio = seen.float32.median_s / seen.float16.median_s
    evidence = (
        fact("Compute capability", ".".join(map(str, seen.capability))),
        duration(f"{_MATRIX} × {_MATRIX} product in float32", seen.float32),
        duration("The same in float16", seen.float16),
        error("Ratio", ratio),
    )
    if seen.capability < _TENSOR_CORES_SINCE:
        return Finding("not testable here", "This GPU is older than Tensor Cores.", evidence)
    sentence = f"float16 products are {number_text(ratio)} × as fast as full float32's."
    return Finding(true_if(ratio > _TENSOR_CORES_FROM), sentence, evidence)
