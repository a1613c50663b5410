"""The error, or the underflow, of every parameter's gradient, by each way to train in a format."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import log_axis, rows_axis
from precision.charts.frame import Info, Space, dot_marker, figure_of
from precision.charts.palette import colour_of
from precision.charts.row_groups import group_label, neighbours, row_name, shared_text, without_shared
from precision.results.training import GradientErrors, TrainingReport
from precision.text.names import for_plotly, plain
from precision.text.units import count_text, fine_share_text, number_text

GradientQuantity = Literal["error", "underflow"]
MAX_ROWS = 40

_KIND = {
    "error": "Points of the relative error of every parameter's gradient, logarithmic axis",
    "underflow": "Points of the share of every parameter's gradients that became zero",
}
_AXIS = {"error": "Normalized L2 error of the gradient", "underflow": "Share of the gradient that became zero"}
_NOTHING = {
    "error": "No way to train has a finite error other than zero.",
    "underflow": "No gradient that is not zero in float32 became zero, by any way to train.",
}
_SYMBOLS = {
    "pure": "circle",
    "pure, scaled": "circle-open",
    "autocast": "square",
    "autocast, scaled": "square-open",
}
_OFFSETS = {"pure": -0.27, "pure, scaled": -0.09, "autocast": 0.09, "autocast, scaled": 0.27}
"""How far from the middle of its row a recipe's point is drawn, so that equal points do not hide each other."""
_ROW_PX = 24


class GradientPoints(NamedTuple):
    """The points of one recipe, one a row; None where there is nothing to draw."""

    recipe: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class GradientErrorsInfo(Info):
    """The numbers drawn."""

    quantity: GradientQuantity
    format: str
    labels: tuple[str, ...] = ()
    """Of the rows, without the path that all share."""
    points: tuple[GradientPoints, ...] = ()


def plot_gradient_errors(report: TrainingReport, dtype: str, *, quantity: GradientQuantity = "error") -> go.Figure:
    """A row for every parameter and a point for every recipe; neighbours may share a row, with the largest of each.

    "error" is norm(g - g32) / norm(g32); "underflow" is the share of non-zero values of g32 that are zero in g. The
    colour is that of the format `dtype`.
    """
    return figure_of(_KIND[quantity], _gradient_errors_info(report, dtype, quantity), _draw)


def _gradient_errors_info(report: TrainingReport, dtype: str, quantity: GradientQuantity) -> GradientErrorsInfo:
    measured = [recipe for recipe in report.recipes if recipe.parameters]
    if not measured:
        reason = "No recipe gave gradients." if report.recipes else "No recipe has run yet."
        return GradientErrorsInfo(quantity, dtype, title="No gradients to compare", empty=reason)
    kept = [at for at, parameter in enumerate(report.parameters) if not parameter.is_rounding]
    names = [report.parameters[at].fqn for at in kept]
    if not names:
        reason = "Every gradient in float32 is mostly rounding error."
        return GradientErrorsInfo(quantity, dtype, title="No gradients to compare", empty=reason)
    shared, short = without_shared(names)
    points = tuple(
        GradientPoints(
            recipe.label,
            tuple(_largest(rows, quantity) for rows in neighbours([recipe.parameters[at] for at in kept], MAX_ROWS)),
        )
        for recipe in measured
    )
    labels = tuple(map(group_label, neighbours(short, MAX_ROWS)))
    title = _title(report, kept, quantity)
    if not any(value for each in points for value in each.values):
        return GradientErrorsInfo(quantity, dtype, labels, points, title=title, empty=_NOTHING[quantity])
    detail = "; ".join(filter(None, (*_few(names, labels), *_not_drawn(report, quantity), shared_text(shared))))
    return GradientErrorsInfo(quantity, dtype, labels, points, title=title, detail=detail)


def _few(names: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    if len(labels) < len(names):
        yield f"{count_text(len(names), 'parameter')} in {len(labels)} rows, the largest of each"


def _not_drawn(report: TrainingReport, quantity: GradientQuantity) -> Iterator[str]:
    if rounding := sum(parameter.is_rounding for parameter in report.parameters):
        whose = "gradient is" if rounding == 1 else "gradients are"
        yield f"without {count_text(rounding, 'parameter')} whose {whose} rounding in float32 too"
    broken = max(sum(row.nonfinite > 0 for row in recipe.parameters) for recipe in report.recipes)
    if broken and quantity == "error":
        yield f"no point where a gradient is infinite or NaN: up to {count_text(broken, 'parameter')}"


def _value(row: GradientErrors, quantity: GradientQuantity) -> float | None:
    value = row.normalized_l2 if quantity == "error" else row.underflow_share
    return value if value is not None and math.isfinite(value) else None


def _largest(rows: Sequence[GradientErrors], quantity: GradientQuantity) -> float | None:
    return max((value for row in rows if (value := _value(row, quantity)) is not None), default=None)


def _title(report: TrainingReport, kept: Sequence[int], quantity: GradientQuantity) -> str:
    values = [
        (value, report.parameters[at].fqn, recipe.label)
        for recipe in report.recipes
        for at in (kept if recipe.parameters else ())
        if (value := _value(recipe.parameters[at], quantity)) is not None
    ]
    if quantity == "error" and not values:
        return "No error of a gradient is finite"
    value, name, recipe = max(values, key=lambda each: each[0], default=(0.0, "", ""))
    if not value:
        return "No finite gradient differs" if quantity == "error" else "No gradient becomes zero"
    of = f"{plain(name, limit=40)} ({recipe})"
    if quantity == "error":
        return f"Largest error: {number_text(value)} in {of}"
    return f"Most lost: {fine_share_text(value)} in {of}"


def _draw(figure: go.Figure, info: GradientErrorsInfo) -> Space:
    written = number_text if info.quantity == "error" else fine_share_text
    drawn: list[float] = []
    for each in info.points:
        rows = [(at, value) for at, value in enumerate(each.values) if value]
        values = [value for _, value in rows]
        drawn += values
        figure.add_scatter(
            x=values,
            y=[at + _OFFSETS[each.recipe] for at, _ in rows],
            mode="markers",
            name=each.recipe,
            marker=dot_marker(colour_of(info.format), _SYMBOLS[each.recipe], size=7),
            customdata=[(for_plotly(info.labels[at]), written(value)) for at, value in rows],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<extra>" + each.recipe + "</extra>",
        )
    figure.update_layout(
        xaxis={**_axis(drawn, info.quantity), "title": _AXIS[info.quantity]},
        yaxis=rows_axis([row_name(label) for label in info.labels], letters=10),
    )
    return Space(max(_ROW_PX * len(info.labels), 60), footer=84, legend=True)


def _axis(drawn: list[float], quantity: GradientQuantity) -> dict[str, object]:
    if quantity == "underflow":
        top = max(drawn)
        digits = max(0, -1 - math.floor(math.log10(top)))
        return {"range": [-0.03 * top, 1.05 * top], "tickformat": f".{digits}%"}
    return log_axis(min(drawn), max(drawn), margin_decades=0.2)
