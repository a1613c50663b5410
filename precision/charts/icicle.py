"""How every tree of modules is drawn: boxes within boxes, the outermost at the left."""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.palette import OUTLINE, text_on
from precision.text.names import for_plotly

_LEVELS = 4
_LABEL_CHARACTERS = 28


class Look(NamedTuple):
    """How a box is filled and outlined."""

    colour: str
    pattern: str = ""
    """Hatching, plotly's name; empty for none."""
    outline: str = OUTLINE
    outline_px: float = 0.5


class IcicleBox(NamedTuple):
    """One box, as it is drawn."""

    id: int
    parent: int | None
    label: str
    """Plain."""
    size: int
    """Including the boxes in it."""
    caption: str
    """Below the label; markup, as plotly reads it."""
    hover: str
    """Its whole name; markup."""
    look: Look


def add_icicle(
    figure: go.Figure,
    boxes: Sequence[IcicleBox],
    *,
    hover: str = "%{hovertext}<br>%{text}",
    y: tuple[float, float] = (0.0, 1.0),
) -> None:
    """Draw a tree on `figure`, the root first; a click on a box opens it.

    Args:
        figure: changed in place.
        boxes: in the model's order.
        hover: template of the hover text; `%{hovertext}` is the box's own text and `%{text}` its caption.
        y: lower and upper end of the tree, as fractions of the figure's height.
    """
    looks = [box.look for box in boxes]
    colours = [look.colour for look in looks]
    figure.add_icicle(
        ids=[str(box.id) for box in boxes],
        parents=["" if box.parent is None else str(box.parent) for box in boxes],
        labels=[for_plotly(box.label, limit=_LABEL_CHARACTERS) for box in boxes],
        values=[box.size for box in boxes],
        text=[box.caption for box in boxes],
        hovertext=[box.hover for box in boxes],
        hovertemplate=f"{hover}<extra></extra>",
        textinfo="label+text",
        textfont={"color": [text_on(colour) for colour in colours], "size": 12},
        marker={
            "colors": colours,
            "line": {"color": [look.outline for look in looks], "width": [look.outline_px for look in looks]},
            "pattern": {
                "shape": [look.pattern for look in looks],
                "bgcolor": colours,
                "fgcolor": OUTLINE,
                "size": 5,
            },
        },
        leaf={"opacity": 1},
        branchvalues="total",
        sort=False,
        maxdepth=_LEVELS,
        tiling={"orientation": "h", "pad": 0},
        pathbar={"visible": False},
        domain={"x": [0, 1], "y": list(y)},
    )
    figure.update_layout(uniformtext={"minsize": 9, "mode": "hide"})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
