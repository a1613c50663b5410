"""The colours of signal-to-noise ratios: the same on every chart."""

from typing import Any

from precision.charts.axes import colour_axis
from precision.charts.palette import SEQUENTIAL, colour_at

_LOWEST_DB, _HIGHEST_DB = 0.0, 100.0
"""Beyond these the colour does not change."""
_TICKS = (0, 20, 40, 60, 80, 100)


def sqnr_axis() -> dict[str, Any]:
    """A plotly colour axis for decibels that are `clipped`."""
    texts = ["≤ 0 dB", *(f"{tick}" for tick in _TICKS[1:-1]), "≥ 100 dB"]
    return colour_axis(_LOWEST_DB, _HIGHEST_DB, ticks=_TICKS, texts=texts)


def clipped(sqnr_db: float) -> float:
    """The ratio, or the end of the axis that it is beyond."""
    return min(max(sqnr_db, _LOWEST_DB), _HIGHEST_DB)


def colour_of_sqnr(sqnr_db: float) -> str:
    """The colour of the axis there, as `#RRGGBB`.

    >>> colour_of_sqnr(-5.0), colour_of_sqnr(float("inf"))
    ('#666970', '#FEE838')
    """
    return colour_at((clipped(sqnr_db) - _LOWEST_DB) / (_HIGHEST_DB - _LOWEST_DB), SEQUENTIAL)
