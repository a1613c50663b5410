"""What every layer or block adds to the error in every format, as rows."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from precision.results import Contribution, LayerSensitivity, SensitivityReport
from precision.results.plan import sqnr_db, sum_of

RowKind = Literal["layer", "block"]
RowOrder = Literal["worst first", "model order"]

KnownBy = Literal["measured", "estimated", "partly measured", "doubtful"]
"""How an error is known; *doubtful* where first-order theory predicted it that is not to be trusted there."""


class SensitivityCell(NamedTuple):
    """One layer, or the layers of one block, in one format."""

    format: str
    squared_error: float | None
    """Measured where possible, else predicted; summed over the layers. None where one layer has no error."""
    predicted_squared_error: float | None
    standard_error: float | None
    """Of the predicted one."""
    nonfinite: int
    """Elements of the layers' outputs that are infinite or NaN in the format and finite in the reference."""
    sqnr_db: float | None
    """Of the model's output, by `squared_error`."""
    known_by: KnownBy
    """How `squared_error` is known; "partly measured" where only some of several layers were run."""
    exact_squared_error: float | None
    """Measured; None where it was not, or for several layers."""
    all_but_squared_error: float | None
    """Measured with every layer except this one in the format; None where it was not, or for several layers."""
    stored_bytes: int | None
    """Bytes of the layer's weights in the format; None for several layers."""
    time_s: float | None
    """Time of the layer's calls in the format; None where it was not measured, or for several layers."""


class SensitivityRow(NamedTuple):
    """One layer, or one block."""

    name: str
    """fqn; "(model)" for the model itself."""
    type: str
    """Of the layer; empty for a block."""
    layers: int
    calls: int
    reference_bytes: int
    cells: tuple[SensitivityCell, ...]
    """One for each format of the report."""


def rows_of(report: SensitivityReport, *, by: RowKind, order: RowOrder) -> tuple[SensitivityRow, ...]:
    """A row for each layer, or for each repeated block and each layer outside of blocks.

    The error of a block is the sum over its layers, each lowered alone. The worst row has the largest error in any
    format; rows without a finite error are worse still.
    """
    groups: dict[str, list[LayerSensitivity]] = {}
    for layer in report.layers:
        groups.setdefault(layer.block if by == "block" and layer.block else layer.fqn, []).append(layer)
    rows = [_row(report, name, layers) for name, layers in groups.items()]
    return tuple(sorted(rows, key=_badness, reverse=True) if order == "worst first" else rows)


def worst_cell(cells: Sequence[SensitivityCell]) -> SensitivityCell:
    """The cell with the largest error; a cell without a finite error is worse."""
    return max(cells, key=lambda cell: (_error(cell), cell.nonfinite))


def finding(report: SensitivityReport) -> str:
    """The main finding: a layer that does not work in a format, else the layer with the largest share of an error."""
    if not report.layers:
        return "no layer to lower"
    for at, name in enumerate(report.formats):
        found = [(layer, layer.contributions[at]) for layer in report.layers]
        broken = [layer for layer, one in found if one.nonfinite or one.squared_error is None]
        if len(broken) == 1:
            why = "its output is not finite" if broken[0].contributions[at].nonfinite else "it does not run"
            return f"{_name(broken[0].fqn)} does not work in {name}: {why}"
        if broken:
            return (
                f"{len(broken):,} of {len(report.layers):,} layers do not work in {name}, {_name(broken[0].fqn)} first"
            )
    shares = list(_largest_shares(report))
    if not shares:
        return "no layer adds an error of its own"
    share, fqn, name = max(shares)
    return f"{_name(fqn)} adds {100 * share:.0f} % of the error in {name}"


def _largest_shares(report: SensitivityReport) -> Iterable[tuple[float, str, str]]:
    """For each format in which all layers have an error: the largest share of their sum, its layer and the format."""
    for at, name in enumerate(report.formats):
        errors = [layer.contributions[at].best_squared_error() for layer in report.layers]
        known = [error for error in errors if error is not None and math.isfinite(error)]
        whole = math.fsum(known)
        if len(known) == len(errors) and whole > 0:
            largest = max(range(len(known)), key=known.__getitem__)
            yield known[largest] / whole, report.layers[largest].fqn, name


def _row(report: SensitivityReport, name: str, layers: Sequence[LayerSensitivity]) -> SensitivityRow:
    is_layer = len(layers) == 1 and layers[0].fqn == name
    return SensitivityRow(
        name=_name(name),
        type=layers[0].type if is_layer else "",
        layers=len(layers),
        calls=sum(layer.calls for layer in layers),
        reference_bytes=sum(layer.reference_bytes for layer in layers),
        cells=tuple(_cell(report, layers, at) for at in range(len(report.formats))),
    )


def _cell(report: SensitivityReport, layers: Sequence[LayerSensitivity], at: int) -> SensitivityCell:
    each = [layer.contributions[at] for layer in layers]
    error = sum_of(None if one.nonfinite else one.best_squared_error() for one in each)
    alone = each[0] if len(each) == 1 else None
    variance = sum_of(None if one.standard_error is None else one.standard_error**2 for one in each)
    return SensitivityCell(
        format=report.formats[at],
        squared_error=error,
        predicted_squared_error=sum_of(None if one.nonfinite else one.squared_error for one in each),
        standard_error=None if variance is None else math.sqrt(variance),
        nonfinite=sum(one.nonfinite for one in each),
        sqnr_db=sqnr_db(report.output_mean_square, error),
        known_by=_known_by(each),
        exact_squared_error=alone.exact_squared_error if alone else None,
        all_but_squared_error=alone.all_but_squared_error if alone else None,
        stored_bytes=alone.stored_bytes if alone else None,
        time_s=alone.time_s if alone else None,
    )


def _is_measured(contribution: Contribution) -> bool:
    measured = contribution.exact_squared_error
    return measured is not None and measured == contribution.best_squared_error()


def _known_by(contributions: Sequence[Contribution]) -> KnownBy:
    measured = [_is_measured(one) for one in contributions]
    if any(one.is_doubted and not known for one, known in zip(contributions, measured, strict=True)):
        return "doubtful"
    return "measured" if all(measured) else "partly measured" if any(measured) else "estimated"


def _badness(row: SensitivityRow) -> tuple[int, float]:
    finite = [cell.squared_error for cell in row.cells if cell.squared_error is not None]
    return len(row.cells) - len(finite), max(finite, default=0.0)


def _error(cell: SensitivityCell) -> float:
    return math.inf if cell.squared_error is None else cell.squared_error


def _name(fqn: str) -> str:
    return fqn or "(model)"
