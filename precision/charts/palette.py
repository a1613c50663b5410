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

_OF_FORMAT: Final = {
    "float64": "#CC79A7",
    "float32": "#0072B2",
    "bfloat16": "#009E73",
    "float16": "#D55E00",
    "float8_e4m3fn": "#E69F00",
    "float8_e5m2": "#56B4E9",
}

SEQUENTIAL: Final = ("#666970", "#948E77", "#C8B866", "#FEE838")
"""The upper part of cividis, for counts from 1 up."""
GROUND: Final = "#00224E"
"""Cividis' dark end, under counts of zero: a panel of its own, which reads the same on both pages."""
ON_GROUND: Final = "#FFFFFF"

_PATTERNS: Final = (("bool", "x"), ("complex", "."), ("int", "/"), ("uint", "\\"), ("float", "|"))
_DARK_TEXT: Final = "#101114"
_LIGHT_TEXT: Final = "#FFFFFF"


def colour_of(dtype: str) -> str:
    """The colour of a number format, by torch's name for it; `OTHER` where it has none of its own."""
    return _OF_FORMAT.get(dtype, OTHER)


def pattern_of(dtype: str) -> str:
    """A hatching (plotly's name) that tells apart the dtypes that share `OTHER`; empty for formats with a colour."""
    if dtype in _OF_FORMAT:
        return ""
    return next((pattern for start, pattern in _PATTERNS if dtype.startswith(start)), "-")


def text_on(colour: str) -> str:
    """Black or white, whichever reads better on `colour` (`#RRGGBB`)."""
    return max((_DARK_TEXT, _LIGHT_TEXT), key=lambda text: contrast(text, colour))


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
