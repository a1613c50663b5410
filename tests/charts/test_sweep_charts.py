"""The charts of a sweep, from every odd row."""

from __future__ import annotations

import math
import re

import pytest

from precision.charts.cells import letters_on_sqnr, sqnr_axis
from precision.charts.frame import alt_text
from precision.charts.sweep_costs import SweepCost, _front, _sweep_costs_info, plot_sweep_costs
from precision.charts.sweep_heatmap import _sweep_heatmap_info, plot_sweep_heatmap
from precision.findings.sweep import failed_row
from precision.results import SkippedRun, SweepRow, Verdict
from precision.spec import CastMethod, RunSpec
from tests.charts.odd_results import HOSTILE_NAME

OWN_TAGS = re.compile(r"</?(br|b|sup|extra)/?>")


def row(
    dtype: str = "bfloat16", *, sqnr_db: float | None = 45.0, size: int = 100, time_s: float | None = 1e-3,
    word: str = "kept", execution: str = "native", **settings: object,
) -> SweepRow:  # fmt: skip
    spec = RunSpec.parse({"dtype": dtype, **settings})
    return failed_row(spec, "").model_copy(
        update={
            "verdict": Verdict.model_validate({"word": word, "sentence": "A sentence.", "rule": ""}),
            "execution": execution,
            "sqnr_db": sqnr_db,
            "stored_bytes": size,
            "reference_bytes": 400,
            "time_s": time_s,
            "reference_time_s": 2e-3,
            "reason": None,
        }
    )


SWEEPS = {
    "nothing": [],
    "one": [row()],
    "exact": [row(sqnr_db=math.inf, word="exact")],
    "zero reference": [row(sqnr_db=-math.inf, word="broken")],
    "failed": [failed_row(RunSpec(), "it did not run")],
    "negative": [row(sqnr_db=-20.0, word="broken"), row("int8", sqnr_db=200.0, size=50, execution="simulated")],
    "hostile": [row(device=HOSTILE_NAME), failed_row(RunSpec(dtype="int8", device=HOSTILE_NAME), HOSTILE_NAME)],
    "many": [row(dtype, size=size) for size, dtype in enumerate(("float16", "int8", "int4", "nvfp4", "e5m7"), 1)],
    "no time": [row(time_s=None), row("int8", time_s=0.0)],
}
SKIPPED = (SkippedRun(dtype="int8", method=CastMethod.AUTOCAST, device=HOSTILE_NAME, reason=HOSTILE_NAME),)


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_is_drawn(name: str) -> None:
    costs: tuple[SweepCost, ...] = ("bytes", "time")
    figures = [plot_sweep_heatmap(SWEEPS[name], SKIPPED), *(plot_sweep_costs(SWEEPS[name], cost) for cost in costs)]
    for figure in figures:
        assert alt_text(figure)
        drawn = OWN_TAGS.sub("", str(figure.to_json()).encode().decode("unicode_escape"))
        assert "<" not in drawn
        assert "NaN" not in str(figure.layout.to_plotly_json())


def test_a_cell_for_every_run_and_every_impossible_one() -> None:
    info = _sweep_heatmap_info([row(), row(method="autocast")], SKIPPED)
    assert info.title == "2 of 2 runs keep what matters"
    assert _sweep_heatmap_info([row()], [], planned=9).title == "So far, 1 of 9: 1 of 1 run keeps what matters"
    assert info.formats == ("bfloat16", "int8")
    assert info.columns[:2] == ("cpu", "cpu · autocast")
    assert [cell.words for cell in info.cells] == [
        "kept · 45 dB",
        "kept · 45 dB",
        "not possible",
    ]


