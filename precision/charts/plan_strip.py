"""The format of every layer, in the model's order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.row_groups import group_label, neighbours
from precision.results.plan import Plan, PlannedLayer
from precision.text.names import for_plotly
from precision.text.units import count_text

MAX_BARS = 200
"""More would be narrower than two pixels on a phone."""

_KIND = "Strip of the format of every layer, in the model's order"


class StripBar(NamedTuple):
    """One layer, or neighbours drawn together: how many of them have each format."""

    label: str
    layers: int
    formats: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class PlanStripInfo(Info):
    """What is drawn."""

    formats: tuple[str, ...] = ()
    """The most frequent first."""
    bars: tuple[StripBar, ...] = ()


def plot_plan_strip(plan: Plan) -> go.Figure:
    """A bar for each layer, in the colour of its format; where there are many, neighbours share a bar."""
    return figure_of(_KIND, _plan_strip_info(plan), _draw)


def _plan_strip_info(plan: Plan) -> PlanStripInfo:
    if not plan.layers:
        return PlanStripInfo(title="No layer to plan", empty="The model calls no layer that could be lowered.")
    counts = Counter(layer.format for layer in plan.layers).most_common()
    bars = tuple(_bar(group) for group in neighbours(plan.layers, MAX_BARS))
    if len(counts) == 1:
        title = f"All {count_text(len(plan.layers), 'layer')} in {counts[0][0]}"
    else:
        title = ", ".join(f"{count:,} × {name}" for name, count in counts)
    together = f"; {count_text(len(plan.layers), 'layer')} in {len(bars)} bars" if len(bars) < len(plan.layers) else ""
    return PlanStripInfo(
        formats=tuple(name for name, _ in counts),
        bars=bars,
        title=title,
        detail=f"each layer's format, from the input to the output{together}",
    )


def _bar(group: Sequence[PlannedLayer]) -> StripBar:
    return StripBar(
        label=group_label([layer.fqn or "(model)" for layer in group]),
        layers=len(group),
        formats=tuple(Counter(layer.format for layer in group).most_common()),
    )


def _draw(figure: go.Figure, info: PlanStripInfo) -> Space:
    hovers = [_hover(bar) for bar in info.bars]
    for name in info.formats:
        held = [(at, count) for at, bar in enumerate(info.bars) for own, count in bar.formats if own == name]
        figure.add_bar(
            x=np.array([at for at, _ in held]),
            y=np.array([count / info.bars[at].layers for at, count in held]),
            width=1,
            name=for_plotly(name),
            marker=marker(name) | {"line": {"width": 0}},
            customdata=[hovers[at] for at, _ in held],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        xaxis={"visible": False, "range": [-0.5, len(info.bars) - 0.5]},
        yaxis={"visible": False, "range": [0, 1]},
    )
    return Space(56, footer=48, legend=True)


def _hover(bar: StripBar) -> str:
    if bar.layers == 1:
        return f"{for_plotly(bar.label)}: {for_plotly(bar.formats[0][0])}"
    shares = ", ".join(f"{count:,} × {for_plotly(name)}" for name, count in bar.formats)
    return f"{for_plotly(bar.label)}: {shares}"
