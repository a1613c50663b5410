"""The output's error when several layers are lowered together."""

import base64
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from precision.formats import NumericFormat, any_format_named
from precision.results.sensitivity import Projections, SensitivityReport

_CROSSED_PROBES, _CROSSED_SIGMAS = 100, 3.0
"""The least number of random probes, and of standard errors, that separate a joint effect of layers from noise."""
_MOST_PROBES = 128
_MOST_NUMBERS = 100_000
"""Half a megabyte of text."""

FloatArray = NDArray[np.float64]


def squared_error_together(report: SensitivityReport, formats: Sequence[str]) -> float | None:
    """The predicted mean squared error of the output, with each layer in the format at its place in `formats`.

    First-order theory: the sum of the layers' own errors, because they are nearly independent; corrected, where the
    report has projections, for errors that point in the same or in opposite directions. An input is not rounded again
    where it comes from a layer whose format has no values that this layer's format lacks; where that holds for some of
    the layers that hand it inputs, each is taken to have an equal part in what rounding them adds. None where a layer
    has no prediction. A format that is not in the report means the reference.
    """
    columns = {name: column for column, name in enumerate(report.formats)}
    handed = _handed(report, formats)
    chosen = [
        (at, columns[name], share)
        for at, (name, share) in enumerate(zip(formats, handed, strict=True))
        if name in columns
    ]
    own = []
    for at, column, share in chosen:
        contribution = report.layers[at].contributions[column]
        error = contribution.best_squared_error(handed=share)
        if error is None or contribution.nonfinite:
            return None
        own.append(error)
    total = math.fsum(own)
    if report.projections is None or len(chosen) < 2:
        return total
    vectors = _decoded(report.projections)
    places, at_formats, shares = (np.array(each) for each in zip(*chosen, strict=True))
    crossed = _crossed(vectors[(shares == 1).astype(int), places, at_formats], is_sampled=report.projections.is_sampled)
    return max(total + crossed, 0.0)


def projections_of(
    products: Mapping[tuple[int, int, int], FloatArray], shape: tuple[int, int, int], *, is_sampled: bool
) -> Projections | None:
    """The projections for a report; None where there are too few probes to say anything, or too many numbers.

    Args:
        products: of shape `(passes, samples)`, scaled as those of `Projections`; by kind, layer and format. Layers that
            mix samples have fewer of them and are left out.
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
    """How much the errors `(layers, probes)` add or cancel together; 0 where noise hides it."""
    each = np.square(vectors.sum(0)) - np.square(vectors).sum(0)
    value = float(each.sum())
    if not is_sampled:
        return value
    standard_error = float(each.std(ddof=1)) * each.size**0.5
    return value if abs(value) > _CROSSED_SIGMAS * standard_error else 0.0


@lru_cache(maxsize=4)
def _decoded(projections: Projections) -> FloatArray:
    return np.frombuffer(base64.b64decode(projections.values), dtype="<f4").reshape(projections.shape).astype(float)


def _handed(report: SensitivityReport, formats: Sequence[str]) -> list[float]:
    """For each layer, the share of its inputs from other layers that are already values of its format."""
    given: dict[str, frozenset[str]] = {}
    found = []
    for layer, name in zip(report.layers, formats, strict=True):
        givers = [given.get(giver, frozenset([""])) for giver in layer.takes_from]
        taken = frozenset().union(*givers)
        held = [all(_holds(name, other) for other in each) for each in givers]
        found.append(sum(held) / max(len(held), 1))
        given[layer.fqn] = taken if layer.passes_on and name not in report.formats and taken else frozenset([name])
    return found


@lru_cache
def _holds(name: str, other: str) -> bool:
    """Whether every value of the format `other` is also one of the format `name`; False for formats with scales."""
    if not name or not other:
        return False
    wide, narrow = any_format_named(name), any_format_named(other)
    if not isinstance(wide, NumericFormat) or not isinstance(narrow, NumericFormat):
        return False
    return wide.holds(narrow)
