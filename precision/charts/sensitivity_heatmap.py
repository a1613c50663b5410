"""Which layer does not tolerate which format: the output's SQNR if that layer alone is in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from precision.charts.cells import Sign, add_cells, cell_axes, clipped, letters_on_sqnr, sqnr_axis, write_signs
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import WORST, text_on
from precision.charts.row_groups import group_label, neighbours, row_name, shared_text, without_shared
from precision.findings.sensitivity.rows import RowKind, RowOrder, SensitivityCell, SensitivityRow, rows_of, worst_cell
from precision.results import SensitivityReport
from precision.text.names import escape_plotly, for_plotly, plain
from precision.text.units import count_text, number_text

MAX_ROWS = 60
_KIND = "Table of signal-to-noise ratios, layers down, formats across"
_ROW_PX = 18
_NOT_FINITE, _NO_KERNEL, _EXACT = "▲", "–", "="


@dataclass(frozen=True)
class SensitivityHeatmapInfo(Info):
    """What is drawn."""

    formats: tuple[str, ...] = ()
    rows: tuple[SensitivityRow, ...] = ()
    """Of layers or blocks, or of neighbours drawn together: the worst of them in each format."""
    labels: tuple[str, ...] = ()
    """Of the rows, without the path that all share."""


def plot_sensitivity_heatmap(
    report: SensitivityReport, *, by: RowKind = "layer", order: RowOrder = "worst first"
) -> go.Figure:
    """SQNR of the output by layer and format; what is exact or not finite is marked.

    Where there are more than `MAX_ROWS` rows, the worst are drawn; in model order, neighbours share a row, which shows
    the worst of them.
    """
    return figure_of(_KIND, _sensitivity_heatmap_info(report, by=by, order=order), _draw)


def _sensitivity_heatmap_info(report: SensitivityReport, *, by: RowKind, order: RowOrder) -> SensitivityHeatmapInfo:
    every = rows_of(report, by=by, order=order)
    if not every or not report.formats:
        reason = "The model calls no layer that could be lowered." if report.formats else "No format was measured."
        return SensitivityHeatmapInfo(title="No sensitivity to show", empty=reason)
    shared, names = without_shared([row.name for row in every])
    rows, labels, limited = _limited(every, names, by=by, order=order)
    return SensitivityHeatmapInfo(
        formats=report.formats,
        rows=rows,
        labels=labels,
        title=_title(every, by),
        detail="; ".join(filter(None, (shared_text(shared), limited, *_legend(rows)))),
    )


def _limited(
    every: Sequence[SensitivityRow], names: Sequence[str], *, by: RowKind, order: RowOrder
) -> tuple[tuple[SensitivityRow, ...], tuple[str, ...], str]:
    """The rows to draw, their labels, and a text about the rows that are left out."""
    if order == "worst first":
        cut = f"the {MAX_ROWS} worst of {count_text(len(every), by)}" if len(every) > MAX_ROWS else ""
        return tuple(every[:MAX_ROWS]), tuple(names[:MAX_ROWS]), cut
    groups = neighbours(every, MAX_ROWS)
    rows = tuple(
        group[0]._replace(
            name=group_label([row.name for row in group]),
            cells=tuple(worst_cell([row.cells[at] for row in group]) for at in range(len(group[0].cells))),
        )
        for group in groups
    )
    together = f"{count_text(len(every), by)} in {len(rows)} rows, worst shown" if len(rows) < len(every) else ""
    return rows, tuple(map(group_label, neighbours(names, MAX_ROWS))), together


def _title(rows: Sequence[SensitivityRow], by: RowKind) -> str:
    worst = [(worst_cell(row.cells), row) for row in rows]
    broken = sum(cell.sqnr_db is None for cell, _ in worst)
    if broken:
        return f"{broken:,} of {count_text(len(rows), by)} cannot compute in some format"
    least, cell, row = min((cell.sqnr_db or 0.0, cell, row) for cell, row in worst)
    if least == math.inf:
        return "Every layer is exact in every format"
    return f"The least SQNR is {number_text(least)} dB: {plain(row.name)} in {cell.format}"


def _legend(rows: Sequence[SensitivityRow]) -> list[str]:
    met = {_sign(cell) for row in rows for cell in row.cells}
    signs = {_NOT_FINITE: "not finite", _NO_KERNEL: "does not run", _EXACT: "exact"}
    return ["numbers: SQNR of the output in dB", *(f"{sign} {words}" for sign, words in signs.items() if sign in met)]


def _sign(cell: SensitivityCell) -> str:
    if cell.sqnr_db is None:
        return _NOT_FINITE if cell.nonfinite else _NO_KERNEL
    return _EXACT if cell.sqnr_db == math.inf else f"{cell.sqnr_db:.0f}".replace("-", "−").replace("−inf", "−∞")


def _hover(label: str, cell: SensitivityCell) -> str:
    where = f"{for_plotly(label)} in {for_plotly(cell.format)}: "
    if cell.sqnr_db is None:
        broken = f"{count_text(cell.nonfinite, 'element')} of its output not finite"
        return where + (broken if cell.nonfinite else "it does not run in this format")
    predicted = cell.predicted_squared_error
    if cell.sqnr_db == math.inf or not predicted:
        return where + "no error"
    rmse = math.sqrt(predicted)
    # d sqrt(x) = dx / (2 sqrt(x))
    spread = "" if cell.standard_error is None else f" ± {number_text(cell.standard_error / (2 * rmse))}"
    exact = cell.exact_squared_error
    measured = "" if exact is None else f", measured {number_text(math.sqrt(exact))}"
    said = f"SQNR {number_text(cell.sqnr_db)} dB, {cell.known_by}; RMSE predicted {number_text(rmse)}{spread}{measured}"
    return where + escape_plotly(said)


def _draw(figure: go.Figure, info: SensitivityHeatmapInfo) -> Space:
    decibels = np.array(
        [[np.nan if cell.sqnr_db is None else clipped(cell.sqnr_db) for cell in row.cells] for row in info.rows],
        dtype=np.float32,
    )
    hovers = [[_hover(row.name, cell) for cell in row.cells] for row in info.rows]
    add_cells(figure, decibels, hovers, coloraxis="coloraxis")
    if np.isnan(decibels).any():
        missing = np.where(np.isnan(decibels), np.float32(1), np.float32(np.nan))
        add_cells(figure, missing, hovers, colorscale=[[0, WORST], [1, WORST]], showscale=False)
    write_signs(figure, _signs(info), letters=10)
    axes = cell_axes(list(map(for_plotly, info.formats)), list(map(row_name, info.labels)), letters=9)
    figure.update_layout(axes, coloraxis=sqnr_axis())
    return Space(max(_ROW_PX * len(info.rows), 48), footer=150)


def _signs(info: SensitivityHeatmapInfo) -> list[Sign]:
    return [
        Sign(x, y, _sign(cell), text_on(WORST) if cell.sqnr_db is None else letters_on_sqnr(cell.sqnr_db))
        for y, row in enumerate(info.rows)
        for x, cell in enumerate(row.cells)
    ]
