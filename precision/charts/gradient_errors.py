"""The error, or the underflow, of every parameter's gradient, by each way to train in a format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import empty_figure, frame
from precision.charts.palette import OUTLINE, colour_of
from precision.charts.row_groups import group_label, neighbours, row_name, shared_text, without_shared
from precision.names import for_plotly, plain
from precision.results.training import GradientErrors, TrainingReport
from precision.units import count_text, number_text, share_text

GradientQuantity = Literal["error", "underflow"]
MAX_ROWS = 40

_KIND = {
    "error": "Points of the relative error of every parameter's gradient, logarithmic axis",
    "underflow": "Points of the share of every parameter's gradients that became zero",
}
_AXIS = {"error": "Normalized L2 error of the gradient", "underflow": "Share of the gradients that became zero"}
_SYMBOLS = {
    "pure": "circle",
    "pure, scaled": "circle-open",
    "autocast": "square",
    "autocast, scaled": "square-open",
}
_ROW_PX = 20


class GradientPoints(NamedTuple):
    """The points of one recipe, one a row; None where there is nothing to draw."""

    recipe: str
    values: tuple[float | None, ...]


class GradientErrorsInfo(NamedTuple):
    """The numbers drawn. `empty` says why there are none."""

    quantity: GradientQuantity
    format: str
    labels: tuple[str, ...]
    """Of the rows, without the path that all share."""
    points: tuple[GradientPoints, ...]
    title: str
    detail: str
    empty: str | None


def plot_gradient_errors(report: TrainingReport, dtype: str, *, quantity: GradientQuantity = "error") -> go.Figure:
    """A row for every parameter, or for runs of neighbours the largest of each, and a point for every recipe.

    Args:
        report: of a run.
        dtype: the format, which gives the colour.
        quantity: norm(g - g32) / norm(g32), or the share of g32's other than zero that are zero in g.
    """
    return _gradient_errors_figure(_gradient_errors_info(report, dtype, quantity))


def _gradient_errors_info(report: TrainingReport, dtype: str, quantity: GradientQuantity) -> GradientErrorsInfo:
    measured = [recipe for recipe in report.recipes if recipe.parameters]
    if not measured:
        reason = "No recipe gave gradients." if report.recipes else "No recipe has run yet."
        return GradientErrorsInfo(quantity, dtype, (), (), "No gradients to compare", "", reason)
    names = [parameter.fqn for parameter in report.parameters]
    shared, short = without_shared(names)
    points = tuple(
        GradientPoints(
            recipe.label, tuple(_largest(rows, quantity) for rows in neighbours(recipe.parameters, MAX_ROWS))
        )
        for recipe in measured
    )
    labels = tuple(map(group_label, neighbours(short, MAX_ROWS)))
    few = f"{count_text(len(names), 'parameter')} in {len(labels)} rows, the largest of each"
    detail = "; ".join(filter(None, (few if len(labels) < len(names) else "", shared_text(shared))))
    whole = tuple(map(group_label, neighbours(names, MAX_ROWS)))
    return GradientErrorsInfo(quantity, dtype, labels, points, _title(whole, points, quantity), detail, None)


def _largest(rows: Sequence[GradientErrors], quantity: GradientQuantity) -> float | None:
    found = [row.normalized_l2 if quantity == "error" else row.underflow_share for row in rows]
    finite = [value for value in found if value is not None and math.isfinite(value)]
    return max(finite, default=None)


def _title(names: tuple[str, ...], points: tuple[GradientPoints, ...], quantity: GradientQuantity) -> str:
    values = [
        (value, name, each.recipe)
        for each in points
        for value, name in zip(each.values, names, strict=True)
        if value is not None
    ]
    value, name, recipe = max(values, default=(0.0, "", ""))
    if not value:
        return "No gradient differs" if quantity == "error" else "No gradient becomes zero"
    of = f"{plain(name, limit=40)} ({recipe})"
    if quantity == "error":
        return f"Largest error: {number_text(value)} in {of}"
    return f"Most lost: {share_text(value)} in {of}"


def _gradient_errors_figure(info: GradientErrorsInfo) -> go.Figure:
    kind = _KIND[info.quantity]
    if info.empty:
        return empty_figure(kind=kind, title=info.title, reason=info.empty)
    figure = go.Figure()
    drawn: list[float] = []
    for each in info.points:
        rows = [(at, value) for at, value in enumerate(each.values) if _drawable(value, info.quantity)]
        values = [value for _, value in rows if value is not None]
        drawn += values
        figure.add_scatter(
            x=values,
            y=[at for at, _ in rows],
            mode="markers",
            name=each.recipe,
            marker=_point(each.recipe, colour_of(info.format)),
            customdata=[(for_plotly(info.labels[at]), number_text(value)) for at, value in rows],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<extra>" + each.recipe + "</extra>",
        )
    figure.update_layout(
        showlegend=True,
        xaxis={**_axis(drawn, info.quantity), "title": _AXIS[info.quantity]},
        yaxis={
            "tickvals": list(range(len(info.labels))),
            "ticktext": [row_name(label) for label in info.labels],
            "tickfont": {"size": 10},
            "range": [len(info.labels) - 0.5, -0.5],
            "zeroline": False,
        },
    )
    height = max(_ROW_PX * len(info.labels), 60)
    return frame(figure, kind=kind, title=info.title, detail=info.detail, plot_height=height, footer=84)


def _point(recipe: str, colour: str) -> dict[str, object]:
    """A filled point has a border that shows on both pages; of an open one the colour is the border."""
    symbol = _SYMBOLS[recipe]
    line = {"color": colour if symbol.endswith("open") else OUTLINE, "width": 1.5}
    return {"symbol": symbol, "size": 9, "color": colour, "line": line}


def _drawable(value: float | None, quantity: GradientQuantity) -> bool:
    return value is not None and (quantity == "underflow" or value > 0)


def _axis(drawn: list[float], quantity: GradientQuantity) -> dict[str, object]:
    if quantity == "underflow":
        top = max(drawn, default=0.0) or 1.0
        return {"range": [-0.03 * top, 1.05 * top], "tickformat": ".1%" if top < 0.1 else ".0%"}
    return log_axis(min(drawn), max(drawn), margin_decades=0.2) if drawn else {"visible": False}
