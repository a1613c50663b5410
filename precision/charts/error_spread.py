"""How errors spread along one axis, in one format or several: what their histogram and their curve have in common."""

from itertools import accumulate
from typing import Any, Literal, NamedTuple

from precision.charts.palette import OUTLINE, colour_of, translucent
from precision.results import ErrorMetrics, Histogram, OutputComparison
from precision.text.names import escape_plotly, plain
from precision.text.units import count_text, fine_share_text, number_text, ratio_text, share_text

HistogramKind = Literal["signed", "absolute", "ulp"]
InFormat = tuple[OutputComparison, str]
"""An output, and the name of what its candidate is in; the name of a format gives the colour."""

_DASHES = ("solid", "dash", "longdash", "dashdot")
_SPOKEN_SHARES = (0.1, 0.01, 0.001)
_ABOUT_THE_SAME = 1.05
"""Up to this ratio of their mean errors, no format is said to have the smaller ones."""


class Spread(NamedTuple):
    """The errors of one output between ascending edges, or those of only rounding it."""

    name: str
    is_floor: bool
    """Whether it is of rounding alone."""
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    zeros: int
    below: int
    """Smaller than the first edge, and not zero."""
    largest: float | None

    @property
    def elements(self) -> int:
        """All that were counted."""
        return self.zeros + self.below + sum(self.counts)

    @property
    def beyond(self) -> tuple[float, ...]:
        """For each edge, the share of all elements with an error of at least as much; 0 for the last."""
        counts = [*accumulate(reversed(self.counts), initial=0)] if self.edges else []
        return tuple(count / self.elements for count in reversed(counts))

    def reached_by(self, share: float) -> tuple[float, float] | None:
        """The first edge that at most this share of the elements reach, and their share; None where none do."""
        return next((each for each in zip(self.edges, self.beyond, strict=True) if 0 < each[1] <= share), None)


def spreads_of(errors: tuple[InFormat, ...], kind: HistogramKind) -> tuple[Spread, ...]:
    """Of each output that has errors to count; and last, for absolute errors, of only rounding the first output.

    Rounding is left out where the first output has no error, or where another number of elements can be counted.
    """
    spreads = []
    for output, name in errors:
        if histogram := _histogram(output, kind):
            spreads.append(_spread(plain(name), histogram, output.metrics))
    first, name = errors[0]
    floor, counted = floor_of(first), first.rounding_floor_absolute
    if spreads and kind == "absolute" and floor and counted and first.metrics.max_abs_error:
        floor_name = f"rounding alone, {plain(name)}" if len(errors) > 1 else "rounding alone"
        spreads.append(_spread(floor_name, counted, floor, is_floor=True))
    return tuple(spreads)


def _histogram(output: OutputComparison, kind: HistogramKind) -> Histogram | None:
    """None where nothing could be counted."""
    histogram: Histogram | None = getattr(output.distributions, kind, None)
    if histogram is None or not (sum(histogram.counts) or histogram.zeros):
        return None
    if kind == "signed" and output.metrics.max_abs_error == 0:
        return Histogram(edges=(), counts=(), zeros=sum(histogram.counts))
    return histogram


def floor_of(output: OutputComparison) -> ErrorMetrics | None:
    """The errors of only rounding an output, where they are of the same elements."""
    floor = output.rounding_floor
    return floor if floor and floor.finite_pairs == output.metrics.finite_pairs else None


def _spread(name: str, histogram: Histogram, metrics: ErrorMetrics, *, is_floor: bool = False) -> Spread:
    edges, counts, zeros, below = histogram.edges, histogram.counts, histogram.zeros, histogram.below
    return Spread(name, is_floor, edges, counts, zeros, below, metrics.max_abs_error)


def ends_of(spreads: tuple[Spread, ...]) -> tuple[float, float] | None:
    """Where an axis for all spreads begins and ends; None where they have nothing but zeros."""
    edges = [edge for spread in spreads for edge in spread.edges]
    return (min(edges), max(edges)) if edges else None


def look_of(spreads: tuple[Spread, ...], at: int) -> dict[str, Any]:
    """The line and the filling of a plotly scatter of one of the spreads, and its name in the legend.

    Formats are told apart by the dashes of their outlines too; rounding alone is an outline.
    """
    spread = spreads[at]
    outline: dict[str, Any] = {"mode": "lines", "name": escape_plotly(spread.name)}
    if spread.is_floor:
        return {**outline, "line": {"color": OUTLINE, "width": 2, "dash": "dot"}}
    colour, alone = colour_of(spread.name), sum(not each.is_floor for each in spreads) == 1
    return {
        **outline,
        "line": {"color": OUTLINE, "width": 1 if alone else 1.5, "dash": _DASHES[at % len(_DASHES)]},
        "fill": "tozeroy",
        "fillcolor": colour if alone else translucent(colour),
    }


