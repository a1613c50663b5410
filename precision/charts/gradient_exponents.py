"""Where the gradients lie on a format's number line, before and after the loss is scaled."""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import power_text
from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import OUTLINE
from precision.findings.fit.rounding import Window, overflow_share, subnormal_share, underflow_share, window_of
from precision.formats import NumericFormat
from precision.results.ranges import ExponentHistogram
from precision.results.training import TrainingReport
from precision.text.units import count_text, number_text, share_text

_KIND = "Bars of float32's gradients by power of two, with the window of the format, before and after loss scaling"
_MOST_TICKS, _TICK_STEPS = 8, (1, 2, 5, 10, 20, 50, 100)
_LABEL_PX = 14
"""Height of a limit's name above the plot; one above the other, because their lines may be close."""
_LABEL_END = 0.8
"""Right of this part of the axis, a limit's name ends at its line, so that a narrow page does not cut it off."""
_TAIL_SHARE = 1e-3
"""At most this share, the smallest gradients, is not drawn: a few may reach down to float32's smallest numbers."""


class GradientShares(NamedTuple):
    """Shares of the non-zero gradients that are too small or too large for a format, or lose digits in it."""

    zero: float
    subnormal: float
    overflow: float


@dataclass(frozen=True)
class GradientExponentsInfo(Info):
    """The numbers drawn."""

    format: str
    exponents: tuple[int, ...] = ()
    """Of the bars, ascending without a gap."""
    shares: tuple[float, ...] = ()
    """Of the non-zero gradients, by floor(log2) of their magnitude in float32."""
    shift: int | None = None
    """log2 of the scale, by which scaling moves all bars; None without one."""
    limits: tuple[tuple[float, str], ...] = ()
    """Powers of two at which the window changes, each with its name."""


def plot_gradient_exponents(report: TrainingReport, fmt: NumericFormat, *, scale: float | None) -> go.Figure:
    """All float32 gradients by exponent, with the limits of `fmt`; with a scale, also where it moves them.

    Estimated from float32's gradients of the parameters; what the format's own backward pass lost is in the recipes.
    The `scale` of the loss is a power of two.
    """
    return figure_of(_KIND, _gradient_exponents_info(report.gradients, fmt, scale), _draw)


def _gradient_exponents_info(
    histogram: ExponentHistogram, fmt: NumericFormat, scale: float | None
) -> GradientExponentsInfo:
    window, shift = window_of(fmt), None if scale is None else round(math.log2(scale))
    before = _shares(histogram, window)
    after = None if shift is None else _shares(histogram, window.of_values_times(shift))
    if not histogram.counts:
        reason = "No gradient is finite and other than zero."
        return GradientExponentsInfo(fmt.name, title="No gradients to place", empty=reason)
    tail = _tail(histogram)
    limits = (
        (float(window.vanish_exponent), "zero below"),
        (float(fmt.min_exponent), "subnormal below"),
        (math.log2(fmt.max), "infinite above"),
    )
    return GradientExponentsInfo(
        format=fmt.name,
        exponents=tuple(range(histogram.first_exponent + tail, histogram.last_exponent + 1)),
        shares=tuple(count / histogram.nonzero for count in histogram.counts[tail:]),
        shift=shift,
        limits=limits,
        title=_title(fmt.name, before, after, scale),
        detail=_detail(histogram, before, after, tail),
    )


def _shares(histogram: ExponentHistogram, window: Window) -> GradientShares:
    # Of a binade that a limit cuts, all but a rare value lie on the side that keeps them.
    return GradientShares(
        zero=underflow_share(histogram, window).low,
        subnormal=subnormal_share(histogram, window).high,
        overflow=overflow_share(histogram, window).low,
    )


def _title(fmt: str, before: GradientShares, after: GradientShares | None, scale: float | None) -> str:
    some = f"{share_text(before.zero)} of the gradients are" if before.zero else "No gradient is"
    start = f"{some} too small for {fmt}"
    if after is None:
        return f"{start}, and {share_text(before.overflow)} too large" if before.overflow else start
    multiplied, beyond = f"once multiplied by {number_text(scale)}", f", and {_share(after.overflow)} too large"
    if before.zero:
        return f"{start}, {_share(after.zero)} {multiplied}{beyond if after.overflow else ''}"
    return f"{start}{beyond} {multiplied}" if after.overflow else start


