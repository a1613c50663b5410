"""Every chart from every odd result."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import plotly.graph_objects as go
import pytest

from precision.charts.decision_margins import plot_decision_margins
from precision.charts.dtype_strip import plot_dtype_strip
from precision.charts.error_by_magnitude import plot_error_by_magnitude
from precision.charts.error_ecdf import plot_error_ecdf
from precision.charts.error_histogram import plot_error_histogram
from precision.charts.frame import DETAIL_CHARACTERS, TITLE_CHARACTERS, alt_text
from precision.charts.module_tree import plot_module_tree
from precision.charts.side_by_side import plot_side_by_side
from precision.charts.stored_bytes import plot_stored_bytes
from precision.charts.stored_values import plot_stored_values
from precision.charts.timing import plot_timing
from tests.charts.odd_results import AUDITS, COSTS, HOSTILE_NAME, OUTPUTS

MAX_JSON_BYTES = 500_000
OWN_TAGS = re.compile(r"</?(br|b|sup|extra)/?>")
Draw = Callable[[], go.Figure]


def every_chart() -> Iterator[tuple[str, Draw]]:
    for name, output in OUTPUTS.items():
        no_floor = output.model_copy(update={"rounding_floor": None, "rounding_floor_absolute": None})
        for kind in ("signed", "absolute", "ulp"):
            yield f"{kind} of {name}", partial(plot_error_histogram, output, "float16", kind=kind)
            others = ((OUTPUTS["many"], "bfloat16"), (OUTPUTS["exact"], HOSTILE_NAME))
            yield f"{kind} of {name} and others", partial(plot_error_histogram, output, "float16", *others, kind=kind)
        yield f"ecdf of {name}", partial(plot_error_ecdf, output, "bfloat16")
        yield f"ecdf of {name}, no floor", partial(plot_error_ecdf, no_floor, "bfloat16")
        yield f"ecdf of {name} and others", partial(plot_error_ecdf, output, "bfloat16", *others)
        for dtype in ("float64", "float8_e4m3fn"):
            yield f"magnitude of {name}, {dtype}", partial(plot_error_by_magnitude, output, dtype)
        yield f"side by side of {name}", partial(plot_side_by_side, output, "float16")
        for scale in ("score", "probability"):
            yield f"margins of {name}, {scale}", partial(plot_decision_margins, output, "int8", scale=scale)
    for name, audit in AUDITS.items():
        yield f"strip of {name}", partial(plot_dtype_strip, audit)
        yield f"tree of {name}", partial(plot_module_tree, audit)
        yield f"bytes of {name}", partial(plot_stored_bytes, audit)
        yield f"stored values of {name}", partial(plot_stored_values, audit, "float16")
    for name, cost in COSTS.items():
        yield f"timing {name}", partial(plot_timing, cost, reference="float32", candidate="float16")
    plan = "plan of 17 × float32, 7 × float16, 4 × int8 (simulated)"
    yield "timing of a plan", partial(plot_timing, COSTS["slower"], reference="float32", candidate=plan)


CHARTS = dict(every_chart())


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS.keys())
def test_every_chart_draws_every_result(draw: Draw) -> None:
    figure = draw()
    text = figure.to_json()
    assert len(text.encode()) < MAX_JSON_BYTES
    assert "NaN" not in re.sub(r'"[^"]*"', "", text)
    assert "Infinity" not in text
    lines = figure.layout.title.text.split("<br>")
    assert lines[0]
    assert max(map(len, map(html.unescape, lines))) <= TITLE_CHARACTERS
    assert (
        max(map(len, map(html.unescape, (figure.layout.title.subtitle.text or "").split("<br>")))) <= DETAIL_CHARACTERS
    )
    alt = alt_text(figure)
    without_spaces = html.unescape("".join(lines)).replace(" ", "").rstrip(".")  # a long name is cut anywhere
    assert without_spaces in alt.replace(" ", "")
    assert alt.endswith(".")
    assert figure.layout.paper_bgcolor is None
    assert figure.layout.font.color is None
    for string in _strings(figure.to_plotly_json()):
        assert "<" not in OWN_TAGS.sub("", string)
        assert "\u202e" not in string
    assert {trace.type for trace in figure.data} <= {"bar", "scatter", "heatmap", "icicle"}


def _strings(value: object) -> Iterator[str]:
    """Strings that plotly would render; the description is for the page, as plain text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "meta":
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tree of no parameters", "no parameters, no buffers"),
        ("bytes of tensors without elements", "no parameters, no buffers"),
        ("stored values of small", "No stored value was rounded"),
        ("absolute of empty", "The output has no elements"),
        ("magnitude of integers, float64", "The output is int64"),
        ("signed of nothing finite", "No element is finite"),
        ("magnitude of zero reference, float64", "Every reference is zero"),
        ("ecdf of exact", "Exact: all 3 errors are zero"),
        ("side by side of empty", "The output has no elements"),
        ("timing not measured", "The run has no timing"),
    ],
)
def test_a_figure_without_data_says_why(name: str, said: str) -> None:
    figure = CHARTS[name]()
    assert not figure.data
    assert said in alt_text(figure)
    assert figure.layout.annotations[0].text


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("timing slower", "float16 is 11 × slower than float32 here"),
        ("timing of a plan", "The candidate is 11 × slower than float32 here"),
        ("timing faster", "float16 is 5.0 × faster than float32 here"),
        ("timing slightly slower", "float16 is 1.06 × slower than float32 here"),
        (
            "timing the same",
            "Whether float16 is faster than float32 cannot be<br>told: the times overlap",
        ),
        (
            "timing no time at all",
            "Whether float16 is faster than float32 cannot be<br>told: the times are too short for the clock",
        ),
        ("bytes of small", "Stored bytes −50 %: 80 B → 40 B"),
        ("bytes of nothing changed", "The model keeps its 64 B"),
        ("signed of exact", "Exact: all 3 errors are zero"),
        ("signed of all equal errors", "Errors lean up: 100 % of those that are not zero"),
        ("absolute of all equal errors", "Half of the errors are at most 0.125, the<br>largest is 0.125"),
        ("magnitude of many, float64", "Errors grow with the values: a steady relative<br>error"),
        ("side by side of exact", "The 3 values shown are exactly equal"),
        ("side by side of some NaN and inf", "The difference is infinite or NaN for 2 of the 4<br>values shown"),
        ("side by side of beyond float64", "The difference is infinite or NaN for 1 of the 2<br>values shown"),
        ("absolute of one element", "The only error is 1.000e-3"),
        ("ecdf of eight", "All errors are at most 3.000e-4"),
        ("ecdf of all beyond float64", "All errors are at most ∞"),
        ("stored values of small damage", "Stored values: 3 became infinite or NaN, 10<br>became zero"),
    ],
)  # fmt: skip
def test_titles_state_the_finding(name: str, title: str) -> None:
    assert CHARTS[name]().layout.title.text == title


def test_charts_work_without_torch_and_streamlit() -> None:
    code = "import sys, precision.charts; sys.exit(bool({'torch', 'streamlit'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