def named(spreads: tuple[Spread, ...], at: int) -> str:
    """The name of one of the spreads with a colon, as markup; empty where there is no other."""
    return f"{escape_plotly(spreads[at].name)}: " if len(spreads) > 1 else ""


def spoken(spreads: tuple[Spread, ...]) -> str:
    """For those who cannot hover: which errors few elements reach."""
    sentences = []
    for spread in spreads:
        found = dict.fromkeys(filter(None, map(spread.reached_by, _SPOKEN_SHARES)))
        of = f" of {spread.name}" if len(spreads) > 1 else ""
        parts = [f"{number_text(edge)} or more in {fine_share_text(share)} of the elements" for edge, share in found]
        if parts:
            sentences.append(f"Errors{of}: {', '.join(parts)}.")
    return " ".join(sentences)


def detail_of(errors: tuple[InFormat, ...], kind: HistogramKind) -> str:
    """What was counted, what is not on the axis, and how one format's largest error compares with that of rounding."""
    if len(errors) > 1:
        return ". ".join(f"{plain(name)}: {'; '.join(_counted(output, kind))}" for output, name in errors)
    ((output, _),) = errors
    largest, floor = output.metrics.max_abs_error, floor_of(output)
    parts = _counted(output, kind)
    if largest and floor and floor.max_abs_error:
        ratio = number_text(largest / floor.max_abs_error)
        times = "equal to" if largest == floor.max_abs_error else f"{ratio} ×"
        parts.append(f"largest error {times} the largest from rounding alone")
    return "; ".join(parts)


def _counted(output: OutputComparison, kind: HistogramKind) -> list[str]:
    histogram, metrics = _histogram(output, kind), output.metrics
    parts = [left_out(metrics)]
    if histogram and histogram.zeros:
        parts.append(f"{share_text(histogram.zeros / metrics.finite_pairs)} are exact")
    if histogram and histogram.below:
        share = fine_share_text(histogram.below / metrics.finite_pairs)
        parts.append(f"{share} are below {number_text(histogram.edges[0])}")
    return parts


def no_errors_because(output: OutputComparison) -> str:
    """Why an output has no distribution of errors."""
    if output.metrics.elements == 0:
        return "The output has no elements."
    if output.metrics.finite_pairs == 0:
        return "No element is finite in both the reference and the candidate."
    return f"The output is {plain(output.reference_dtype)}: its elements are equal or not, with no error in between."


def left_out(metrics: ErrorMetrics) -> str:
    """How many elements were counted, and how many were left out because a side is infinite or NaN."""
    missing = metrics.elements - metrics.finite_pairs
    counted = count_text(metrics.finite_pairs, "element")
    return f"{counted}; {missing:,} more left out: infinite or NaN" if missing else counted


def all_exact(metrics: ErrorMetrics) -> str:
    """The title of an output without any error."""
    return f"Exact: all {metrics.finite_pairs:,} errors are zero"


def compared(errors: tuple[InFormat, ...]) -> str:
    """In which format the errors are larger on average, and by how much; empty where there are not two to compare.

    Means leave out NaN and infinities, so a format that differs in these is named instead.
    """
    output, name = max(errors, key=lambda each: each[0].metrics.nonfinite_differ)
    if len(errors) > 1 and (broken := output.metrics.nonfinite_differ):
        of_all = f"{broken:,} of {count_text(output.metrics.elements, 'element')}"
        return f"{of_all} in {plain(name)} cannot be compared: infinite or NaN"
    means = sorted(
        (output.metrics.mean_abs_error, plain(name))
        for output, name in errors
        if output.metrics.mean_abs_error is not None
    )
    if len(means) < 2:
        return ""
    (small, best), (large, worst) = means[0], means[-1]
    if large <= _ABOUT_THE_SAME * small:
        return f"On average, errors in {worst} are about as large as in {best}"
    if not small:
        return f"{best} is exact, {worst} is off by {number_text(large)} on average"
    return f"On average, errors in {worst} are {ratio_text(large / small, 2)} × those in {best}"
