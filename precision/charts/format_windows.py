"""Range against precision: where on the number line each format has values, and how close they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.axes import log_axis
from precision.charts.frame import Info, Space, figure_of
from precision.charts.palette import colour_of
from precision.formats import NumericFormat
from precision.text.names import for_plotly
from precision.text.units import number_text

_KIND = "Lines of the largest relative rounding error against the magnitude, by format"
_DASHES = ("solid", "dash", "dot", "dashdot")


class FormatWindow(NamedTuple):
    """One line: from the smallest subnormal over the smallest normal to the largest value."""

    format: str
    magnitudes: tuple[float, float, float]
    relative_errors: tuple[float, float, float]
    """At most, of rounding a value of that magnitude: half a step over the lower end of its binade."""


@dataclass(frozen=True)
class FormatWindowsInfo(Info):
    """The numbers drawn."""

    windows: tuple[FormatWindow, ...]
    chosen: str


def plot_format_windows(formats: Sequence[NumericFormat], *, chosen: str) -> go.Figure:
    """One line a format: flat where it is normal, rising towards zero where it is subnormal, ending at its maximum.

    The title is about the format named `chosen`, whose line is thick.
    """
    return figure_of(_KIND, _format_windows_info(formats, chosen), _draw)


def _format_windows_info(formats: Sequence[NumericFormat], chosen: str) -> FormatWindowsInfo:
    windows = tuple(map(_window, formats))
    about = next((window for window in windows if window.format == chosen), None)
    if not windows:
        return FormatWindowsInfo((), chosen, title="No format chosen", empty="Choose a format without scales.")
    title = "Range and precision of number formats"
    if about is not None:
        _, normal, largest = map(number_text, about.magnitudes)
        error = number_text(about.relative_errors[-1])
        title = f"{chosen} rounds by at most {error} of the value, from {normal} to {largest}"
    return FormatWindowsInfo(windows, chosen, title=title, detail="rising line: subnormal values, which lose precision")


def _window(fmt: NumericFormat) -> FormatWindow:
    half_step = fmt.epsilon / 2
    return FormatWindow(
        format=fmt.name,
        magnitudes=(fmt.smallest_subnormal, fmt.smallest_normal, fmt.max),
        relative_errors=(0.5, half_step, half_step),
    )


def _draw(figure: go.Figure, info: FormatWindowsInfo) -> Space:
    seen: dict[str, int] = {}
    for window in info.windows:
        colour = colour_of(window.format)
        dash = _DASHES[seen.get(colour, 0) % len(_DASHES)]
        seen[colour] = seen.get(colour, 0) + 1
        figure.add_scatter(
            x=window.magnitudes,
            y=window.relative_errors,
            mode="lines+markers",
            name=for_plotly(window.format),
            line={"color": colour, "dash": dash, "width": 5 if window.format == info.chosen else 2},
            marker={"symbol": ["circle-open", "circle", "square"], "size": 8},
            customdata=[
                (place, number_text(at))
                for place, at in zip(
                    ("smallest subnormal", "smallest normal", "largest"), window.magnitudes, strict=True
                )
            ],
            hovertemplate="%{customdata[0]} %{customdata[1]}<extra>" + for_plotly(window.format) + "</extra>",
        )
    low = min(window.magnitudes[0] for window in info.windows)
    high = max(window.magnitudes[2] for window in info.windows)
    least = min(window.relative_errors[-1] for window in info.windows)
    room = 0.0 if low < 1e-300 else 0.02 * math.log10(high / low)
    figure.update_layout(
        xaxis={**log_axis(low, high, margin_decades=room), "title": "Magnitude of the value"},
        yaxis={**log_axis(least, 0.5, margin_decades=0.2), "title": "Largest relative rounding error"},
    )
    return Space(footer=150, legend=True)
