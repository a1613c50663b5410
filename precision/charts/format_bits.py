"""How many bits of each format are sign, exponent and mantissa."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import plotly.graph_objects as go

from precision.charts.frame import empty_figure, frame
from precision.charts.palette import OUTLINE, colour_of, text_on
from precision.formats import NumericFormat
from precision.text.names import for_plotly
from precision.text.units import count_text

_KIND = "Stacked bars of the widths of sign, exponent and mantissa by format"
_ROW_PX = 26
_LABELLED_SHARE = 0.045
"""Segments narrower than this share of the widest bar have no number: there is no room."""
FIELD_COLOURS: Final = {
    "sign": colour_of("float16"),
    "exponent": colour_of("float8_e5m2"),
    "mantissa": colour_of("float8_e4m3fn"),
}
"""Colours of the palette; here they stand for fields, whose names are in the legend."""
_PATTERNS: Final = {"sign": "x", "exponent": "", "mantissa": "/"}


class FormatBits(NamedTuple):
    """One bar."""

    format: str
    sign: int
    exponent: int
    mantissa: int


class FormatBitsInfo(NamedTuple):
    """The numbers drawn. `empty` says why there are none."""

    bars: tuple[FormatBits, ...]
    title: str
    empty: str | None = None


def plot_format_bits(formats: Sequence[NumericFormat]) -> go.Figure:
    """The widths of the three fields of each format, in their order in memory; the first format is on top."""
    return _format_bits_figure(_format_bits_info(formats))


def _format_bits_info(formats: Sequence[NumericFormat]) -> FormatBitsInfo:
    if not formats:
        return FormatBitsInfo((), "No bits to draw", "There is no format to show.")
    bars = tuple(FormatBits(fmt.name, 1, fmt.exponent_bits, fmt.mantissa_bits) for fmt in formats)
    return FormatBitsInfo(bars, "Exponent bits buy range, mantissa bits buy precision", None)


def _format_bits_figure(info: FormatBitsInfo) -> go.Figure:
    if info.empty:
        return empty_figure(kind=_KIND, title=info.title, reason=info.empty)
    widest = max(bar.sign + bar.exponent + bar.mantissa for bar in info.bars)
    figure = go.Figure()
    for field, colour in FIELD_COLOURS.items():
        widths = [getattr(bar, field) for bar in info.bars]
        figure.add_bar(
            name=field,
            orientation="h",
            y=[for_plotly(bar.format) for bar in info.bars],
            x=widths,
            text=[f"{width}" if width > _LABELLED_SHARE * widest else "" for width in widths],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": text_on(colour), "size": 12},
            marker={
                "color": colour,
                "line": {"color": OUTLINE, "width": 1},
                "pattern": {
                    "shape": _PATTERNS[field],
                    "bgcolor": colour,
                    "fgcolor": OUTLINE,
                    "size": 6,
                    "solidity": 0.12,
                },
            },
            customdata=[count_text(width, "bit") for width in widths],
            hovertemplate="%{y}: %{customdata} of " + field + "<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        showlegend=True,
        xaxis={"title": "Bits", "range": [0, widest], "nticks": 8},
        yaxis={"autorange": "reversed", "tickfont": {"size": 11}},
    )
    return frame(figure, kind=_KIND, title=info.title, plot_height=_ROW_PX * len(info.bars) + 20, footer=90)
