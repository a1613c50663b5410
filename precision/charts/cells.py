"""Tables of coloured cells: a column and a row for each name, with a sign in each cell; the colours of decibels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import colour_axis, rows_axis
from precision.charts.palette import WORST, letters_on, translucent

_LOWEST_DB, _HIGHEST_DB = 0.0, 100.0
"""Beyond these the colour does not change."""
_TICKS = (0, 20, 40, 60, 80, 100)
_OPACITIES = {10.0: 1.0, 20.0: 0.85, 30.0: 0.55, 40.0: 0.4, 60.0: 0.25, 80.0: 0.12, 100.0: 0.05}
"""Of the colour, by the decibels up to which it is so: the worst is the most visible."""


class Sign(NamedTuple):
    """What is written in one cell."""

    column: int
    row: int
    text: str
    """Markup, as plotly reads it."""
    colour: str | None
    """Of the letters; None: that of the page's theme."""


def cell_axes(
    columns: Sequence[str], rows: Sequence[str], *, letters: int | None = None, slanted: bool = True
) -> dict[str, Any]:
    """The axes of a table, for `update_layout`: rows as in `rows_axis`, and columns, `slanted` where many must fit."""
    return {
        "xaxis": {
            "tickvals": list(range(len(columns))),
            "ticktext": list(columns),
            "autotickangles": [-45, -90] if slanted else None,  # upright where they would cover each other
            "range": [-0.5, len(columns) - 0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {**rows_axis(rows, letters=letters), "showgrid": False},
    }


def add_cells(
    figure: go.Figure, values: np.ndarray[Any, Any], hovers: Sequence[Sequence[str]], *, gap: int = 1, **colours: object
) -> None:
    """Colour the cells of a table.

    Args:
        figure: changed in place.
        values: (rows, columns); NaN for no colour.
        hovers: of the cells; markup, as plotly reads it.
        gap: between cells, in pixels.
        colours: plotly's settings of the colour scale.
    """
    rows, columns = values.shape
    figure.add_heatmap(
        x=list(range(columns)),
        y=list(range(rows)),
        z=values,
        xgap=gap,
        ygap=gap,
        customdata=hovers,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        **colours,
    )


def write_signs(figure: go.Figure, signs: Sequence[Sign], *, letters: int) -> None:
    """Write in the cells of a table, in letters of one size."""
    for themed in (False, True):
        written = [sign for sign in signs if (sign.colour is None) is themed]
        if not written:
            continue
        colours = {} if themed else {"color": [sign.colour for sign in written]}
        figure.add_scatter(
            x=[sign.column for sign in written],
            y=[sign.row for sign in written],
            mode="text",
            text=[sign.text for sign in written],
            textfont={"size": letters, **colours},
            hoverinfo="skip",
        )


def sqnr_axis() -> dict[str, Any]:
    """A plotly colour axis for decibels that are `clipped`."""
    texts = ["≤ 0", *(f"{tick}" for tick in _TICKS[1:-1]), "≥ 100"]
    steps = zip([_LOWEST_DB, *_OPACITIES], _OPACITIES.items(), strict=False)
    scale = [[end / _HIGHEST_DB, translucent(WORST, opacity)] for low, (high, opacity) in steps for end in (low, high)]
    return colour_axis(_LOWEST_DB, _HIGHEST_DB, title="SQNR (dB)", ticks=_TICKS, texts=texts, scale=scale)


def clipped(sqnr_db: float) -> float:
    """The ratio, or the end of the axis that it is beyond."""
    return min(max(sqnr_db, _LOWEST_DB), _HIGHEST_DB)


def letters_on_sqnr(sqnr_db: float) -> str | None:
    """The colour of letters on the axis' colour there; None: that of the page's theme.

    >>> letters_on_sqnr(-5.0), letters_on_sqnr(float("inf"))
    ('#FFFFFF', None)
    """
    return letters_on(WORST, next(opacity for end, opacity in _OPACITIES.items() if clipped(sqnr_db) <= end))
