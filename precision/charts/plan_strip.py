"""The format of every layer, in the model's order."""

from collections import Counter
from dataclasses import dataclass

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of
from precision.charts.row_groups import neighbours
from precision.charts.strip import MAX_BARS, StripBar, add_strip, strip_bar
from precision.results.plan import Plan
from precision.text.units import count_text

_KIND = "Strip of the format of every layer, in the model's order"


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
    bars = tuple(
        strip_bar([layer.fqn or "(model)" for layer in group], [layer.format for layer in group])
        for group in neighbours(plan.layers, MAX_BARS)
    )
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


def _draw(figure: go.Figure, info: PlanStripInfo) -> Space:
    add_strip(figure, info.bars, info.formats, rows=range(len(info.bars)))
    return Space(56, footer=48, legend=True)
