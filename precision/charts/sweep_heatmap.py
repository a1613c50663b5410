"""Which format keeps how much of the signal, by device and method: the verdict in every cell, its colour the SQNR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.frame import empty_figure, frame
from precision.charts.palette import text_on
from precision.charts.sqnr_scale import clipped, colour_of_sqnr, sqnr_axis
from precision.findings.sweep import sweep_finding
from precision.results import SkippedRun, SweepRow
from precision.spec.cast_methods import USUAL_METHODS, CastMethod
from precision.text.names import escape_plotly, for_plotly, plain
from precision.text.units import number_text

_KIND = "Table of verdicts, formats down, devices and methods across"
_ROW_PX = 34
_WHY = 200
"""Characters of a reason in a hover text."""
"""No format has both, so they share a column."""


class SweepCell(NamedTuple):
    """One run: where it is drawn, what is written, and its signal-to-noise ratio where it has one."""

    format: str
    column: str
    words: str
    sqnr_db: float | None
    hover: str


class SweepHeatmapInfo(NamedTuple):
    """What is drawn. `empty` says why there is nothing."""

    formats: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[SweepCell, ...]
    title: str
    empty: str | None


def plot_sweep_heatmap(
    rows: Sequence[SweepRow], skipped: Sequence[SkippedRun] = (), *, planned: int | None = None
) -> go.Figure:
    """A cell for every run: the verdict's word on a colour that is its SQNR in decibels.

    Args:
        rows: runs that have ended.
        skipped: combinations that are not possible, shown without a colour.
        planned: all runs of the sweep, where more are to come; None: these are all.
    """
    return _sweep_heatmap_figure(_sweep_heatmap_info(rows, skipped, planned=planned))


def _sweep_heatmap_info(
    rows: Sequence[SweepRow], skipped: Sequence[SkippedRun], *, planned: int | None = None
) -> SweepHeatmapInfo:
    if not rows:
        return SweepHeatmapInfo((), (), (), "No run has ended yet", "Verdicts appear here as the runs end.")
    cells = (
        *(_cell(row) for row in rows),
        *(
            SweepCell(
                each.dtype, _column(each.device, each.method), "not possible", None, plain(each.reason, limit=_WHY)
            )
            for each in skipped
        ),
    )
    finding = sweep_finding(rows, planned)
    return SweepHeatmapInfo(
        formats=tuple(dict.fromkeys(cell.format for cell in cells)),
        columns=tuple(dict.fromkeys(cell.column for cell in cells)),
        cells=cells,
        title=finding[0].upper() + finding[1:],
        empty=None,
    )


def _cell(row: SweepRow) -> SweepCell:
    column = _column(row.spec.device, row.spec.method)
    if row.verdict.word == "not measured":
        return SweepCell(row.spec.dtype, column, "not measured", None, plain(row.verdict.sentence, limit=_WHY))
    measured = "" if row.sqnr_db is None else f" · {_db_text(row.sqnr_db)}"
    return SweepCell(row.spec.dtype, column, f"{row.verdict.word}{measured}", row.sqnr_db, row.verdict.sentence)


def _column(device: str, method: CastMethod) -> str:
    return plain(device) if method in USUAL_METHODS else f"{plain(device)} · {method.label}"


def _db_text(sqnr_db: float) -> str:
    return f"{sqnr_db:.1f} dB" if math.isfinite(sqnr_db) else f"{number_text(sqnr_db)} dB"


def _sweep_heatmap_figure(info: SweepHeatmapInfo) -> go.Figure:
    if info.empty:
        return empty_figure(kind=_KIND, title=info.title, reason=info.empty)
    places = [(info.columns.index(cell.column), info.formats.index(cell.format)) for cell in info.cells]
    colours = np.full((len(info.formats), len(info.columns)), np.nan, dtype=np.float32)
    hovers = [["" for _ in info.columns] for _ in info.formats]
    for cell, (x, y) in zip(info.cells, places, strict=True):
        if cell.sqnr_db is not None:
            colours[y, x] = clipped(cell.sqnr_db)
        hovers[y][x] = escape_plotly(f"{cell.format} on {cell.column}: {cell.hover}")
    figure = go.Figure()
    figure.add_heatmap(
        x=list(range(len(info.columns))),
        y=list(range(len(info.formats))),
        z=colours,
        coloraxis="coloraxis",
        xgap=2,
        ygap=2,
        customdata=hovers,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
    )
    for on_colour in (True, False):
        shown = [at for at, cell in enumerate(info.cells) if (cell.sqnr_db is not None) is on_colour]
        if shown:
            # Without a colour below them, letters take that of the page's theme.
            backgrounds = [colour_of_sqnr(db) for at in shown if (db := info.cells[at].sqnr_db) is not None]
            ink = {"color": [text_on(colour) for colour in backgrounds]} if on_colour else {}
            figure.add_scatter(
                x=[places[at][0] for at in shown],
                y=[places[at][1] for at in shown],
                mode="text",
                text=[escape_plotly(info.cells[at].words) for at in shown],
                textfont={"size": 11, **ink},
                hoverinfo="skip",
            )
    figure.update_layout(
        coloraxis=sqnr_axis(),
        xaxis={
            "tickvals": list(range(len(info.columns))),
            "ticktext": [for_plotly(column) for column in info.columns],
            "side": "bottom",
            "range": [-0.5, len(info.columns) - 0.5],
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={
            "tickvals": list(range(len(info.formats))),
            "ticktext": [for_plotly(name) for name in info.formats],
            "range": [len(info.formats) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        showlegend=False,
    )
    return frame(
        figure,
        kind=_KIND,
        title=info.title,
        detail="the verdict of every run; its colour is the signal-to-noise ratio (SQNR)",
        plot_height=max(_ROW_PX * len(info.formats), 48),
        footer=76,
    )
