"""Cumulative distribution: the share of one output's elements that have at most a given absolute error."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.error_spread import (
    InFormat,
    Spread,
    all_exact,
    compared,
    detail_of,
    ends_of,
    look_of,
    named,
    no_errors_because,
    spoken,
    spreads_of,
)
from precision.charts.frame import Info, Space, figure_of
from precision.results import OutputComparison
from precision.text.names import plain
from precision.text.units import fine_share_text, number_text, share_text

_KIND = "Cumulative distribution of the absolute error, logarithmic axis"
_FEW = 0.01
"""The title says which errors this share of the elements reaches, at most."""


class Curve(NamedTuple):
    """Points of a line: values from the left to the right edge, and the share of the elements with smaller errors."""

    values: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class EcdfInfo(Info):
    """The numbers drawn."""

    spreads: tuple[Spread, ...] = ()
    curves: tuple[Curve, ...] = ()
    """One for each spread."""
    ends: tuple[float, float] = (1.0, 1.0)
    """Of the axis."""


def plot_error_ecdf(output: OutputComparison, dtype: str, *others: InFormat) -> go.Figure:
    """The share of elements whose absolute error is at most x, and by hovering that of larger errors, at any x.

    Counted over all elements that are finite on both sides. The axis is that of the histogram; exact elements, and
    those with smaller errors, lift the curve's left end. Only rounding the output has a line of its own. NaN and
    infinite pairs are left out and counted below the title.

    Args:
        output: of the candidate.
        dtype: the candidate's format: its colour.
        *others: the same output of other candidates, drawn over it, with the names of their formats.
    """
    return figure_of(_KIND, _ecdf_info((output, dtype), *others), _draw)


def _ecdf_info(*errors: InFormat) -> EcdfInfo:
    output, _ = errors[0]
    spreads = spreads_of(errors, "absolute")
    if not spreads:
        return EcdfInfo(title=f"{plain(output.path)}: no errors to rank", empty=no_errors_because(output))
    ends = ends_of(spreads)
    if ends is None:
        return EcdfInfo(title=all_exact(output.metrics), empty="A logarithmic axis cannot show zero.")
    return EcdfInfo(
        spreads=spreads,
        curves=tuple(_curve(spread, *ends) for spread in spreads),
        ends=ends,
        title=compared(errors) or _finding(spreads[0]),
        detail=detail_of(errors, "absolute"),
        spoken=spoken(spreads),
    )


def _curve(spread: Spread, low: float, high: float) -> Curve:
    """The bins, added up; from the last edge to the largest error itself, where it is below that."""
    if not spread.edges:
        return Curve((low, high), (1.0, 1.0))
    last = min(spread.largest or high, spread.edges[-1])
    shares = (1 - share for share in spread.beyond)
    return Curve((*spread.edges[:-1], last, high), (*shares, 1.0))


def _finding(spread: Spread) -> str:
    few = spread.reached_by(_FEW)
    if few is None:
        return f"All errors are at most {number_text(spread.largest)}"
    edge, share = few
    largest = number_text(spread.largest)
    return f"{share_text(share)} of the errors are {number_text(edge)} or more, the largest is {largest}"


def _draw(figure: go.Figure, info: EcdfInfo) -> Space:
    for at, curve in enumerate(info.curves):
        figure.add_scatter(
            x=np.asarray(curve.values),
            y=np.asarray(curve.shares),
            **look_of(info.spreads, at),
            customdata=_hover_texts(info.spreads[at], curve),
            hovertemplate=f"{named(info.spreads, at)}%{{customdata}}<extra></extra>",
        )
    figure.update_layout(
        xaxis={**log_axis(*info.ends), "title": "Absolute error (output units)", "hoverformat": ".3g"},
        yaxis={"title": "Share of elements", "tickformat": ".0%", "range": [0, 1.05]},
        hovermode="x unified",
    )
    return Space(footer=84, legend=True) if len(info.spreads) > 1 else Space()


def _hover_texts(spread: Spread, curve: Curve) -> list[str]:
    over = [
        f"{fine_share_text(share)} of the elements have<br>an error of {number_text(edge)} or more"
        for edge, share in zip(curve.values, spread.beyond[:-1], strict=False)
    ]
    return [*over, *[f"the largest error is {number_text(spread.largest)}"] * (len(curve.values) - len(over))]
