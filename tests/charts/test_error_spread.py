"""Histogram, curve and small picture of the errors, against numpy on the errors themselves."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from precision.charts.error_ecdf import _ecdf_info, plot_error_ecdf
from precision.charts.error_histogram import _histogram_info, plot_error_histogram
from precision.charts.error_spread import HistogramKind
from precision.charts.frame import alt_text
from precision.charts.histogram_svg import histogram_svg
from precision.results import OutputComparison
from precision.text.units import fine_share_text, number_text, share_text
from tests.charts.odd_results import OUTPUTS, output

KINDS: tuple[HistogramKind, ...] = ("signed", "absolute", "ulp")
COUNTED = [name for name, each in OUTPUTS.items() if each.distributions and name != "huge counts"]
Errors = npt.NDArray[np.float64]


def heavy(n: int = 6000, *, scale: float = 1e-4, seed: int = 1) -> Errors:
    """Errors with a heavy tail on both sides of zero, a twentieth of them exactly zero."""
    random = np.random.default_rng(seed)
    errors = scale * random.standard_cauchy(n)
    errors[: n // 20] = 0
    return random.permutation(errors)


def having(errors: Errors) -> OutputComparison:
    """An output with these errors; its reference is zero, so that none is rounded away."""
    return output([0.0] * errors.size, errors.tolist())


def rounded(n: int = 3000) -> tuple[OutputComparison, Errors, Errors]:
    """An output with its errors, and those that only rounding it to float16 has."""
    random = np.random.default_rng(3)
    reference, errors = random.normal(size=n), 1e-2 * random.normal(size=n)
    found = output(reference.tolist(), errors.tolist())
    return found, (reference + errors) - reference, reference.astype(np.float16).astype(np.float64) - reference


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("kind", KINDS)
def test_no_element_is_lost(name: str, kind: HistogramKind) -> None:
    spreads = _histogram_info((OUTPUTS[name], "float16"), kind=kind).spreads
    assert [spread.elements for spread in spreads] == [OUTPUTS[name].metrics.finite_pairs] * len(spreads)


def test_shares_add_up_to_one() -> None:
    errors = heavy()
    info = _histogram_info((having(errors), "float16"), kind="absolute")
    spread = info.spreads[0]
    assert info.apart["0"][0] == np.mean(errors == 0)
    assert info.apart["below"][0] == np.mean((errors != 0) & (np.abs(errors) < spread.edges[0])) > 0
    bars = sum(spread.counts) / errors.size
    assert bars + info.apart["0"][0] + info.apart["below"][0] == pytest.approx(1, abs=1e-12)
    assert list(info.heights[0]) == np.histogram(np.abs(errors), bins=np.array(spread.edges))[0].tolist()


def test_both_pictures_have_the_axis_from_the_thousandth_quantile_to_the_maximum() -> None:
    errors = heavy()
    drawn = having(errors)
    magnitudes = np.sort(np.abs(errors[errors != 0]))
    histogram, curve = _histogram_info((drawn, "float16"), kind="absolute"), _ecdf_info((drawn, "float16"))
    assert histogram.ends == curve.ends
    low, high = curve.ends
    lowest, width = magnitudes[magnitudes.size // 1000], 2**0.25
    assert low <= lowest < low * width
    assert high / width < magnitudes[-1] < high
    ranges = [plot.layout.xaxis.range for plot in (plot_error_histogram(drawn, "float16"), plot_error_ecdf(drawn, "x"))]
    assert ranges[0] == ranges[1] == pytest.approx((np.log10(low), np.log10(high)))


def test_the_curve_is_the_share_of_smaller_errors() -> None:
    errors = heavy()
    curve = _ecdf_info((having(errors), "float16")).curves[0]
    for value, share in list(zip(curve.values, curve.shares, strict=True))[:-2]:
        assert share == pytest.approx(np.mean(np.abs(errors) < value), abs=1e-12)
    assert (curve.values[-2], curve.shares[-2:]) == (np.abs(errors).max(), (1, 1))
    assert list(curve.values) == sorted(curve.values)


def test_hovering_tells_the_share_of_larger_errors() -> None:
    errors = heavy()
    drawn, magnitudes = having(errors), np.abs(errors)
    edges = _ecdf_info((drawn, "float16")).spreads[0].edges
    larger = [fine_share_text(float(np.mean(magnitudes >= edge))) for edge in edges]
    counts = np.histogram(magnitudes, bins=np.array(edges))[0]
    curve = texts_of(plot_error_ecdf(drawn, "float16"))[0]
    assert [text.split(" of the elements")[0] for text in curve[: len(edges) - 1]] == larger[:-1]
    assert all(number_text(edge) in text for text, edge in zip(curve, edges[:-1], strict=False))
    assert number_text(magnitudes.max()) in curve[-1]
    bars = next(texts for texts in texts_of(plot_error_histogram(drawn, "float16")) if len(texts) == counts.size)
    for text, count, (low, high), share in zip(bars, counts, pairwise(edges), larger[1:], strict=True):
        said, of_all = text.split(",<br>")
        assert re.findall(r"[^ ]+", said.replace(",", ""))[0] == str(count)
        assert said.endswith(f"from {number_text(low)} to {number_text(high)}")
        assert of_all.startswith(f"{share} of all")


def texts_of(figure: Any) -> list[list[str]]:
    """What hovering says, trace by trace."""
    return [list(trace.customdata) for trace in figure.data if trace.customdata is not None]


def test_those_who_cannot_hover_are_told_of_few_thresholds() -> None:
    errors = heavy()
    for figure in (plot_error_ecdf(having(errors), "float16"), plot_error_histogram(having(errors), "float16")):
        said = re.findall(r"([0-9.e-]+) or more in ([0-9.]+ %) of the elements", alt_text(figure))
        assert len(said) >= 3
        for threshold, share in said:
            exact = float(np.mean(np.abs(errors) >= float(threshold) * 0.9999))  # it is written with four digits
            assert float(share.split()[0]) / 100 == pytest.approx(exact, rel=0.02)


def test_titles_are_true_of_the_errors() -> None:
    errors = heavy()
    drawn = having(errors)
    half, largest = (number_text(float(found)) for found in (np.median(np.abs(errors)), np.abs(errors).max()))
    histogram = _histogram_info((drawn, "float16"), kind="absolute")
    assert histogram.title == f"Half of the errors are at most {half}, the largest is {largest}"
    curve = _ecdf_info((drawn, "float16"))
    edge = next(edge for edge in curve.spreads[0].edges if np.mean(np.abs(errors) >= edge) <= 0.01)
    share = share_text(float(np.mean(np.abs(errors) >= edge)))
    assert curve.title == f"{share} of the errors are {number_text(edge)} or more, the largest is {largest}"
    mostly_exact = np.where(np.arange(100) < 60, 0.0, 1e-3)
    title = _histogram_info((having(mostly_exact), "float16"), kind="absolute").title
    assert title == "60.0 % of the elements are exact, the largest error is 0.001"


def test_rounding_alone_is_drawn_on_the_same_axis() -> None:
    drawn, errors, rounding = rounded()
    own, floor = _ecdf_info((drawn, "float16")).spreads
    assert (own.is_floor, floor.is_floor) == (False, True)
    assert list(floor.counts) == np.histogram(np.abs(rounding), bins=np.array(floor.edges))[0].tolist()
    for edge, share in zip(floor.edges, floor.beyond, strict=True):
        assert share == pytest.approx(np.mean(np.abs(rounding) >= edge), abs=1e-12)
    ends = _histogram_info((drawn, "float16"), kind="absolute").ends
    assert ends == (min(own.edges[0], floor.edges[0]), max(own.edges[-1], floor.edges[-1]))
    ratio = np.abs(errors).max() / np.abs(rounding).max()
    assert f"largest error {number_text(ratio)} × the largest from rounding alone" in _ecdf_info((drawn, "x")).detail
    for plot in (plot_error_histogram(drawn, "float16"), plot_error_ecdf(drawn, "float16")):
        (line,) = [trace for trace in plot.data if trace.name == "rounding alone" and trace.showlegend is not False]
        assert line.fill is None
        assert line.line.dash == "dot"


def test_a_floor_of_other_elements_is_not_drawn() -> None:
    drawn, *_ = rounded()
    floor = drawn.rounding_floor
    assert floor is not None
    other = drawn.model_copy(update={"rounding_floor": floor.model_copy(update={"finite_pairs": 9})})
    info = _ecdf_info((other, "float16"))
    assert len(info.spreads) == 1
    assert "rounding alone" not in info.detail


def test_two_formats_are_drawn_over_each_other_and_compared() -> None:
    coarse, fine = heavy(scale=1e-3), heavy(scale=1e-4, seed=2)
    pair = (having(coarse), "bfloat16"), (having(fine), "float16")
    info = _ecdf_info(*pair)
    assert [spread.name for spread in info.spreads if not spread.is_floor] == ["bfloat16", "float16"]
    for spread, curve, errors in zip(info.spreads, info.curves, (coarse, fine), strict=False):
        for edge, share in zip(spread.edges[:-1], curve.shares, strict=False):
            assert share == pytest.approx(np.mean(np.abs(errors) < edge), abs=1e-12)
    ratio = np.abs(coarse).mean() / np.abs(fine).mean()
    assert info.title == f"On average, errors in bfloat16 are {float(f'{ratio:.2g}'):g} × those in float16"
    (output, dtype), other = pair
    for plot in (plot_error_ecdf(output, dtype, other), plot_error_histogram(output, dtype, other)):
        shown = [trace for trace in plot.data if trace.type == "scatter" and trace.fill == "tozeroy"]
        assert [trace.name for trace in shown] == ["bfloat16", "float16"]
        assert len({trace.fillcolor for trace in shown}) == len({trace.line.dash for trace in shown}) == 2
        assert plot.layout.showlegend
        assert any(trace.hovertemplate.startswith("float16: ") for trace in plot.data if trace.hovertemplate)


def test_bars_of_finer_bins_are_as_high_as_in_those_of_the_other_format() -> None:
    """Two formats with the same errors in a part of the axis: bars must not depend on how far the axis of each goes."""
    narrow = 10 ** np.random.default_rng(0).uniform(-3, -2, 5000)
    wide = np.concatenate([narrow, 10 ** np.random.default_rng(1).uniform(-14, -1, 5000)])
    info = _histogram_info((having(wide), "bfloat16"), (having(narrow), "float16"), kind="absolute")
    (coarse, fine), (_, heights) = info.spreads[:2], info.heights[:2]
    ratio = np.diff(np.log(coarse.edges)).mean() / np.diff(np.log(fine.edges)).mean()
    assert round(ratio) in (2, 4)
    assert sum(heights) == round(ratio) * narrow.size


def test_an_infinite_format_is_not_called_the_better_one() -> None:
    errors = heavy(n=100)
    broken = output([1.0] * 100, [float("inf")] * 40 + [1e-9] * 60)
    title = _ecdf_info((having(errors), "bfloat16"), (broken, "float16")).title
    assert title == "40 of 100 elements in float16 cannot be compared: infinite or NaN"


def test_the_small_picture_has_the_same_bars_and_axis() -> None:
    drawn, *_ = rounded()
    info = _histogram_info((drawn, "float16"), kind="absolute")
    picture = histogram_svg(drawn, "float16")
    assert picture.count("<rect") == sum(count > 0 for count in info.spreads[0].counts)
    assert "rounding alone" in picture
    assert info.ends is not None
    assert all(f">{number_text(end)}</text>" in picture for end in info.ends)
    assert f"{info.spreads[0].below:,} below the axis" in picture
