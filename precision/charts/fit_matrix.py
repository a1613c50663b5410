"""Which module fits which format: a verdict in every cell, by colour and by sign."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.cells import Sign, add_cells, cell_axes, write_signs
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import colour_of_fit, letters_on, translucent
from precision.charts.row_groups import group_label, neighbours, row_name, shared_text, without_shared
from precision.findings.fit.fitness import Fit, Fitness, worst
from precision.findings.fit.table import FitTable
from precision.results.ranges import ModuleRanges
from precision.text.names import escape_plotly, for_plotly, plain
from precision.text.units import count_text

MAX_ROWS = 60
SIGNS = {
    Fit.FITS: "✓",
    Fit.NEEDS_SCALING: "×2ⁿ",
    Fit.TOO_COARSE: "≈",
    Fit.SUBNORMAL: "▿",
    Fit.UNDERFLOWS: "▼",
    Fit.OVERFLOWS: "▲",
    Fit.NOTHING: "–",
}
"""What a cell says besides its colour."""

_OPACITIES = {
    Fit.FITS: 0.08,
    Fit.NEEDS_SCALING: 0.3,
    Fit.TOO_COARSE: 0.4,
    Fit.SUBNORMAL: 0.4,
    Fit.UNDERFLOWS: 0.75,
    Fit.OVERFLOWS: 1.0,
    Fit.NOTHING: 0.0,
}
"""Of the colours: what fits recedes, what is lost stands out."""
_KIND = "Table of verdicts, modules down, formats across"
_ROW_PX = 18


class FitRow(NamedTuple):
    """One module, or neighbours drawn together: the worst verdict of all their values per format."""

    label: str
    fits: tuple[Fitness, ...]


@dataclass(frozen=True)
class FitMatrixInfo(Info):
    """What is drawn."""

    formats: tuple[str, ...]
    chosen: str
    rows: tuple[FitRow, ...] = ()
    labels: tuple[str, ...] = ()
    """Of the rows, without the path that all share."""


def plot_fit_matrix(table: FitTable, modules: Sequence[ModuleRanges], chosen: str) -> go.Figure:
    """Per module and format the worst verdict of its weights, inputs and outputs; the title is about `chosen`.

    Where there are more than `MAX_ROWS` modules, neighbours share a row, with their worst verdict.
    """
    return figure_of(_KIND, _fit_matrix_info(table, modules, chosen), _draw)


def _fit_matrix_info(table: FitTable, modules: Sequence[ModuleRanges], chosen: str) -> FitMatrixInfo:
    if not modules:
        return FitMatrixInfo((), chosen, title="No module to judge", empty="No tensor to show.")
    fits = [FitRow(each.label, tuple(table.worst(each.tensors, name) for name in table.names)) for each in modules]
    groups = neighbours(fits, MAX_ROWS)
    rows = tuple(
        FitRow(
            group_label([row.label for row in group]),
            tuple(worst([row.fits[at] for row in group]) for at in range(len(table.formats))),
        )
        for group in groups
    )
    met = {fit.verdict for row in rows for fit in row.fits}
    legend = [f"{sign} {verdict.value}" for verdict, sign in SIGNS.items() if verdict in met]
    shared, names = without_shared([row.label for row in fits])
    together = f"{count_text(len(fits), 'module')} in {len(rows)} rows, worst shown" if len(rows) < len(fits) else ""
    return FitMatrixInfo(
        formats=table.names,
        chosen=chosen,
        rows=rows,
        labels=tuple(map(group_label, neighbours(names, MAX_ROWS))),
        title=_finding(fits, table.names, chosen),
        detail="; ".join(filter(None, (shared_text(shared), together, ", ".join(legend)))),
    )


def _finding(rows: Sequence[FitRow], names: Sequence[str], chosen: str) -> str:
    at = list(names).index(chosen)
    judged = [row.fits[at].verdict for row in rows if row.fits[at].verdict is not Fit.NOTHING]
    name, of = plain(chosen), f"of {count_text(len(judged), 'module')}"
    tally = Counter(judged)
    if not judged:
        return "There is no finite value to judge"
    if tally[Fit.FITS] == len(judged):
        return f"{name} holds the values of every module"
    rest = [
        f"{tally[verdict]:,} {does}{'s' if tally[verdict] == 1 else ''}{what}"
        for verdict, does, what in (
            (Fit.OVERFLOWS, "overflow", ""),
            (Fit.UNDERFLOWS, "underflow", ""),
            (Fit.SUBNORMAL, "lose", " precision below the normal range"),
            (Fit.TOO_COARSE, "need", " more mantissa bits"),
            (Fit.NEEDS_SCALING, "need", " scaling"),
        )
        if tally[verdict]
    ]
    return f"{name} fits {tally[Fit.FITS]:,} {of}: {', '.join(rest)}"


def _draw(figure: go.Figure, info: FitMatrixInfo) -> Space:
    verdicts = tuple(SIGNS)
    places = [[verdicts.index(fit.verdict) for fit in row.fits] for row in info.rows]
    names = [f"<b>{for_plotly(name)}</b>" if name == info.chosen else for_plotly(name) for name in info.formats]
    hovers = [
        [f"{for_plotly(row.label)} in {for_plotly(fit.format)}: {_words(fit)}" for fit in row.fits] for row in info.rows
    ]
    scale = _steps([translucent(colour_of_fit(verdict.value), _OPACITIES[verdict]) for verdict in verdicts])
    ends: dict[str, Any] = {"zmin": -0.5, "zmax": len(verdicts) - 0.5}
    add_cells(figure, np.asarray(places, dtype=np.uint8), hovers, colorscale=scale, showscale=False, **ends)
    signs = [
        Sign(x, y, SIGNS[fit.verdict], letters_on(colour_of_fit(fit.verdict.value), _OPACITIES[fit.verdict]))
        for y, row in enumerate(info.rows)
        for x, fit in enumerate(row.fits)
    ]
    write_signs(figure, signs, letters=11)
    figure.update_layout(cell_axes(names, list(map(row_name, info.labels)), letters=9))
    figure.update_xaxes(side="top")  # in view however many rows there are
    return Space(max(_ROW_PX * len(info.rows), 48), above=100, footer=16)


def _steps(colours: Sequence[str]) -> list[list[object]]:
    """A colour scale of equal steps without transitions."""
    size = len(colours)
    return [[(at + end) / size, colour] for at, colour in enumerate(colours) for end in (0, 1)]


def _words(fit: Fitness) -> str:
    return escape_plotly(f"{fit.verdict.value}. {fit.reason}")
