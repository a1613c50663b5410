"""How many bits of each format are sign, exponent and mantissa."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of
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


@dataclass(frozen=True)
class FormatBitsInfo(Info):
    """The numbers drawn are those of the formats."""

    formats: Sequence[NumericFormat]


def plot_format_bits(formats: Sequence[NumericFormat]) -> go.Figure:
    """The widths of the three fields of each format, in their order in memory; the first format is on top."""
    title = "Exponent bits buy range, mantissa bits buy precision"
    return figure_of(_KIND, FormatBitsInfo(formats, title=title), _draw)


def _draw(figure: go.Figure, info: FormatBitsInfo) -> Space:
    widest = max(fmt.bits for fmt in info.formats)
    fields = {
        "sign": [1 for _ in info.formats],
        "exponent": [fmt.exponent_bits for fmt in info.formats],
        "mantissa": [fmt.mantissa_bits for fmt in info.formats],
    }
    for field, widths in fields.items():
        colour = FIELD_COLOURS[field]
        figure.add_bar(
            name=field,
            orientation="h",
            y=[for_plotly(fmt.name) for fmt in info.formats],
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
        xaxis={"title": "Bits", "range": [0, widest], "nticks": 8},
        yaxis={"autorange": "reversed", "tickfont": {"size": 11}},
    )
    return Space(_ROW_PX * len(info.formats) + 20, footer=90, legend=True)
