"""The signal-to-noise ratio of the outputs in every input regime."""

from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of, marker
from precision.findings.regimes import broken_text, is_broken
from precision.results.regimes import RegimesReport
from precision.spec.regimes import label_of
from precision.text.names import for_plotly
from precision.text.units import count_text, number_text

_KIND = "Bars of the outputs' SQNR in every input regime"


class _Bar(NamedTuple):
    label: str
    sqnr_db: float
    """0 where there is none to draw."""
    text: str


@dataclass(frozen=True)
class RegimesInfo(Info):
    """The numbers drawn."""

    dtype: str
    bars: tuple[_Bar, ...] = ()


def plot_regime_errors(report: RegimesReport, dtype: str) -> go.Figure:
    """A bar for every regime; where the candidate broke, a text says how."""
    return figure_of(_KIND, _info(report, dtype), _draw)


def _info(report: RegimesReport, dtype: str) -> RegimesInfo:
    bars = []
    for row in report.rows:
        broken, sqnr = broken_text(row), row.errors.sqnr_db if row.errors else None
        drawn = max(sqnr, 0.0) if sqnr is not None and not broken and sqnr < float("inf") else 0.0
        text = broken or ("no errors to compare" if sqnr is None else "exact" if sqnr == float("inf") else "")
        other = ", perhaps not the format's" if row.not_attributable else ""
        bars.append(_Bar(label_of(row.regime), drawn, text or f"{number_text(sqnr)} dB{other}"))
    empty = None if bars else "No regime has run yet."
    return RegimesInfo(dtype, tuple(bars), title=_title(report), empty=empty)


def _title(report: RegimesReport) -> str:
    broken = sum(map(is_broken, report.rows))
    if broken:
        return f"{broken} of {count_text(len(report.rows), 'input regime')} break"
    finite = [bar for bar in report.rows if bar.errors and bar.errors.sqnr_db is not None]
    if not finite:
        return "No errors to compare"
    worst = min(finite, key=lambda row: (row.errors.sqnr_db if row.errors else None) or 0.0)
    return f"Lowest SQNR: {label_of(worst.regime)}"


def _draw(figure: go.Figure, info: RegimesInfo) -> Space:
    labels = [for_plotly(bar.label) for bar in info.bars]
    figure.add_bar(
        orientation="h",
        y=labels,
        x=[bar.sqnr_db for bar in info.bars],
        marker=marker(info.dtype),
        customdata=[[for_plotly(bar.text, limit=None)] for bar in info.bars],
        hovertemplate="%{y}: %{customdata[0]}<extra></extra>",
    )
    longest = max(bar.sqnr_db for bar in info.bars) or 1.0
    for label, bar in zip(labels, info.bars, strict=True):
        figure.add_annotation(
            x=bar.sqnr_db, y=label, text=for_plotly(bar.text), xanchor="left", xshift=6, showarrow=False
        )
    figure.update_layout(
        bargap=0.35,
        xaxis={"title": "SQNR of the outputs, dB: higher is better", "range": [0, 1.3 * longest], "nticks": 6},
        yaxis={"autorange": "reversed"},
    )
    return Space(34 * len(info.bars))
