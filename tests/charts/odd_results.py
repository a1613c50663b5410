"""Results as the analyses make them, and as nobody expects them; built without torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from precision.results import (
    CastAudit,
    Cost,
    Ecdf,
    ElementPair,
    ErrorDistributions,
    ErrorMetrics,
    Histogram,
    Histogram2D,
    ModuleNode,
    OutputComparison,
    StoredValues,
    TensorAudit,
    Timing,
)

HOSTILE_NAME = "<img src=x onerror=alert(1)>%{y}\u202e![t](http://example.org)" + "<" * 256
ITEM_BYTES = {"float64": 8, "float32": 4, "float16": 2, "float8_e4m3fn": 1, "int64": 8, "bool": 1, "complex64": 8}


def metrics(errors: Sequence[float], *, nonfinite: int = 0) -> ErrorMetrics:
    """Those fields that charts read, of signed errors; the others None or 0."""
    e = np.asarray(errors, dtype=np.float64)
    n = len(e)
    size = np.abs(e)
    some = n > 0
    values: dict[str, object] = dict.fromkeys(ErrorMetrics.model_fields)
    values |= dict.fromkeys(("ref_nonfinite", "cand_nonfinite", "ref_only_nonfinite", "cand_only_nonfinite"), 0)
    values |= {
        "elements": n + nonfinite,
        "finite_pairs": n,
        "both_nonfinite": nonfinite,
        "nonfinite_agree": 0,
        "quantile_elements": n,
        "mean_abs_error": float(size.mean()) if some else None,
        "median_abs_error": float(np.median(size)) if some else None,
        "p99_abs_error": float(np.quantile(size, 0.99)) if some else None,
        "max_abs_error": float(size.max()) if some else None,
        "mean_ulp_error": float(size.mean() * 1024) if some else None,
        "max_ulp_error": float(size.max() * 1024) if some else None,
        "error_balance": float(np.sign(e).mean()) if some else None,
    }
    return ErrorMetrics.model_validate(values)


def histogram(values: np.ndarray, *, log: bool) -> Histogram:
    if not log:
        largest = float(np.abs(values).max()) or 1e-3
        counts, edges = np.histogram(values, bins=101, range=(-largest, largest))
        return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
    positive = values[values > 0]
    zeros = int(len(values) - len(positive))
    if not len(positive):
        return Histogram(edges=(), counts=(), zeros=zeros, log=True)
    edges = _log_edges(positive, 200)
    counts, _ = np.histogram(positive, bins=edges)
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), zeros=zeros, log=True)


def _log_edges(positive: np.ndarray, bins: int) -> np.ndarray:
    low, high = math.log2(positive.min()), math.log2(positive.max())
    edges = np.exp2(np.linspace(low, high, bins + 1)) if high > low else positive.min() * np.asarray([1.0, 2.0])
    edges[0], edges[-1] = positive.min(), max(positive.max(), edges[-1])
    return edges


def distributions(reference: np.ndarray, errors: np.ndarray) -> ErrorDistributions:
    size, magnitude = np.abs(errors), np.abs(reference)
    drawable = (size > 0) & (magnitude > 0)
    x_edges = _log_edges(magnitude[magnitude > 0], 64) if (magnitude > 0).any() else np.empty(0)
    y_edges = _log_edges(size[size > 0], 64) if (size > 0).any() else np.empty(0)
    counts = np.empty((0, 0), dtype=np.int64)
    if len(x_edges) and len(y_edges):
        counts = np.histogram2d(size[drawable], magnitude[drawable], bins=(y_edges, x_edges))[0].astype(np.int64)
    exact = np.histogram(magnitude[(size == 0) & (magnitude > 0)], bins=x_edges)[0] if len(x_edges) else np.empty(0)
    points = np.linspace(0, 1, min(201, len(size))) if len(size) > 1 else np.ones(1)
    return ErrorDistributions(
        signed=histogram(errors, log=False),
        absolute=histogram(size, log=True),
        ulp=histogram(size * 1024, log=True),
        ecdf=Ecdf(probabilities=tuple(points.tolist()), values=tuple(np.quantile(size, points).tolist())),
        error_by_magnitude=Histogram2D(
            x_edges=tuple(x_edges.tolist()),
            y_edges=tuple(y_edges.tolist()),
            counts=tuple(tuple(row) for row in counts.tolist()),
            zero_error=tuple(exact.astype(int).tolist()),
            zero_reference=int((magnitude == 0).sum()),
        ),
    )


def output(
    reference: Sequence[float], errors: Sequence[float], *, path: str = "output", dtype: str = "float32"
) -> OutputComparison:
    """An output whose candidate is reference + error; pairs with a non-finite side are only previewed."""
    r, e = np.asarray(reference, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    finite = np.isfinite(r) & np.isfinite(e)
    preview = tuple(
        ElementPair(output=path, index=(0, i), reference=a, candidate=a + b, abs_error=None, ulp_error=None)
        for i, (a, b) in enumerate(zip(r[:64].tolist(), e[:64].tolist(), strict=True))
    )
    floating = dtype.startswith("float") and finite.any()
    return OutputComparison(
        path=path,
        shape=(1, len(r)),
        reference_dtype=dtype,
        candidate_dtype="float16" if floating else dtype,
        metrics=metrics(e[finite].tolist() if dtype.startswith("float") else [], nonfinite=int((~finite).sum())),
        distributions=distributions(r[finite], e[finite]) if floating else None,
        worst=(),
        preview=preview,
    )


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


OUTPUTS: dict[str, OutputComparison] = {
    "many": output(*_many(1e-3)),
    "huge counts": with_counts(output(*_many(1e-3)), 10**12),
    "eight": output([0.5, -0.2, 0.3, 0.8, 0.1, 0.2, -0.4, 0.05], [2e-4, 1e-4, 2e-4, 3e-4, 0.0, 1e-4, 2e-4, -1e-4]),
    "one element": output([1.0], [1e-3]),
    "all equal errors": output([0.4, 0.6, 0.41, 0.59], [2e-4] * 4),
    "exact": output([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]),
    "zero reference": output([0.0, 0.0], [1e-3, -2e-3]),
    "all zero": output([0.0, 0.0], [0.0, 0.0]),
    "some NaN and inf": output([1.0, 2.0, math.inf, 4.0], [1e-3, math.nan, 0.0, -math.inf]),
    "nothing finite": output([math.nan, math.inf], [math.nan, math.nan]),
    "empty": output([], []),
    "integers": output([1.0, 2.0, 3.0], [0.0, 1.0, 0.0], dtype="int64"),
    "extreme": output([1e308, 5e-324, 1e-310], [1e308, 5e-324, 1e-320]),
    "smallest": output([5e-324], [5e-324]),
    "largest": output([1.7e308], [-1.7e308]),
    "hostile": output([1.0, 2.0], [1e-3, 2e-3], path=HOSTILE_NAME),
}


def tensor(
    fqn: str,
    shape: tuple[int, ...] = (4, 4),
    *,
    before: str = "float32",
    after: str = "float16",
    tied_to: str | None = None,
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
        tie_kept=True if tied_to else None,
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
    return Timing(median_s=median_s, iqr_s=iqr_s, runs=100, threads=2, warnings=())


COSTS: dict[str, Cost | None] = {
    "slower": Cost(reference_time=timing(0.051, 2e-3), candidate_time=timing(0.552, 2e-2)),
    "faster": Cost(reference_time=timing(5e-5, 2e-6), candidate_time=timing(1e-5, 1e-6)),
    "the same": Cost(reference_time=timing(5e-5, 2e-6), candidate_time=timing(5.1e-5, 2e-6)),
    "no time at all": Cost(reference_time=timing(0.0, 0.0), candidate_time=timing(1e-9, 0.0)),
    "not measured": None,
}
