"""Tables of coloured cells: a column and a row for each name, with a sign in each cell."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import rows_axis


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
    """The axes of a table, for `update_layout`.

    Args:
        columns: their names; markup, as plotly reads it.
        rows: as `columns`, the first on top.
        letters: size of the rows' names; None: the page's.
        slanted: whether the columns' names are, so that many fit beside each other.
    """
    return {
        "xaxis": {
            "tickvals": list(range(len(columns))),
            "ticktext": list(columns),
            "tickangle": -45 if slanted else None,
            "range": [-0.5, len(columns) - 0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "yaxis": {**rows_axis(rows, letters=letters), "showgrid": False},
    }


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
