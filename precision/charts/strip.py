"""A strip: a bar for each layer in the model's order, in the colours of what it holds; many neighbours share a bar."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.frame import marker
from precision.charts.row_groups import group_label
from precision.text.names import for_plotly

MAX_BARS = 200
"""More would be narrower than two pixels on a phone."""


class StripBar(NamedTuple):
    """One layer, or neighbours drawn together: how often they hold each format."""

    label: str
    layers: int
    formats: tuple[tuple[str, int], ...]
    """The most frequent first; without any, nothing is drawn."""


def strip_bar(labels: Sequence[str], formats: Iterable[str]) -> StripBar:
    """A bar for the layers of these names, which hold these formats, each as often as it is there."""
    return StripBar(group_label(labels), len(labels), tuple(Counter(formats).most_common()))


def add_strip(
    figure: go.Figure,
    bars: Sequence[StripBar],
    formats: Sequence[str],
    *,
    rows: Sequence[int],
    bottom: float = 0.0,
    top: float = 1.0,
    named: str = "",
) -> None:
    """Draw bars between two heights.

    Args:
        figure: to add them to.
        bars: one a layer.
        formats: all that any bar holds, in the order of the legend.
        rows: of each bar, what a click on it gives; see `pages.ui.chart.show_and_pick`.
        bottom: where the bars begin.
        top: where they end.
        named: what the strip shows, for the hover text, such as "before".
    """
    listed = {trace.legendgroup for trace in figure.data}
    totals = [sum(count for _, count in bar.formats) for bar in bars]
    for format_name in formats:
        at, share, base = [], [], []
        for place, (bar, total) in enumerate(zip(bars, totals, strict=True)):
            below = 0
            for name, count in bar.formats:
                if name == format_name:
                    at.append(place)
                    share.append((top - bottom) * count / total)
                    base.append(bottom + (top - bottom) * below / total)
                below += count
        if not at:
            continue
        figure.add_bar(
            x=np.array(at),
            y=np.array(share),
            base=np.array(base),
            width=1,
            name=for_plotly(format_name),
            legendgroup=format_name,
            showlegend=format_name not in listed,
            marker=marker(format_name) | {"line": {"width": 0}},
            customdata=[(rows[place], _hover(bars[place], named)) for place in at],
            hovertemplate="%{customdata[1]}<extra></extra>",
        )
    figure.update_layout(
        barmode="overlay",
        xaxis={"visible": False, "range": [-0.5, len(bars) - 0.5]},
        yaxis={"visible": False, "range": [0, 1]},
    )


def _hover(bar: StripBar, named: str) -> str:
    label = for_plotly(bar.label) + (f", {named}" if named else "")
    if bar.layers == 1 and len(bar.formats) == 1:
        return f"{label}: {for_plotly(bar.formats[0][0])}"
    shares = ", ".join(f"{count:,} × {for_plotly(name)}" for name, count in bar.formats)
    return f"{label}: {shares}"
