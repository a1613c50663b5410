"""Axes whose ticks are few and round, and written in full, however narrow or wide the range."""

import math
from collections.abc import Sequence
from typing import Any, Final

from precision.charts.palette import SEQUENTIAL
from precision.text.units import seconds_text

MAX_TICKS: Final = 7
_ABOVE_DB = 12.0
"""How far above the others exact outputs are drawn."""
_NARROW_DECADES: Final = 0.75
"""Below this, a range holds at most one or two of 1, 2, 5 × 10^n, and gets evenly spaced ticks."""
_LEAST_DECADES: Final = 0.3
_BINARY_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def log_axis(low: float, high: float, *, base: int = 10, margin_decades: float = 0.0) -> dict[str, Any]:
    """A plotly axis from `low` to `high`, both positive and finite; a range of no width gets some.

    Args:
        low: smallest value drawn.
        high: largest value drawn.
        base: 10, or 2 for ticks at powers of two.
        margin_decades: free space at both ends.
    """
    if high <= low:
        margin_decades = max(margin_decades, _LEAST_DECADES)
    # In decades, because a margin around the smallest or largest float would not be a float.
    first, last = math.log10(low) - margin_decades, math.log10(high) + margin_decades
    ticks = _powers_of_two(first, last) if base == 2 else _round_numbers(first, last)
    as_powers = not all(1e-2 <= tick < 1e4 for tick in ticks)
    return {
        "type": "log",
        "range": [first, last],
        "tickvals": ticks,
        "ticktext": [_tick_text(tick, base, as_powers=as_powers) for tick in ticks],
    }


def _round_numbers(first: float, last: float) -> list[float]:
    decades = last - first
    if decades < _NARROW_DECADES and first > -300 and last < 300:
        return evenly_spaced(10**first, 10**last)
    mantissas = (1, 2, 5) if decades < 2 else (1, 3) if decades < 3 else (1,)
    step = max(1, math.ceil(decades / MAX_TICKS))
    powers = [power for power in range(math.floor(first), math.ceil(last) + 1) if power % step == 0]
    ticks = [float(f"{mantissa}e{power}") for power in powers for mantissa in mantissas]
    # Where the tick is, not where it should be: the smallest floats are far apart.
    return [tick for tick in ticks if 0 < tick < math.inf and first <= math.log10(tick) <= last]


def evenly_spaced(low: float, high: float) -> list[float]:
    """Some 3 to 5 multiples of 1, 2 or 5 × 10^n from `low` to `high`."""
    rough = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * size for size in (1, 2, 5, 10) if unit * size >= rough)
    start = math.ceil(low / step)
    return [n * step for n in range(start, start + MAX_TICKS) if n * step <= high]


def bytes_axis(largest: int) -> dict[str, Any]:
    """A plotly axis from 0 to a little more than `largest` bytes, ticks at round numbers of a binary unit."""
    unit = 1024 ** min(int(math.log2(max(largest, 1))) // 10, len(_BINARY_UNITS) - 1)
    ticks = evenly_spaced(0, max(largest, 1) / unit)
    name = _BINARY_UNITS[round(math.log(unit, 1024))]
    return {
        "range": [0, 1.05 * max(largest, 1)],
        "tickvals": [tick * unit for tick in ticks],
        "ticktext": [f"{tick:g} {name}" for tick in ticks],
    }


def cost_axis(costs: Sequence[float], *, of_bytes: bool) -> dict[str, Any]:
    """A plotly axis that holds all `costs`: from 0 for bytes, logarithmic for seconds."""
    if of_bytes:
        return {**bytes_axis(int(max(costs))), "title": "Stored bytes"}
    axis = log_axis(min(costs), max(costs), margin_decades=0.15)
    return {**axis, "ticktext": [seconds_text(tick) for tick in axis["tickvals"]]}


def heights_of(decibels: Sequence[float]) -> tuple[float, dict[str, Any]]:
    """Where infinite decibels are drawn, above all others; and a plotly axis that holds all."""
    finite = [each for each in decibels if math.isfinite(each)]
    top = max(finite, default=0.0) + _ABOVE_DB
    return top, {"title": "SQNR (dB)", "range": [min([*finite, 0.0]) - 6, top + 6]}


def rows_axis(names: Sequence[str], *, letters: int | None = None) -> dict[str, Any]:
    """A plotly axis with a row for each name, the first on top; names are markup, and `letters` is their size."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "tickfont": {"size": letters},
        "range": [len(names) - 0.5, -0.5],
        "zeroline": False,
    }


def colour_axis(
    low: float,
    high: float,
    *,
    title: str,
    ticks: Sequence[float],
    texts: Sequence[str],
    scale: Sequence[Sequence[object]] = (),
) -> dict[str, Any]:
    """A plotly colour axis from `low`, the darkest colour of the sequential palette, to `high`, the lightest.

    Another `scale` is one of plotly's. The bar lies along the bottom of the figure, has a title with the unit, and
    names the values `ticks` by `texts`.
    """
    return {
        "cmin": low,
        "cmax": high,
        "colorscale": scale or [[at / (len(SEQUENTIAL) - 1), colour] for at, colour in enumerate(SEQUENTIAL)],
        "colorbar": {
            "title": {"text": title, "font": {"size": 12}},
            "orientation": "h",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "len": 1,
            "thickness": 10,
            "outlinewidth": 0,
            "tickvals": list(ticks),
            "ticktext": list(texts),
        },
    }


def power_text(base: int, exponent: int) -> str:
    """A power as plotly writes it.

    >>> power_text(2, -24)
    '2<sup>−24</sup>'
    """
    return f"{base}<sup>{'−' if exponent < 0 else ''}{abs(exponent)}</sup>"


def _powers_of_two(first: float, last: float) -> list[float]:
    octave = math.log10(2)
    powers = range(math.ceil(first / octave), math.floor(last / octave) + 1)
    step = max(1, math.ceil(len(powers) / MAX_TICKS))
    drawable = [power for power in powers if power % step == 0 and -1074 <= power < 1024]
    return [math.ldexp(1.0, power) for power in drawable] or _round_numbers(first, last)


def _tick_text(value: float, base: int, *, as_powers: bool) -> str:
    mantissa, exponent = math.frexp(value)
    if base == 2 and mantissa == 0.5 and not 0 < exponent <= 10:
        return power_text(2, exponent - 1)
    if not as_powers or 1 <= value < (1e4 if base == 2 else 100):
        return f"{value:.4g}"
    digits, power = f"{value:.3e}".split("e")
    shown = f"{float(digits):g}"
    return f"{'' if shown == '1' else shown + '·'}{power_text(10, int(power))}"
