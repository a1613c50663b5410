"""The first elements of one output, reference against candidate, and the difference enlarged below."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.palette import OUTLINE, colour_of
from precision.results import OutputComparison
from precision.text.names import for_plotly, plain
from precision.text.units import count_text, number_text

_KIND = "Output values of reference and candidate, with their difference below"
_MAX_TICKS = 8


class _Pair(NamedTuple):
    label: str
    reference: int | float
    candidate: int | float
    difference: int | float | None
    """candidate − reference, exact for integers; None where it is infinite or NaN."""

    @property
    def is_same(self) -> bool:
        """Whether both sides are equal, or both NaN."""
        return self.reference == self.candidate or (math.isnan(self.reference) and math.isnan(self.candidate))


@dataclass(frozen=True)
class SideBySideInfo(Info):
    """The numbers drawn."""

    reference_dtype: str
    candidate_dtype: str
    pairs: tuple[_Pair, ...] = ()


def plot_side_by_side(output: OutputComparison, dtype: str) -> go.Figure:
    """The previewed elements of an output as both models computed them, and candidate − reference below.

    A value that is NaN or infinite has no dot above; it is written into the lower panel, as is a difference beyond
    float64. `dtype` is the candidate's format, which gives its colour.
    """
    return figure_of(_KIND, _side_by_side_info(output, dtype), _draw)


def _side_by_side_info(output: OutputComparison, dtype: str) -> SideBySideInfo:
    pairs = tuple(
        _Pair(
            label=str(list(pair.index)),
            reference=pair.reference,
            candidate=pair.candidate,
            difference=_difference(pair.reference, pair.candidate),
        )
        for pair in output.preview
    )
    path = plain(output.path)
    if not pairs:
        return SideBySideInfo("", dtype, title=f"{path}: nothing to preview", empty="The output has no elements.")
    shown = f"first {len(pairs):,} of {count_text(math.prod(output.shape), 'element')} of {path}"
    return SideBySideInfo(output.reference_dtype, dtype, pairs, title=_finding(pairs), detail=shown)


def _difference(reference: int | float, candidate: int | float) -> int | float | None:
    difference = candidate - reference
    return difference if math.isfinite(difference) else None


def _finding(pairs: tuple[_Pair, ...]) -> str:
    different = [pair.difference for pair in pairs if not pair.is_same]
    if not different:
        return f"The {len(pairs):,} values shown are exactly equal"
    sizes = [abs(difference) for difference in different if difference is not None]
    if beyond := len(different) - len(sizes):
        return f"The difference is infinite or NaN for {beyond:,} of the {len(pairs):,} values shown"
    return f"The values shown differ by at most {number_text(max(sizes))}"


def _draw(figure: go.Figure, info: SideBySideInfo) -> Space:
    hollow = {"symbol": "circle-open", "size": 13, "color": colour_of(info.reference_dtype), "line": {"width": 2.5}}
    border = {"color": OUTLINE, "width": 1}
    filled = {"symbol": "diamond", "size": 6, "color": colour_of(info.candidate_dtype), "line": border}
    named = f"candidate ({for_plotly(info.candidate_dtype)})"
    for side, name, look in (("reference", "reference", hollow), ("candidate", named, filled)):
        figure.add_scatter(
            y=[_finite(getattr(pair, side)) for pair in info.pairs],
            mode="markers",
            name=name,
            marker=look,
            cliponaxis=False,
            customdata=[pair.label for pair in info.pairs],
            hovertemplate=f"%{{customdata}}: %{{y:.6g}}<extra>{side}</extra>",
        )
    _add_differences(figure, info)
    step = math.ceil(len(info.pairs) / _MAX_TICKS)
    ticks = list(range(0, len(info.pairs), step))
    figure.update_layout(
        xaxis={
            "title": "Index of the element",
            "tickvals": ticks,
            "ticktext": [info.pairs[at].label for at in ticks],
            "range": [-0.6, len(info.pairs) - 0.4],
            "anchor": "y2",
            "zeroline": False,
        },
        yaxis={"title": "Value", "domain": [0.42, 1], "exponentformat": "power", "nticks": 6},
        yaxis2={
            "title": "Difference",
            "domain": [0, 0.34],
            "exponentformat": "power",
            "nticks": 4,
            "zeroline": True,
            "zerolinecolor": OUTLINE,
            "tickvals": None if any(pair.difference for pair in info.pairs) else [0],
        },
    )
    return Space(360, footer=100, legend=True)


def _add_differences(figure: go.Figure, info: SideBySideInfo) -> None:
    figure.add_bar(
        y=[None if pair.difference is None else float(pair.difference) for pair in info.pairs],
        yaxis="y2",
        name="candidate − reference",
        showlegend=False,
        marker=marker(info.candidate_dtype),
        customdata=[pair.label for pair in info.pairs],
        hovertemplate="%{customdata}: %{y:+.4g}<extra>difference</extra>",
    )
    for at, pair in enumerate(info.pairs):
        if pair.difference is None:
            sides = (pair.candidate, pair.reference)
            odd = next((side for side in sides if not math.isfinite(side)), pair.candidate - pair.reference)
            figure.add_annotation(
                x=at,
                y=0,
                yref="y2",
                text=number_text(odd),
                textangle=-90,
                yanchor="bottom",
                showarrow=False,
                font={"size": 10},
            )


def _finite(value: int | float) -> float | None:
    return float(value) if math.isfinite(value) else None
