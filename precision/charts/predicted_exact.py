"""Are the predicted errors right? Each layer's, beside that of a run in which it alone is lowered."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import OUTLINE, colour_of
from precision.results import SensitivityReport
from precision.text.names import escape_plotly, for_plotly
from precision.text.units import count_text, ratio_text

MAX_POINTS = 3_000
"""Of all formats together; each costs some 100 bytes."""
_KIND = "Dots of the predicted against the measured error, logarithmic axes"
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "pentagon", "hexagon", "triangle-down")
_FEWEST = 3
"""With fewer points, a correlation says nothing."""
_LEGEND_PX = 22


class ErrorPair(NamedTuple):
    """One layer in one format, or all layers in one. Errors are root mean squares over the output."""

    label: str
    predicted: float
    measured: float


class FormatPairs(NamedTuple):
    """The pairs of one format."""

    format: str
    pairs: tuple[ErrorPair, ...]
    layers: int
    """How many pairs there are; not all are drawn where they are many."""
    correlation: float | None
    """Of the logarithms, over all pairs; None with fewer than three, or where all are equal."""
    uniform: ErrorPair | None
    """Every layer in the format."""


@dataclass(frozen=True)
class PredictedExactInfo(Info):
    """What is drawn."""

    formats: tuple[FormatPairs, ...] = ()


def plot_predicted_exact(report: SensitivityReport) -> go.Figure:
    """Predicted over measured root mean square error of the output, a dot for each layer and format.

    Whole casts, with every layer in one format, are stars. Single layers are drawn where adjoint probes predicted them
    and exact runs measured them. Errors of zero have no place on logarithmic axes.
    """
    return figure_of(_KIND, _predicted_exact_info(report), _draw)


def _predicted_exact_info(report: SensitivityReport) -> PredictedExactInfo:
    formats = tuple(_pairs(report, at) for at in range(len(report.formats)))
    formats = tuple(each for each in formats if each.layers or each.uniform)
    if not formats:
        reason = "No error is both predicted and measured."
        return PredictedExactInfo(title="Nothing to compare", empty=reason)
    layers = sum(each.layers for each in formats)
    kept = max(1, MAX_POINTS // len(formats))
    cut = any(each.layers > kept for each in formats)
    return PredictedExactInfo(
        formats=tuple(each._replace(pairs=_largest(each.pairs, kept)) for each in formats),
        title=_title(formats),
        detail="; ".join(
            filter(
                None,
                (
                    f"{count_text(layers, 'dot')}, each a layer in a format" if layers else "",
                    f"of each format the {kept:,} largest" if cut else "",
                    "stars: all layers in the format",
                    "line: predicted as measured",
                    "r: correlation of the logarithms" if any(each.correlation is not None for each in formats) else "",
                ),
            )
        ),
    )


def _pairs(report: SensitivityReport, at: int) -> FormatPairs:
    pairs = []
    for layer in report.layers if report.method == "adjoint probes" else ():
        contribution = layer.contributions[at]
        pair = _pair(layer.fqn or "(model)", contribution.squared_error, contribution.exact_squared_error)
        if pair is not None:
            pairs.append(pair)
    checks = [check for check in report.uniform if check.dtype == report.formats[at]]
    whole = [_pair("every layer", check.predicted_squared_error, check.measured_squared_error) for check in checks]
    return FormatPairs(
        format=report.formats[at],
        pairs=tuple(pairs),
        layers=len(pairs),
        correlation=_correlation(pairs),
        uniform=whole[0] if whole else None,
    )


def _pair(label: str, predicted: float | None, measured: float | None) -> ErrorPair | None:
    """Root mean squares; None where one is missing, zero or not finite."""
    if not predicted or not measured or not math.isfinite(predicted) or not math.isfinite(measured):
        return None
    return ErrorPair(label, math.sqrt(predicted), math.sqrt(measured))


def _correlation(pairs: Sequence[ErrorPair]) -> float | None:
    logs = np.log([[pair.predicted, pair.measured] for pair in pairs]) if len(pairs) >= _FEWEST else None
    if logs is None or not logs.std(axis=0).all():
        return None
    return float(np.corrcoef(logs, rowvar=False)[0, 1])


def _largest(pairs: tuple[ErrorPair, ...], most: int) -> tuple[ErrorPair, ...]:
    return tuple(sorted(pairs, key=lambda pair: -pair.measured)[:most]) if len(pairs) > most else pairs


def _title(formats: Sequence[FormatPairs]) -> str:
    known = [(each.correlation, each.format) for each in formats if each.correlation is not None]
    if known:
        least, name = min(known)
        which = f"at least {least:.3f}, in {name}" if len(known) > 1 else f"{least:.3f}"
        return f"Predicted and measured errors of single layers: correlation {which}"
    ratios = [each.uniform.predicted / each.uniform.measured for each in formats if each.uniform]
    if not ratios:
        return "Predicted and measured errors of single layers"
    low, high = ratio_text(min(ratios)), ratio_text(max(ratios))
    times = low if low == high else f"{low} to {high}"
    return f"For the whole model, the predicted error is {times} times the measured one"


def _draw(figure: go.Figure, info: PredictedExactInfo) -> Space:
    ends = [end for each in info.formats for pair in _all(each) for end in (pair.predicted, pair.measured)]
    axis = log_axis(min(ends), max(ends), margin_decades=0.2)
    line = [10**end for end in axis["range"]]
    figure.add_scatter(
        x=line, y=line, mode="lines", line={"color": OUTLINE, "width": 1, "dash": "dash"}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    for at, each in enumerate(info.formats):
        _add_format(figure, each, _SYMBOLS[at % len(_SYMBOLS)], middle=math.sqrt(min(ends) * max(ends)))
    figure.update_layout(
        xaxis={"title": "Measured RMSE of the output", **axis},
        yaxis={"title": "Predicted", **axis},
        legend={"itemsizing": "constant"},
    )
    footer = 64 + _LEGEND_PX * math.ceil(len(info.formats) / 2)
    return Space(360, footer=footer, legend=None)


def _add_format(figure: go.Figure, each: FormatPairs, symbol: str, *, middle: float) -> None:
    """One format's dots and its star; the star's name is beside the line, away from the nearer end."""
    pairs = _all(each)
    said = "" if each.correlation is None else f" · r = {each.correlation:.3f}"
    stars = len(pairs) - len(each.pairs)
    figure.add_scatter(
        x=np.array([pair.measured for pair in pairs]),
        y=np.array([pair.predicted for pair in pairs]),
        mode="markers+text" if stars else "markers",
        name=f"{for_plotly(each.format)}{said}",
        text=[*[""] * len(each.pairs), *[for_plotly(each.format)] * stars],
        textposition="bottom right" if pairs and pairs[-1].measured < middle else "top left",
        textfont={"size": 10},
        cliponaxis=False,
        marker={
            "color": colour_of(each.format),
            "symbol": [*[symbol] * len(each.pairs), *["star"] * stars] if stars else symbol,
            "size": [*[8] * len(each.pairs), *[16] * stars],
            "line": {"color": OUTLINE, "width": 1},
        },
        customdata=[for_plotly(pair.label, limit=40) for pair in pairs],
        hovertemplate="%{customdata} in "
        + escape_plotly(each.format)
        + "<br>predicted %{y:.3e}, measured %{x:.3e}<extra></extra>",
    )


def _all(each: FormatPairs) -> tuple[ErrorPair, ...]:
    return (*each.pairs, *((each.uniform,) if each.uniform else ()))