def _tail(histogram: ExponentHistogram) -> int:
    """How many of the lowest bars are not drawn."""
    below = accumulate(histogram.counts)
    return sum(count <= _TAIL_SHARE * histogram.nonzero for count in below)


def _detail(histogram: ExponentHistogram, before: GradientShares, after: GradientShares | None, tail: int) -> str:
    scaled = "" if after is None else f", {_share(after.subnormal)} after scaling"
    parts = ["estimated from the gradients in float32", f"{_share(before.subnormal)} subnormal{scaled}"]
    if tail:
        below = number_text(2.0 ** (histogram.first_exponent + tail))
        parts.append(f"{count_text(sum(histogram.counts[:tail]), 'gradient')} below {below} not drawn")
    if histogram.zeros:
        parts.append(f"{histogram.zeros:,} zero in float32 too, not drawn")
    if lost := histogram.infinite + histogram.nan:
        parts.append(f"{lost:,} infinite or NaN in float32, not drawn")
    return "; ".join(parts)


def _share(share: float) -> str:
    return share_text(share) if share else "none"


def _draw(figure: go.Figure, info: GradientExponentsInfo) -> Space:
    _add_bars(figure, info, 0, "not scaled", filled=True)
    if info.shift is not None:
        _add_bars(figure, info, info.shift, f"loss × {power_text(2, info.shift)}", filled=False)
    ends = [info.exponents[0], info.exponents[-1] + 1, *(at for at, _ in info.limits[:2])]
    ends += [end + info.shift for end in ends[:2]] if info.shift is not None else []
    low, high = min(ends) - 1, max(ends) + 1
    labels = _add_limits(figure, info, low, high)
    step = next(size for size in _TICK_STEPS if (high - low) <= size * _MOST_TICKS)
    ticks = [tick for tick in range(math.ceil(low), math.floor(high) + 1) if tick % step == 0]
    figure.update_layout(
        bargap=0,
        barmode="overlay",
        xaxis={
            "title": "Magnitude of the gradient",
            "range": [low, high],
            "tickvals": ticks,
            "ticktext": [power_text(2, tick) for tick in ticks],
            "zeroline": False,
        },
        yaxis={"title": "Share of the gradients", "tickformat": ".0%", "rangemode": "tozero"},
    )
    return Space(260, footer=96, above=labels, legend=info.shift is not None)


def _add_limits(figure: go.Figure, info: GradientExponentsInfo, low: float, high: float) -> int:
    """Draw the limits within the axis; returns how many pixels their names take above the plot."""
    limits = [(at, name) for at, name in info.limits if low <= at <= high]
    for level, (at, name) in enumerate(limits):
        figure.add_vline(x=at, line={"color": OUTLINE, "width": 2, "dash": "dash"})
        figure.add_annotation(
            text=name, x=at, y=1, yref="paper", yanchor="bottom", yshift=_LABEL_PX * level,
            xanchor="right" if at > low + _LABEL_END * (high - low) else "left", showarrow=False, font={"size": 11},
        )  # fmt: skip
    return _LABEL_PX * len(limits)


def _add_bars(figure: go.Figure, info: GradientExponentsInfo, shift: int, name: str, *, filled: bool) -> None:
    exponents = [exponent + shift for exponent in info.exponents]
    outlined = {"color": "rgba(0,0,0,0)", "line": {"color": OUTLINE, "width": 2}}
    figure.add_bar(
        x=exponents,
        y=info.shares,
        offset=0,
        width=1,
        name=name,
        marker=marker(info.format) if filled else outlined,
        customdata=[(power_text(2, each), power_text(2, each + 1)) for each in exponents],
        hovertemplate="%{customdata[0]} to %{customdata[1]}: %{y:.2%}<extra></extra>",
    )
