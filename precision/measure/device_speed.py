"""How fast a device's operators are in each dtype that it computes in, beside float32, measured in turns."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil
import torch
from torch.nn import functional

from precision.measure.preparation import Task
from precision.results import DeviceSpeedResult, OperatorName, OperatorSpeed
from precision.text.units import share_text

_REFERENCE = "float32"
_CALL_LIMIT_S = 0.015
"""Operands grow until a call takes this long in either dtype."""
_TURN_S, _TURN_CALLS = 0.005, 50
"""A turn of one dtype in a round: until it takes this long, or has so many calls. At least two calls."""
_ROUNDS, _LEAST_ROUNDS = 7, 3
_WHOLE_LIMIT_S = 6.0
"""Each operator in each dtype has an equal share of what is left of it: half to find its size, half for its rounds.
Where that is too little, as on a machine that is busy with something else, operands are smaller and rounds fewer."""
_BUSY_SHARE, _BUSY_SAMPLE_S = 0.3, 0.25
_BUSY = "Other programs used the processors ({share} of their time): these ratios are unreliable."

Call = Callable[[], object]
Maker = Callable[[int, torch.dtype, torch.device], Call]


@dataclass(frozen=True, kw_only=True)
class _Operator:
    make: Maker
    sizes: tuple[int, ...]
    """Ascending; each costs at most `growth` times the one before."""
    growth: float
    words: str
    """The operands, of size n."""


def _matmul(n: int, dtype: torch.dtype, device: torch.device) -> Call:
    first, second = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    return lambda: first @ second


def _conv2d(n: int, dtype: torch.dtype, device: torch.device) -> Call:
    images = torch.randn(4, n, 28, 28, device=device).to(dtype)
    kernels = torch.randn(n, n, 3, 3, device=device).to(dtype)
    return lambda: functional.conv2d(images, kernels, padding=1)


def _layer_norm(n: int, dtype: torch.dtype, device: torch.device) -> Call:
    rows = torch.randn(n, 1024, device=device).to(dtype)
    return lambda: functional.layer_norm(rows, (1024,))


def _softmax(n: int, dtype: torch.dtype, device: torch.device) -> Call:
    rows = torch.randn(n, 1024, device=device).to(dtype)
    return lambda: functional.softmax(rows, dim=-1)


_OPERATORS: Mapping[OperatorName, _Operator] = {
    "matmul": _Operator(
        make=_matmul, sizes=tuple(2**power for power in range(6, 14)), growth=8, words="{n}×{n} by {n}×{n}"
    ),
    "conv2d": _Operator(
        make=_conv2d, sizes=(8, 16, 32, 64, 128), growth=4, words="4 images of {n}×28×28, {n} kernels of 3×3"
    ),
    "layer norm": _Operator(make=_layer_norm, sizes=(64, 256, 1024, 4096), growth=4, words="{n} rows of 1024"),
    "softmax": _Operator(make=_softmax, sizes=(64, 256, 1024, 4096), growth=4, words="{n} rows of 1024"),
}


def measure_device_speed(task: Task) -> DeviceSpeedResult:
    """Time matmul, conv2d, layer norm and softmax in every dtype that the device computes in.

    An operand that would take too long is not tried: sizes grow from small ones as far as both dtypes allow. Rounds of
    both take turns, so that a change of the machine's load meets both; the ratio is the median of the rounds' ratios.
    """
    started = time.monotonic()
    device, info = task.device, task.device_info
    wanted = [(operator, name) for operator in _OPERATORS for name in info.native_formats if name != _REFERENCE]
    rows = []
    busy = _busy_share() if device.type == "cpu" else 0.0
    with torch.random.fork_rng(devices=[]):
        for at, (operator, name) in enumerate(wanted):
            task.progress.step(f"Timing {operator} in {name}", at / len(wanted))
            left_s = started + _WHOLE_LIMIT_S - time.monotonic()
            rows.append(_measured(operator, name, device, budget_s=left_s / (len(wanted) - at)))
    warnings = [_BUSY.format(share=share_text(busy))] if busy > _BUSY_SHARE else []
    return DeviceSpeedResult(**dict(task.start(*warnings)), operators=tuple(rows))


def _busy_share() -> float:
    """The share of the processors' time that goes to something else, while nothing is measured."""
    return float(psutil.cpu_percent(interval=_BUSY_SAMPLE_S)) / 100


def _measured(name: OperatorName, dtype: str, device: torch.device, *, budget_s: float) -> OperatorSpeed:
    operator = _OPERATORS[name]
    dtypes = (getattr(torch, dtype), getattr(torch, _REFERENCE))
    try:
        with torch.inference_mode():
            size, calls = _largest(operator, dtypes, device, budget_s=budget_s / 2)
            rounds = list(_rounds(calls, device, budget_s=budget_s / 2))
    except (RuntimeError, TypeError) as error:
        return _left_out(name, dtype, f"{dtype} does not run here: {str(error).splitlines()[0]}")
    ratios = sorted(candidate / reference for candidate, reference in rounds)
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return OperatorSpeed(
        operator=name,
        dtype=dtype,
        size=operator.words.format(n=size),
        median_s=statistics.median(candidate for candidate, _ in rounds),
        float32_median_s=statistics.median(reference for _, reference in rounds),
        ratio=middle,
        ratio_low=low,
        ratio_high=high,
        rounds=len(rounds),
        reason=None,
    )


def _left_out(operator: OperatorName, dtype: str, reason: str) -> OperatorSpeed:
    return OperatorSpeed(
        operator=operator, dtype=dtype, size="", median_s=None, float32_median_s=None, ratio=None, ratio_low=None,
        ratio_high=None, rounds=0, reason=reason,
    )  # fmt: skip


def _largest(
    operator: _Operator, dtypes: Sequence[torch.dtype], device: torch.device, *, budget_s: float
) -> tuple[int, list[Call]]:
    """The largest size at which no dtype's call takes longer than the limit, of those tried in time, and its calls."""
    started = time.monotonic()
    found = operator.sizes[0], [operator.make(operator.sizes[0], dtype, device) for dtype in dtypes]
    for size in operator.sizes:
        calls = [operator.make(size, dtype, device) for dtype in dtypes]
        longest = max(_quickest(call, device, least=3) for call in calls)
        if longest <= _CALL_LIMIT_S:
            found = size, calls
        if longest * operator.growth > _CALL_LIMIT_S or time.monotonic() - started > budget_s:
            break
    return found


def _quickest(call: Call, device: torch.device, *, least: int) -> float:
    """Seconds of the quickest of some calls in a row: what else the machine does only ever makes them slower."""
    started, quickest, calls = time.perf_counter(), math.inf, 0
    while calls < least or (time.perf_counter() - started < _TURN_S and calls < _TURN_CALLS):
        began = time.perf_counter()
        call()
        _synchronize(device)
        quickest = min(quickest, time.perf_counter() - began)
        calls += 1
    return quickest


def _synchronize(device: torch.device) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def _rounds(calls: Sequence[Call], device: torch.device, *, budget_s: float) -> Iterator[tuple[float, float]]:
    """Seconds of a call of each, side by side, round by round; every other round begins with the other."""
    started = time.monotonic()
    for turn in range(_ROUNDS):
        if turn >= _LEAST_ROUNDS and time.monotonic() - started > budget_s:
            return
        order = (0, 1) if turn % 2 else (1, 0)
        times = {at: _quickest(calls[at], device, least=2) for at in order}
        yield times[0], times[1]
