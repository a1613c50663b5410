"""The only colours of the charts.

Categorical colours are Okabe & Ito's (2008), which people with any kind of colour vision can distinguish. They are for
areas; `OUTLINE` is for borders and lines: only it is visible on both the light and the dark page (at least 3:1).
A colour is never the only sign: the format's name stands beside it.
"""

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from precision.formats import ALL_FORMATS, AnyFormat, Look
from precision.formats.look import Colour, Hatching

OUTLINE: Final = "#7C7C82"
MIXED: Final = "#BDBDC3"
"""A module that holds several formats."""
OTHER: Final = "#9C9CA3"
"""Integers, bool, complex and formats without a colour of their own."""

_SHADES: Final[Mapping[Colour, str]] = {
    "purple": "#CC79A7",
    "blue": "#0072B2",
    "green": "#009E73",
    "red": "#D55E00",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
}


def looks_of(formats: Sequence[AnyFormat]) -> dict[str, Look]:
    """The look of each format, by name: that of its row, or else the first hatched one that no other format has."""
    looks = {fmt.name: fmt.look for fmt in formats if fmt.look is not None}
    hatched = (Look(colour, hatching) for hatching in get_args(Hatching)[1:] for colour in _SHADES)
    free = (look for look in hatched if look not in looks.values())
    return looks | {fmt.name: next(free) for fmt in formats if fmt.look is None}


_OF_FORMAT: Final = looks_of(ALL_FORMATS)

_OF_FIT: Final = {
    "fits": _SHADES["green"],
    "needs scaling": _SHADES["sky"],
    "too coarse": _SHADES["purple"],
    "subnormals lose precision": _SHADES["yellow"],
    "underflows": _SHADES["orange"],
    "overflows": _SHADES["red"],
}

SEQUENTIAL: Final = ("#666970", "#948E77", "#C8B866", "#FEE838")
"""The upper part of cividis, for counts from 1 up."""
WORST: Final = "#A63603"
"""Of what is worst in a table; what is harmless recedes into the page, light or dark, as it is nearly transparent."""
GROUND: Final = "#00224E"
"""Cividis' dark end, for counts of zero: a panel that looks the same on both pages."""
ON_GROUND: Final = "#FFFFFF"

_PATTERNS: Final = (("bool", "x"), ("complex", "."), ("int", "/"), ("uint", "\\"), ("float", "|"), ("e", "+"))
_TRANSLUCENT: Final = 0.55
_PAGE_SHOWS: Final = 0.7
"""Up to this opacity, letters in the page theme's colour can be read, on the light and on the dark page."""
_DARK_TEXT: Final = "#101114"
_LIGHT_TEXT: Final = "#FFFFFF"


def colour_of(dtype: str) -> str:
    """The colour of a number format, by torch's name for it; `OTHER` if it has no colour."""
    return _SHADES[_OF_FORMAT[dtype].colour] if dtype in _OF_FORMAT else OTHER


def translucent(colour: str, opacity: float = _TRANSLUCENT) -> str:
    """A colour (`#RRGGBB`) through which another one shows."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def letters_on(colour: str, opacity: float) -> str | None:
    """The colour of letters on a translucent `colour`, on either page; None: that of the page's theme."""
    return text_on(colour) if opacity > _PAGE_SHOWS else None


def colour_of_fit(verdict: str) -> str:
    """The colour of a verdict of `precision.findings.fit.fitness`; `MIXED` where there is nothing to judge."""
    return _OF_FIT.get(verdict, MIXED)


def pattern_of(dtype: str) -> str:
    """A hatching (plotly's name), different for dtypes that share a colour; empty for the plain ones."""
    if dtype in _OF_FORMAT:
        return _OF_FORMAT[dtype].hatching
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


def colour_at(share: float, scale: Sequence[str]) -> str:
    """The colour that lies `share` of the way, from 0 to 1, along a scale of `#RRGGBB` colours.

    >>> colour_at(0.75, ("#000000", "#FF8000", "#FF8000"))
    '#FF8000'
    """
    place = share * (len(scale) - 1)
    first = min(int(place), len(scale) - 2)
    return between(scale[first], scale[first + 1], place - first)


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
