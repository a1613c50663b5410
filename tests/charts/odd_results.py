"""Results as the analyses make them, and as nobody expects them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from precision.formats import format_named
from precision.measure.metrics.comparison import compare_outputs
from precision.results import (
    CastAudit,
    Cost,
    ErrorMetrics,
    ModuleNode,
    OutputComparison,
    StoredValues,
    TensorAudit,
    Timing,
)

HOSTILE_NAME = "<img src=x onerror=alert(1)>%{y}\u202e![t](http://example.org)" + "<" * 256
ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "float8_e4m3fn": 1, "int64": 8, "bool": 1, "complex64": 8}


def floor_of(compared: OutputComparison, *, mean: float, largest: float) -> ErrorMetrics:
    """A rounding floor over as many finite pairs as `compared` has."""
    errors = {"mean_abs_error": mean, "max_abs_error": largest}
    return compared.metrics.model_copy(update=errors)


def output(
    reference: Sequence[float], errors: Sequence[float], *, path: str = "output", dtype: torch.dtype = torch.float64
) -> OutputComparison:
    """An output whose candidate is reference + error, compared in float16."""
    r, e = (torch.tensor([values], dtype=torch.float64) for values in (reference, errors))
    compared = compare_outputs(
        reference=r.to(dtype), candidate=(r + e).to(dtype), repeat=None, fmt=format_named("float16")
    )
    return compared.outputs[0].model_copy(update={"path": path})


def compared(
    reference: Sequence[float], candidate: Sequence[float], *, dtype: torch.dtype = torch.float64
) -> OutputComparison:
    """An output of these values, compared in float16."""
    sides = {side: torch.tensor(values, dtype=dtype) for side, values in (("r", reference), ("y", candidate))}
    found = compare_outputs(reference=sides["r"], candidate=sides["y"], repeat=None, fmt=format_named("float16"))
    return found.outputs[0]


def _many(scale: float, n: int = 20_000) -> tuple[list[float], list[float]]:
    random = np.random.default_rng(0)
    reference = random.normal(size=n) * np.exp(3 * random.normal(size=n))
    return reference.tolist(), (reference * scale * random.normal(size=n)).tolist()


def with_counts(base: OutputComparison, factor: int) -> OutputComparison:
    """The same distribution of far more elements."""
    found = base.distributions
    if found is None:
        raise ValueError("no distributions to enlarge")
    larger = {
        name: getattr(found, name).model_copy(
            update={"counts": tuple(c * factor for c in getattr(found, name).counts), "zeros": 0}
        )
        for name in ("signed", "absolute", "ulp")
    }
    cells = found.error_by_magnitude
    larger["error_by_magnitude"] = cells.model_copy(
        update={"counts": tuple(tuple(c * factor for c in row) for row in cells.counts)}
    )
    return base.model_copy(update={"distributions": found.model_copy(update=larger)})


def scores(reference: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> OutputComparison:
    """Class scores of several samples, compared in float16."""
    sides = {side: {"logits": torch.tensor(values)} for side, values in (("r", reference), ("y", candidate))}
    found = compare_outputs(reference=sides["r"], candidate=sides["y"], repeat=None, fmt=format_named("float16"))
    return found.outputs[0]


OUTPUTS: dict[str, OutputComparison] = {
    "many": output(*_many(1e-3)),
    "huge counts": with_counts(output(*_many(1e-3)), 10**12),
    "eight": output([0.5, -0.2, 0.3, 0.8, 0.1, 0.2, -0.4, 0.05], [2e-4, 1e-4, 2e-4, 3e-4, 0.0, 1e-4, 2e-4, -1e-4]),
    "one element": output([1.0], [1e-3]),
    "all equal errors": output([1.0, 2.0, 3.0, 4.0], [0.125] * 4),
    "exact": output([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]),
    "zero reference": output([0.0, 0.0], [1e-3, -2e-3]),
    "all zero": output([0.0, 0.0], [0.0, 0.0]),
    "some NaN and inf": output([1.0, 2.0, math.inf, 4.0], [1e-3, math.nan, 0.0, -math.inf]),
    "nothing finite": output([math.nan, math.inf], [math.nan, math.nan]),
    "empty": output([], []),
    "integers": output([1.0, 2.0, 3.0], [0.0, 1.0, 0.0], dtype=torch.int64),
    "extreme": output([1e308, 5e-324, 1e-310], [1e308, 5e-324, 1e-320]),
    "smallest": output([5e-324], [5e-324]),
    "largest": output([1.7e308], [-1.7e308]),
    "beyond float64": compared([1e308, 1.0], [-1e308, 1.0]),
    "all beyond float64": compared([1e308], [-1e308]),
    "large integers": compared([2**63 - 1, 2**53], [-(2**63), 2**53 + 1], dtype=torch.int64),
    "booleans": compared([True, False], [False, True], dtype=torch.bool),
    "scores": scores([[1.0, 0.5], [1.0, 1.0], [3.0, -1.0], [0.0, 1e-9]], [[0.4, 0.5], [1.0, 1.1], [3.1, -1.0], [0, 0]]),
    "scores of NaN": scores([[1.0, math.nan]], [[1.0, 2.0]]),
    "scores far apart": scores([[2.0**-k, 0.0] for k in range(-60, 60)], [[0.0, 2.0**-k] for k in range(-60, 60)]),
    "hostile": output([1.0, 2.0], [1e-3, 2e-3], path=HOSTILE_NAME),
}


def tensor(
    fqn: str,
    shape: tuple[int, ...] = (4, 4),
    *,
    before: str = "float32",
    after: str = "float16",
    tied_to: str | None = None,
    tie_kept: bool = True,
    stored: StoredValues | None = None,
) -> TensorAudit:
    sizes = [math.prod(shape) * ITEM_BYTES[dtype] for dtype in (before, after)]
    counted = [0, 0] if tied_to else sizes
    return TensorAudit(
        fqn=fqn,
        kind="parameter",
        shape=shape,
        dtype_before=before,
        dtype_after=after,
        bytes_before=sizes[0],
        bytes_after=sizes[1],
        counted_bytes_before=counted[0],
        counted_bytes_after=counted[1],
        tied_to=tied_to,
        tie_kept=tie_kept if tied_to else None,
        changed=before != after,
        reason="",
        stored=stored,
    )


def audit(tensors: Sequence[TensorAudit], modules: Sequence[str] = ()) -> CastAudit:
    return CastAudit(
        tensors=tuple(tensors),
        modules=tuple(ModuleNode(fqn=fqn, type="Module", bytes_before=0, bytes_after=0) for fqn in ("", *modules)),
        bytes_before=sum(row.counted_bytes_before for row in tensors),
        bytes_after=sum(row.counted_bytes_after for row in tensors),
        warnings=(),
    )


def stored(nonfinite: int = 0, saturated: int = 0, zero: int = 0, subnormal: int = 0) -> StoredValues:
    return StoredValues(
        elements=10**9,
        became_nonfinite=nonfinite,
        saturated=saturated,
        became_zero=zero,
        became_subnormal=subnormal,
        nonfinite_before=0,
        max_relative_error=None,
        rms_relative_error=None,
        max_absolute_value=None,
    )


_DEEP = [".".join(["m"] * depth) for depth in range(1, 400)]
_WORST_NAMES = [f"{i:04d}{HOSTILE_NAME}" for i in range(1000)]

AUDITS: dict[str, CastAudit] = {
    "small": audit(
        [tensor("emb.weight"), tensor("head.weight", tied_to="emb.weight"), tensor("head.bias", (4,))], ["emb", "head"]
    ),
    "mixed": audit(
        [
            tensor("n", (3,), before="int64", after="int64"),
            tensor("mask", (8,), before="bool", after="bool"),
            tensor("freqs", (2,), before="complex64", after="complex64"),
            tensor("weight", after="float8_e4m3fn"),
        ]
    ),
    "no parameters": audit([]),
    "tensors without elements": audit([tensor("weight", (0, 3))]),
    "nothing changed": audit([tensor("weight", after="float32")]),
    "growing": audit([tensor("weight", after="float64")]),
    "thousand modules": audit(
        [tensor(f"{i}.{name}", shape) for i in range(1000) for name, shape in (("weight", (4, 4)), ("bias", (4,)))],
        [str(i) for i in range(1000)],
    ),
    "deep": audit([tensor(f"{_DEEP[-1]}.weight"), tensor("m.m.bias")], _DEEP),
    "hostile names": audit(
        [tensor(f"{name}.weight", stored=stored(1, 2, 3, 4)) for name in _WORST_NAMES], _WORST_NAMES
    ),
    "huge": audit([tensor("weight", (10**6, 10**6)), tensor("bias", (1,))]),
    "small damage": audit([tensor("a", stored=stored(nonfinite=3)), tensor("b", stored=stored(zero=10))]),
    "damaged": audit(
        [
            tensor("a.running_var", stored=stored(nonfinite=3)),
            tensor("b.weight", stored=stored(zero=10, subnormal=10**9)),
            tensor("c.weight", stored=stored()),
            tensor("d.weight", stored=stored(saturated=1)),
        ]
    ),
}


def timing(median_s: float, iqr_s: float) -> Timing:
    return Timing(median_s=median_s, iqr_s=iqr_s, blocks=9, runs=900, threads=2, warnings=())


COSTS: dict[str, Cost | None] = {
    "slower": Cost(reference_time=timing(0.051, 2e-3), candidate_time=timing(0.552, 2e-2)),
    "faster": Cost(reference_time=timing(5e-5, 2e-6), candidate_time=timing(1e-5, 1e-6)),
    "slightly slower": Cost(reference_time=timing(5e-5, 1e-6), candidate_time=timing(5.3e-5, 1e-6)),
    "the same": Cost(reference_time=timing(5e-5, 2e-6), candidate_time=timing(5.1e-5, 2e-6)),
    "no time at all": Cost(reference_time=timing(0.0, 0.0), candidate_time=timing(1e-9, 0.0)),
    "not measured": None,
}
