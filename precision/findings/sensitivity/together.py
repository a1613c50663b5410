"""What the errors of several layers do to the output together. Needs no torch."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from precision.formats import NumericFormat, any_format_named
from precision.results.sensitivity import Projections, SensitivityReport

_CROSSED_PROBES, _CROSSED_SIGMAS = 100, 3.0
"""So many random probes at least, and so many standard errors, tell what layers do together from noise."""
_MOST_PROBES = 128
_MOST_NUMBERS = 100_000
"""Half a megabyte of text."""

FloatArray = NDArray[np.float64]


def squared_error_together(report: SensitivityReport, formats: Sequence[str]) -> float | None:
    """The mean squared error of the output where each layer is in the format at its place, by first-order theory.

    It is the sum of the layers' own, as their errors are near independent; with what they add by pulling in the same
    direction, or take away in opposite ones, where the report tells. An input that is handed on by a layer of a format
    whose values are the taker's values too is not rounded again. None where a layer has no prediction.

    Args:
        report: the sensitivity.
        formats: of each of its layers, in its order: one of the report's, or any other for the reference.
    """
    columns = {name: column for column, name in enumerate(report.formats)}
    handed = _handed(report, formats)
    chosen = [
        (at, columns[name], is_handed)
        for at, (name, is_handed) in enumerate(zip(formats, handed, strict=True))
        if name in columns
    ]
    own = []
    for at, column, is_handed in chosen:
        contribution = report.layers[at].contributions[column]
        error = contribution.best_squared_error(is_handed=is_handed)
        if error is None or contribution.nonfinite:
            return None
        own.append(error)
    total = math.fsum(own)
    if report.projections is None or len(chosen) < 2:
        return total
    vectors = _decoded(report.projections)
    places, at_formats, are_handed = (np.array(each) for each in zip(*chosen, strict=True))
    crossed = _crossed(vectors[are_handed.astype(int), places, at_formats], is_sampled=report.projections.is_sampled)
    return max(total + crossed, 0.0)


def projections_of(
    products: Mapping[tuple[int, int, int], FloatArray], shape: tuple[int, int, int], *, is_sampled: bool
) -> Projections | None:
    """The report's, or None where they would tell nothing or be too many.

    Args:
        products: of shape `(passes, samples)`, scaled as those of `Projections`; by kind, layer and format. Those of
            fewer samples than others, which mix them, are left out.
        shape: kinds, layers, formats.
        is_sampled: whether the probes are random.
    """
    widest = max((each.shape[1] for each in products.values()), default=0)
    wide = {key: each for key, each in products.items() if each.shape[1] == widest}
    if not wide:
        return None
    passes = next(iter(wide.values())).shape[0]
    probes = passes * widest
    if is_sampled and probes < _CROSSED_PROBES:
        return None
    if is_sampled and probes > _MOST_PROBES:
        groups = np.array_split(np.arange(widest), max(_MOST_PROBES // passes, 1))
        wide = {key: np.stack([each[:, group].sum(1) for group in groups], axis=1) for key, each in wide.items()}
        probes = passes * len(groups)
    columns = np.stack([each.ravel() for each in wide.values()], axis=1)
    if not is_sampled and probes > columns.shape[1]:
        columns = np.asarray(np.linalg.qr(columns, mode="r"))
        probes = columns.shape[0]
    if probes * math.prod(shape) > _MOST_NUMBERS:
        return None
    values = np.zeros((*shape, probes), dtype="<f4")
    for key, column in zip(wide, columns.T, strict=True):
        values[key] = column
    text = base64.b64encode(values.tobytes()).decode("ascii")
    return Projections(shape=(*shape, probes), values=text, is_sampled=is_sampled)


def _crossed(vectors: FloatArray, *, is_sampled: bool) -> float:
    """What the errors `(layers, probes)` add or take away together; 0 where noise hides it."""
    each = np.square(vectors.sum(0)) - np.square(vectors).sum(0)
    value = float(each.sum())
    if not is_sampled:
        return value
    standard_error = float(each.std(ddof=1)) * each.size**0.5
    return value if abs(value) > _CROSSED_SIGMAS * standard_error else 0.0


@lru_cache(maxsize=4)
def _decoded(projections: Projections) -> FloatArray:
    return np.frombuffer(base64.b64decode(projections.values), dtype="<f4").reshape(projections.shape).astype(float)


def _handed(report: SensitivityReport, formats: Sequence[str]) -> list[bool]:
    """For each layer, whether the inputs that others hand it are values of its format already."""
    given: dict[str, frozenset[str]] = {}
    found = []
    for layer, name in zip(report.layers, formats, strict=True):
        taken = frozenset().union(*(given.get(giver, frozenset([""])) for giver in layer.takes_from))
        found.append(bool(taken) and all(_holds(name, other) for other in taken))
        given[layer.fqn] = taken if layer.passes_on and name not in report.formats and taken else frozenset([name])
    return found


@lru_cache
def _holds(name: str, other: str) -> bool:
    """Whether every value of the format `other` is one of the format `name`; not for formats with scales."""
    if not name or not other:
        return False
    wide, narrow = any_format_named(name), any_format_named(other)
    if not isinstance(wide, NumericFormat) or not isinstance(narrow, NumericFormat):
        return False
    return wide == narrow or (
        wide.mantissa_bits >= narrow.mantissa_bits
        and wide.max >= narrow.max
        and wide.smallest_subnormal <= narrow.smallest_subnormal
    )
