"""The only colours of the charts.

Categorical colours are Okabe & Ito's (2008), told apart with any kind of colour vision. They fill; `OUTLINE`
draws every border and line, because it alone is visible on both the light and the dark page (at least 3:1).
A colour is never the only sign: the format's name stands beside it.
"""

from __future__ import annotations

from typing import Final

LIGHT_PAGE: Final = "#FFFFFF"
DARK_PAGE: Final = "#171614"

OUTLINE: Final = "#7C7C82"
MIXED: Final = "#BDBDC3"
"""A module that holds several formats."""
OTHER: Final = "#9C9CA3"
"""Integers, bool, complex and formats without a colour of their own."""

_PURPLE: Final = "#CC79A7"
_BLUE: Final = "#0072B2"
_GREEN: Final = "#009E73"
_RED: Final = "#D55E00"
_ORANGE: Final = "#E69F00"
_SKY: Final = "#56B4E9"
_YELLOW: Final = "#F0E442"

_OF_FORMAT: Final = {
    "float64": (_PURPLE, ""),
    "float32": (_BLUE, ""),
    "tf32": (_BLUE, "/"),
    "bfloat16": (_GREEN, ""),
    "float16": (_RED, ""),
    "float8_e4m3fn": (_ORANGE, ""),
    "float8_e4m3fnuz": (_ORANGE, "/"),
    "mxfp8_e4m3": (_ORANGE, "x"),
    "float8_e5m2": (_SKY, ""),
    "float8_e5m2fnuz": (_SKY, "/"),
    "mxfp8_e5m2": (_SKY, "x"),
    "float6_e3m2fn": (_YELLOW, ""),
    "mxfp6_e3m2": (_YELLOW, "x"),
    "float6_e2m3fn": (_YELLOW, "/"),
    "mxfp6_e2m3": (_YELLOW, "+"),
    "float4_e2m1fn": (_PURPLE, "/"),
    "mxfp4_e2m1": (_PURPLE, "x"),
    "nvfp4": (_PURPLE, "+"),
    "int8": (_GREEN, "/"),
    "int8_per_channel": (_GREEN, "x"),
    "int4": (_RED, "/"),
    "int4_per_channel": (_RED, "x"),
}
"""Colour and hatching (plotly's name) of each; kin share the colour, a hatching tells them apart: "x" has scales."""

_OF_FIT: Final = {
    "fits": _GREEN,
    "needs scaling": _SKY,
    "too coarse": _PURPLE,
    "subnormals lose precision": _YELLOW,
    "underflows": _ORANGE,
    "overflows": _RED,
}

SEQUENTIAL: Final = ("#666970", "#948E77", "#C8B866", "#FEE838")
"""The upper part of cividis, for counts from 1 up."""
GROUND: Final = "#00224E"
"""Cividis' dark end, under counts of zero: a panel of its own, which reads the same on both pages."""
ON_GROUND: Final = "#FFFFFF"

_PATTERNS: Final = (("bool", "x"), ("complex", "."), ("int", "/"), ("uint", "\\"), ("float", "|"), ("e", "+"))
_DARK_TEXT: Final = "#101114"
_LIGHT_TEXT: Final = "#FFFFFF"


def colour_of(dtype: str) -> str:
    """The colour of a number format, by torch's name for it; `OTHER` where it has none of its own."""
    return _OF_FORMAT.get(dtype, (OTHER, ""))[0]


def colour_of_fit(verdict: str) -> str:
    """The colour of a verdict of `precision.findings.fit.fitness`; `MIXED` where there is nothing to judge."""
    return _OF_FIT.get(verdict, MIXED)


def pattern_of(dtype: str) -> str:
    """A hatching (plotly's name) that tells apart the dtypes that share a colour; empty for the plain ones."""
    if dtype in _OF_FORMAT:
        return _OF_FORMAT[dtype][1]
    return next((pattern for start, pattern in _PATTERNS if dtype.startswith(start)), "-")


def text_on(colour: str) -> str:
    """Black or white, whichever reads better on `colour` (`#RRGGBB`)."""
    return max((_DARK_TEXT, _LIGHT_TEXT), key=lambda text: contrast(text, colour))


def between(first: str, second: str, share: float) -> str:
    """The colour that lies `share` of the way from one `#RRGGBB` colour to another.

    >>> between("#000000", "#FF8000", 0.5)
    '#804000'
    """
    channels = (
        round(int(first[at : at + 2], 16) * (1 - share) + int(second[at : at + 2], 16) * share) for at in (1, 3, 5)
    )
    return "#" + "".join(f"{channel:02X}" for channel in channels)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two `#RRGGBB` colours, 1 to 21.

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio" and "relative luminance".
    """
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