def test_the_worst_is_the_most_visible() -> None:
    opacities = [float(colour.split(",")[-1].rstrip(")")) for _, colour in sqnr_axis()["colorscale"]]
    assert opacities == sorted(opacities, reverse=True)
    assert (opacities[0], opacities[-1]) == (1.0, 0.05)
    assert [letters_on_sqnr(db) for db in (-5.0, 0.0, 1e9, math.inf)] == [*("#FFFFFF",) * 2, *(None,) * 2]
    words = ("exact", "kept", "close", "uncertain", "changed", "broken")
    seen = [_sweep_heatmap_info([row(word=word)], ()).cells[0].opacity for word in words]
    assert seen == sorted(set(seen))
    rows = [row(word="changed", sqnr_db=decibels) for decibels in (80.0, 60.0, 40.0, 0.0, -math.inf, None)]
    seen = [cell.opacity for cell in _sweep_heatmap_info(rows, ()).cells]
    assert seen == pytest.approx([0.35, 0.35, 0.5, 0.8, 0.8, 0.8])


def test_the_front_holds_what_no_other_run_beats() -> None:
    rows = [
        row("float16", sqnr_db=60.0, size=200),
        row("bfloat16", sqnr_db=40.0, size=200),
        row("int8", sqnr_db=50.0, size=100, execution="simulated"),
        row("int4", sqnr_db=20.0, size=50, execution="simulated"),
        row("nvfp4", sqnr_db=15.0, size=60, execution="simulated"),
    ]
    info = _sweep_costs_info(rows, "bytes")
    assert [info.points[at].dtype for at in info.front] == ["int4", "int8", "float16"]
    assert info.reference == 400
    assert info.title == "What matters is kept in 12.5 % of the reference's bytes (int4)"
    assert _sweep_costs_info(rows, "bytes", planned=9).title.startswith("So far, 5 of 9: what matters is kept in")
    brute = {
        at for at, one in enumerate(rows)
        if not any(
            (other.stored_bytes, -(other.sqnr_db or 0)) != (one.stored_bytes, -(one.sqnr_db or 0))
            and (other.stored_bytes or 0) <= (one.stored_bytes or 0)
            and (other.sqnr_db or 0) >= (one.sqnr_db or 0)
            for other in rows
        )
    }  # fmt: skip
    assert set(_front(info.points)) == brute


def test_a_label_at_the_end_of_the_axis_stands_left_of_its_dot() -> None:
    figure = plot_sweep_costs([row("float16", size=100), row("bfloat16", size=400)], "bytes")
    dots = next(trace for trace in figure.data if trace.mode == "markers+text")
    assert list(dots.textposition) == ["middle right", "middle left"]


def test_times_that_cannot_be_told_apart_are_not_joined() -> None:
    def timed(dtype: str, sqnr_db: float, time_s: float, iqr_s: float) -> SweepRow:
        return row(dtype, sqnr_db=sqnr_db, time_s=time_s).model_copy(update={"time_iqr_s": iqr_s})

    near = [timed("int8", 30.0, 1.0e-3, 1e-4), timed("float16", 60.0, 1.05e-3, 1e-4)]
    far = timed("float32", 150.0, 2e-3, 1e-4)
    info = _sweep_costs_info([*near, far], "time")
    assert [info.points[at].dtype for at in info.front] == ["float16", "float32"]
    assert "whiskers: interquartile range" in info.detail
    steady = _sweep_costs_info([each.model_copy(update={"time_iqr_s": 1e-6}) for each in near], "time")
    assert [steady.points[at].dtype for at in steady.front] == ["int8", "float16"]
    wide = [timed("int8", 30.0, 1.0e-3, 4e-3), timed("float16", 60.0, 3e-3, 1e-3)]
    figure = plot_sweep_costs(wide, "time")
    assert len(figure.data) == 1  # no line
    assert figure.data[0].error_x.array == (2e-3, 5e-4)
    assert figure.data[0].error_x.arrayminus == pytest.approx((0.9e-3, 5e-4))
    assert not plot_sweep_costs(wide, "bytes").data[-1].error_x.visible


def test_a_simulations_time_is_no_finding() -> None:
    info = _sweep_costs_info([row(time_s=2e-3), row("int8", time_s=1e-6, execution="simulated")], "time")
    assert info.title == "What matters is kept in 2.00 ms (bfloat16)"
    assert "whose time is not the format's" in info.detail


def test_the_bar_of_colours_says_quantity_and_unit() -> None:
    assert sqnr_axis()["colorbar"]["title"]["text"] == "SQNR (dB)"
