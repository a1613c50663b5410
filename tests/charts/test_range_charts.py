"""The charts of value ranges, from every odd run."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from precision.charts import exponent_heatmap, fit_matrix, headroom
from precision.charts.exponent_heatmap import _heatmap_info, plot_exponent_heatmap
from precision.charts.fit_matrix import SIGNS, _fit_matrix_info, plot_fit_matrix
from precision.charts.frame import DETAIL_CHARACTERS, TITLE_CHARACTERS, alt_text
from precision.charts.headroom import _headroom_info, plot_headroom
from precision.charts.palette import colour_of_fit
from precision.findings.fit.fitness import Fit
from precision.findings.fit.rounding import window_of
from precision.findings.fit.table import fit_table
from precision.formats import ALL_FORMATS, any_format_named, format_named
from precision.results.ranges import ExponentHistogram, Ranges, TensorRange, by_module
from tests.charts.odd_results import HOSTILE_NAME
from tests.measure.ranges.histograms import value_histogram

MAX_JSON_BYTES = 500_000
OWN_TAGS = re.compile(r"</?(br|b|sup|extra)/?>")


def histogram(
    first: int = -10, counts: Sequence[int] = (1, 5, 20, 9), *, zeros: int = 0, nan: int = 0
) -> ExponentHistogram:
    counts = tuple(counts)
    last = first + len(counts) - 1
    return ExponentHistogram(
        elements=sum(counts) + zeros + nan,
        zeros=zeros,
        infinite=0,
        nan=nan,
        first_exponent=first if counts else 0,
        counts=counts,
        largest=1.5 * 2.0**last if counts else None,
        smallest=1.25 * 2.0**first if counts else None,
        norm=math.sqrt(sum(2 * n * 4.0**e for e, n in enumerate(counts, first))) if counts else None,
        mantissa_bits=23,
    )


def run(*histograms: ExponentHistogram, name: str = "layers.") -> Ranges:
    rows = tuple(
        TensorRange(
            module=f"{name}{at}",
            module_type="Linear",
            kind="output",
            name="output",
            dtype="float32",
            calls=1,
            histogram=at,
        )
        for at in range(len(histograms))
    )
    return Ranges(tensors=rows, histograms=histograms, not_called=())


def repeated(ranges: Ranges, times: int) -> Ranges:
    """The same rows again and again, under other names."""
    rows = (
        row.model_copy(update={"module": f"{row.module}.{time}"}) for time in range(times) for row in ranges.tensors
    )
    return ranges.model_copy(update={"tensors": tuple(rows)})


WIDEST = ExponentHistogram(
    elements=2098,
    zeros=0,
    infinite=0,
    nan=0,
    first_exponent=-1074,
    counts=(1,) * 2098,
    largest=1.7e308,
    smallest=5e-324,
    norm=math.inf,
    mantissa_bits=52,
)
RUNS: dict[str, Ranges] = {
    "nothing": run(),
    "one": run(histogram()),
    "one value": run(histogram(3, (1,))),
    "zeros": run(histogram(counts=(), zeros=4)),
    "NaN": run(histogram(counts=(), nan=4)),
    "zeros and one": run(histogram(counts=(), zeros=4), histogram(), histogram(counts=())),
    "a few": run(*(histogram(first) for first in (-40, -20, -3, 14, 30))),
    "a thousand": repeated(run(*(histogram(at - 30, range(1, 30)) for at in range(50))), 20),
    "all exponents of float64": run(WIDEST),
    "huge counts": run(histogram(counts=(10**15, 1))),
    "hostile and many": repeated(run(histogram(-100, [7] * 200), name=HOSTILE_NAME), 700),
    "hostile": run(histogram(), histogram(20), name=HOSTILE_NAME),
}  # fmt: skip
FORMATS = ("float64", "float16", "float8_e4m3fn", "float4_e2m1fn", "int8", "e5m7")


def figures(ranges: Ranges, name: str) -> list[go.Figure]:
    fmt = any_format_named(name)
    table = fit_table(ranges, (format_named("float32"), fmt))
    return [
        plot_exponent_heatmap(ranges, ranges.tensors, fmt),
        plot_headroom(ranges, ranges.tensors, fmt),
        plot_fit_matrix(table, by_module(ranges.tensors), name),
    ]


@pytest.mark.parametrize("ranges", RUNS.values(), ids=RUNS.keys())
@pytest.mark.parametrize("name", FORMATS)
def test_every_chart_draws_every_run(ranges: Ranges, name: str) -> None:
    for figure in figures(ranges, name):
        text = figure.to_json()
        assert len(text.encode()) < MAX_JSON_BYTES
        assert "NaN" not in re.sub(r'"[^"]*"', "", text)
        assert "Infinity" not in text
        title = figure.layout.title
        assert max(len(html.unescape(line)) for line in title.text.split("<br>")) <= TITLE_CHARACTERS
        assert max(len(html.unescape(line)) for line in (title.subtitle.text or "").split("<br>")) <= DETAIL_CHARACTERS
        assert alt_text(figure).endswith(".")
        assert figure.layout.paper_bgcolor is None
        assert figure.layout.font.color is None
        assert {trace.type for trace in figure.data} <= {"bar", "scatter", "heatmap"}
        for string in re.findall(r'"((?:[^"\\]|\\.)*)"', re.sub(r'"meta":\{.*?\}', "", text)):
            plain = string.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u002f", "/")
            assert "<" not in OWN_TAGS.sub("", plain)
            assert "\\u202e" not in string


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing", "No tensor to show"), ("zeros", "finite value other than zero"), ("NaN", "finite value other than")],
)
def test_a_figure_without_data_says_why(name: str, said: str) -> None:
    for figure in figures(RUNS[name], "float16")[:2]:
        assert not figure.data
        assert said in alt_text(figure)


def test_cells_count_every_value_once() -> None:
    for ranges in RUNS.values():
        info = _heatmap_info(ranges, ranges.tensors, format_named("float16"))
        assert sum(map(sum, info.rows)) == sum(each.nonzero for each in ranges.histograms_of(ranges.tensors))
        assert len(info.rows) <= exponent_heatmap.MAX_ROWS
        assert len(info.edges) <= exponent_heatmap.MAX_COLUMNS + 1


def test_a_column_holds_the_values_of_its_power_of_two() -> None:
    info = _heatmap_info(RUNS["one"], RUNS["one"].tensors, format_named("float16"))
    at = dict(zip(info.edges, info.rows[0], strict=False))
    assert [at[exponent] for exponent in range(-10, -6)] == [1, 5, 20, 9]


def test_another_format_moves_only_the_window() -> None:
    ranges = RUNS["a few"]
    infos = [_heatmap_info(ranges, ranges.tensors, format_named(name)) for name in ("float16", "float8_e5m2")]
    assert infos[0].labels == infos[1].labels
    assert infos[0].window != infos[1].window
    parts = {part.name: part for part in infos[0].window}
    assert (parts["normal"].start, parts["normal"].end) == (-14, math.log2(65504))
    assert (parts["subnormal"].start, parts["subnormal"].end) == (-25, -14)
    assert [part.name for part in infos[0].window] == ["becomes zero", "subnormal", "normal", "overflows"]


def test_values_that_are_lost_are_drawn_in_colours_of_their_own() -> None:
    ranges, fmt = RUNS["a few"], format_named("float8_e4m3fn")
    info = _heatmap_info(ranges, ranges.tensors, fmt)
    counts = np.asarray(info.rows)
    middles = (np.asarray(info.edges[:-1]) + np.asarray(info.edges[1:])) / 2
    smallest, largest = fmt.min_exponent - fmt.mantissa_bits - 1, math.log2(fmt.max)
    lost = (middles < smallest) | (middles >= largest)
    drawn = [trace for trace in plot_exponent_heatmap(ranges, ranges.tensors, fmt).data if trace.type == "heatmap"]
    red = [trace for trace in drawn if trace.colorscale and "166,54,3" in trace.colorscale[1][1]]
    seen = sum(int(np.isfinite(np.asarray(trace.z, dtype=float)).sum()) for trace in red)
    assert seen == int((counts[:, lost] > 0).sum()) > 0


def test_a_window_beyond_the_data_is_cut_off() -> None:
    info = _heatmap_info(RUNS["one"], RUNS["one"].tensors, format_named("float64"))
    (only,) = info.window
    assert (only.name, only.start, only.end) == ("normal", info.edges[0], info.edges[-1])


@pytest.mark.parametrize(
    ("name", "shared_by"), [("int8", "tensor"), ("int4_per_channel", "channel"), ("nvfp4", "block")]
)
def test_a_format_with_scales_has_no_window_and_the_heatmap_says_why(name: str, shared_by: str) -> None:
    info = _heatmap_info(RUNS["one"], RUNS["one"].tensors, any_format_named(name))
    assert info.window == ()
    assert info.detail.startswith(f"no window: {name} scales every {shared_by} to its largest value; ")


@pytest.mark.parametrize(
    ("first", "title"),
    [
        (-10, "All values lie in the normal range of float16"),
        (-20, "None of 1 tensor overflows in float16; 1 reach below its normal range"),
        (14, "1 of 1 tensor reach beyond the range of float16"),
    ],
)
def test_the_title_of_the_heatmap_is_the_finding(first: int, title: str) -> None:
    ranges = run(histogram(first))
    assert _heatmap_info(ranges, ranges.tensors, format_named("float16")).title == title


def test_the_matrix_shows_the_worst_of_each_module() -> None:
    ranges = run(histogram(-10), histogram(14))
    rows = (row.model_copy(update={"module": "m", "name": f"output[{row.histogram}]"}) for row in ranges.tensors)
    both = ranges.model_copy(update={"tensors": tuple(rows)})
    table = fit_table(both, [format_named(name) for name in ("bfloat16", "float16")])
    info = _fit_matrix_info(table, by_module(both.tensors), "float16")
    (row,) = info.rows
    assert [fit.verdict for fit in row.fits] == [Fit.FITS, Fit.NEEDS_SCALING]
    assert info.title == "float16 fits 0 of 1 module: 1 needs scaling"
    assert "×2ⁿ needs scaling" in info.detail
    assert (
        _fit_matrix_info(table, by_module(both.tensors), "bfloat16").title
        == "bfloat16 holds the values of every module"
    )


def test_neighbours_share_a_row_with_the_worst_verdict() -> None:
    fitting = repeated(run(histogram(-10)), 199)
    last = fitting.tensors[0].model_copy(update={"module": "layers.199", "histogram": 1})
    ranges = Ranges(tensors=(*fitting.tensors, last), histograms=(histogram(-10), histogram(14)), not_called=())
    info = _fit_matrix_info(fit_table(ranges, [format_named("float16")]), by_module(ranges.tensors), "float16")
    assert len(info.rows) <= fit_matrix.MAX_ROWS
    assert [row.fits[0].verdict for row in info.rows[-2:]] == [Fit.FITS, Fit.NEEDS_SCALING]
    assert info.rows[-1].label == "layers.0.196 … layers.199 (4)"
    assert info.title == "float16 fits 199 of 200 modules: 1 needs scaling"


def test_every_verdict_has_a_sign_and_a_colour_of_its_own() -> None:
    assert set(SIGNS) == set(Fit)
    assert len(set(SIGNS.values())) == len({colour_of_fit(verdict.value) for verdict in Fit}) == len(Fit)


def test_headroom_is_of_the_largest_value_least_first() -> None:
    ranges = RUNS["a few"]
    info = _headroom_info(ranges, ranges.tensors, format_named("float16"))
    assert [row.label for row in info.rows] == [f"layers.{at} output" for at in (4, 3, 2, 1, 0)]
    assert info.rows[1].headroom_bits == pytest.approx(math.log2(65504 / (1.5 * 2.0**17)))
    assert [row.overflows for row in info.rows] == [True, True, False, False, False]
    assert info.title == "2 of 5 distinct tensors exceed float16, layers.4 output the most"
    assert window_of(format_named("float16")).overflows(info.rows[1].largest)


def test_headroom_draws_the_tensors_with_the_least() -> None:
    ranges = RUNS["a thousand"]
    info = _headroom_info(ranges, ranges.tensors, format_named("bfloat16"))
    assert len(info.rows) == headroom.MAX_TENSORS
    assert info.rows[0].headroom_bits == min(
        math.log2(format_named("bfloat16").max) - math.log2(each.largest or 1) for each in ranges.histograms
    )
    assert "the 20 tensors with the least headroom, of 50 distinct ones" in info.detail


def test_scaled_formats_have_no_headroom() -> None:
    figure = plot_headroom(RUNS["one"], RUNS["one"].tensors, any_format_named("int8"))
    assert "they always fit" in alt_text(figure)


def axis_labels(figure: go.Figure) -> list[str]:
    return [html.unescape(label) for label in figure.layout.yaxis.ticktext]


def test_the_path_that_all_rows_share_is_said_once() -> None:
    ranges = run(histogram(), histogram(3), name="encoder.layer.0.attention.self.")
    heatmap, bars, matrix = figures(ranges, "float16")
    assert axis_labels(heatmap) == ["0 output", "1 output"]
    assert axis_labels(bars) == ["1 output", "0 output"]
    assert axis_labels(matrix) == ["0", "1"]
    for figure in (heatmap, bars, matrix):
        assert "all in encoder.layer.0.attention.self" in figure.layout.title.subtitle.text.replace("<br>", " ")


def test_rows_that_share_no_path_keep_the_end_of_their_names() -> None:
    first, second = run(histogram(), name="decoder.").tensors[0], run(histogram(), name="embeddings.").tensors[0]
    deep = first.model_copy(update={"module": "encoder.layer.11.attention.output.dense"})
    ranges = Ranges(tensors=(deep, second), histograms=(histogram(),), not_called=())
    assert axis_labels(figures(ranges, "float16")[0]) == ["…attention.output.dense output", "embeddings.0 output"]
    (only,) = axis_labels(figures(run(histogram(), name="a.b."), "float16")[0])
    assert only == "a.b.0 output"  # alone, it is named whole


@pytest.mark.slow
def test_a_thousand_modules_in_every_format_stay_small() -> None:
    generator = torch.Generator().manual_seed(1)
    histograms = [value_histogram(torch.randn(8, 40, generator=generator) * 10.0**at) for at in range(-20, 20)]
    ranges = repeated(run(*histograms, name=HOSTILE_NAME), 25)
    table = fit_table(ranges, ALL_FORMATS)
    figure = plot_fit_matrix(table, by_module(ranges.tensors), "nvfp4")
    assert len(figure.to_json().encode()) < MAX_JSON_BYTES
    assert list(figure.layout.xaxis.ticktext) == [
        f"<b>{fmt.name}</b>" if fmt.name == "nvfp4" else fmt.name for fmt in ALL_FORMATS
    ]
