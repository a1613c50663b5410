"""The verdict of every format, by device and method: the worse it is, the stronger is the colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.cells import Sign, add_cells, cell_axes, write_signs
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import WORST, letters_on, translucent
from precision.findings.sweep import KEEPING_WORDS, so_far
from precision.results import SkippedRun, SweepRow
from precision.spec.cast_methods import USUAL_METHODS, CastMethod
from precision.text.names import escape_plotly, for_plotly, plain
from precision.text.units import capitalised, count_text, number_text

_KIND = "Table of verdicts, formats down, devices and methods across"
_ROW_PX = 34
_OPACITIES: dict[str, float] = {
    "exact": 0.05,
    "kept": 0.08,
    "close": 0.16,
    "not attributable": 0.25,
    "uncertain": 0.25,
    "broken": 1.0,
}
_CHANGED = (0.35, 0.8)
"""Of a run that changes what matters, by its SQNR: at `_CLEAN_DB` and more, and at 0 dB and less."""
_CLEAN_DB = 60.0
_WHY = 200
"""Characters of a reason in a hover text."""


class SweepCell(NamedTuple):
    """One run: where it is drawn, what is written, and how visible it is."""

    format: str
    column: str
    words: str
    opacity: float
    """Of its colour: the worse the verdict, the more visible."""
    hover: str


@dataclass(frozen=True)
class SweepHeatmapInfo(Info):
    """What is drawn."""

    formats: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    cells: tuple[SweepCell, ...] = ()


def plot_sweep_heatmap(
    rows: Sequence[SweepRow], skipped: Sequence[SkippedRun] = (), *, planned: int | None = None
) -> go.Figure:
    """A cell for every run: the verdict's word and the SQNR in decibels; what breaks is the most visible.

    Combinations that are not possible have no colour. `planned` counts all runs of the sweep, where more are to come.
    """
    return figure_of(_KIND, _sweep_heatmap_info(rows, skipped, planned=planned), _draw)


def _sweep_heatmap_info(
    rows: Sequence[SweepRow], skipped: Sequence[SkippedRun], *, planned: int | None = None
) -> SweepHeatmapInfo:
    if not rows:
        return SweepHeatmapInfo(title="No run has ended yet", empty="Verdicts appear here as the runs end.")
    cells = (
        *(_cell(row) for row in rows),
        *(
            SweepCell(
                each.dtype, _column(each.device, each.method), "not possible", 0.0, plain(each.reason, limit=_WHY)
            )
            for each in skipped
        ),
    )
    keeping = sum(row.verdict.word in KEEPING_WORDS for row in rows)
    of = count_text(len(rows), "run")
    finding = f"{so_far(rows, planned)}{keeping:,} of {of} {'keeps' if keeping == 1 else 'keep'} what matters"
    return SweepHeatmapInfo(
        formats=tuple(dict.fromkeys(cell.format for cell in cells)),
        columns=tuple(dict.fromkeys(cell.column for cell in cells)),
        cells=cells,
        title=capitalised(finding),
        detail="the verdict and the signal-to-noise ratio (SQNR) of every run",
    )


def _cell(row: SweepRow) -> SweepCell:
    column = _column(row.spec.device, row.spec.method)
    if row.verdict.word == "not measured":
        return SweepCell(row.spec.dtype, column, "not measured", 0.0, plain(row.verdict.sentence, limit=_WHY))
    measured = "" if row.sqnr_db is None else f" · {number_text(row.sqnr_db)} dB"
    return SweepCell(row.spec.dtype, column, f"{row.verdict.word}{measured}", _opacity(row), row.verdict.sentence)


def _opacity(row: SweepRow) -> float:
    if row.verdict.word != "changed":
        return _OPACITIES.get(row.verdict.word, 0.0)
    least, most = _CHANGED
    clean = min(max((row.sqnr_db or 0.0) / _CLEAN_DB, 0.0), 1.0)
    return most - (most - least) * clean


def _column(device: str, method: CastMethod) -> str:
    return plain(device) if method in USUAL_METHODS else f"{plain(device)} · {method.label}"


def _draw(figure: go.Figure, info: SweepHeatmapInfo) -> Space:
    places = [(info.columns.index(cell.column), info.formats.index(cell.format)) for cell in info.cells]
    colours = np.full((len(info.formats), len(info.columns)), np.nan, dtype=np.float32)
    hovers = [["" for _ in info.columns] for _ in info.formats]
    for cell, (x, y) in zip(info.cells, places, strict=True):
        colours[y, x] = cell.opacity or np.nan
        hovers[y][x] = escape_plotly(f"{cell.format} on {cell.column}: {cell.hover}")
    scale = [[0, translucent(WORST, 0)], [1, WORST]]
    add_cells(figure, colours, hovers, gap=2, colorscale=scale, showscale=False, zmin=0, zmax=1)
    signs = [
        Sign(x, y, escape_plotly(cell.words), letters_on(WORST, cell.opacity))
        for cell, (x, y) in zip(info.cells, places, strict=True)
    ]
    write_signs(figure, signs, letters=11)
    columns, formats = (list(map(for_plotly, names)) for names in (info.columns, info.formats))
    figure.update_layout(cell_axes(columns, formats, slanted=False))
    return Space(max(_ROW_PX * len(info.formats), 48), footer=40)
