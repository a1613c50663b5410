"""Plans in words."""

from __future__ import annotations

import math

import pytest

from precision.cli.tables import table_text
from precision.findings.plan import (
    comparison_text,
    formats_text,
    judged_text,
    left_wide_text,
    plan_table,
    totals_table,
    verification_table,
)
from precision.plan.solve import Planner
from precision.plan.totals import plan_of
from precision.results import Failure, UniformCheck
from precision.results.plan import Plan, Verification
from precision.spec import RunSpec
from precision.text.units import number_text
from tests.plan.reports import contribution, layer, random_report, report

REPORT = random_report(20, 3, seed=3).model_copy(
    update={
        "uniform": tuple(
            UniformCheck(dtype=name, predicted_squared_error=1e-3, measured_squared_error=measured)
            for name, measured in (("bfloat16", 1e-4), ("float16", None), ("float8_e4m3fn", 1e-2))
        )
    }
)


def verified(squared_error: float | None, size: int) -> Verification:
    return Verification(
        spec=RunSpec(), predicted_squared_error=1e-3, measured_squared_error=squared_error, predicted_bytes=size,
        measured_bytes=None, estimated_bytes=None, predicted_time_s=None, measured_time_s=None, reference_time_s=None,
        failure=None,
    )  # fmt: skip


def test_formats_are_counted_the_most_frequent_first() -> None:
    assert formats_text(Planner(report=REPORT).least_error(10**12)) == "20 × float32"


@pytest.mark.parametrize(
    ("error", "share", "said"),
    [
        (
            5e-5,
            0.5,
            "No cast to one format that takes no more bytes had less error, all measured: bfloat16 40 dB, float16 (not",
        ),
        (
            1e-3,
            0.5,
            "bfloat16 had less error: bfloat16 40 dB, float16 (not finite, or it does not run), float8_e4m3fn 20 dB.",
        ),
        (1e-3, 0.3, "takes no more bytes had less error, all measured: float8_e4m3fn 20 dB."),
        (1e-3, 0.1, "No other measured cast to one format takes so few bytes."),
    ],
)
def test_a_plan_is_held_against_measured_casts_of_no_more_bytes(error: float, share: float, said: str) -> None:
    plan = Planner(report=REPORT).least_error(10**12)
    size = round(share * plan.uniform[0].totals.stored_bytes)
    assert said in comparison_text(verified(error, size), REPORT, plan)


def test_a_plan_that_is_not_finite_is_held_against_nothing() -> None:
    assert comparison_text(verified(None, 10**9), REPORT, Planner(report=REPORT).least_error(10**12)) == ""


def test_a_cast_to_one_format_is_not_held_against_itself() -> None:
    names = ["bfloat16"] * len(REPORT.layers)
    plan = plan_of(REPORT, names, reference="float32", optimal=True)
    size = plan.totals.stored_bytes
    said = comparison_text(verified(1e-4, size), REPORT, plan)
    assert "bfloat16" not in said
    assert "float16 (not finite, or it does not run), float8_e4m3fn 20 dB" in said


def test_the_terminal_shows_the_figures_of_the_page() -> None:
    plan = Planner(report=REPORT).least_error(REPORT.layers[0].reference_bytes * len(REPORT.layers) // 2)
    table = plan_table(plan, REPORT)
    assert sum(error**2 for error in table.column("adds RMSE")) == pytest.approx(plan.totals.squared_error)
    shown = table_text(table.pick("layer", "format", "adds RMSE", "bytes")).splitlines()[1:]
    assert [line.split()[:2] for line in shown] == [list(pair) for pair in plan.pairs]
    assert [line.split()[2] for line in shown] == [number_text(error) for error in table.column("adds RMSE")]


def test_the_whole_plan_stands_beside_every_layer_in_one_format() -> None:
    plan = plan_of(REPORT, ["bfloat16"] * len(REPORT.layers), reference="float32", optimal=True)
    table = totals_table(plan)
    assert table.column("in all")[:3] == ("this plan", "all float32", "all bfloat16")
    assert table.rows[0][1:] == table.rows[2][1:]
    assert "measured" in table.column("error is")


def test_what_was_measured_of_a_plan_stands_below_what_was_predicted() -> None:
    predicted, measured = verification_table(verified(4e-3, 100)).pick("the plan", "RMSE", "predicted / measured").rows
    assert predicted == ("predicted", pytest.approx(1e-3**0.5), None)
    assert measured == ("measured", pytest.approx(4e-3**0.5), pytest.approx(0.5))
    assert verification_table(verified(None, 100)).column("remark") == ("", "not finite")
    failed = verified(None, 100).model_copy(update={"failure": Failure(stage="", where=None, message="")})
    assert verification_table(failed).column("remark") == ("", "does not run")
    assert (
        judged_text(failed, REPORT, Planner(report=REPORT).least_error(10**12))
        == "This plan cannot be used: its run failed."
    )


def test_an_output_that_all_of_them_together_hide_is_said_to_be_broken() -> None:
    plan = Planner(report=REPORT).least_error(10**12)
    found = verified(1e-6, 100).model_copy(update={"worst_output": "boxes", "worst_sqnr_db": 0.0})
    broken = "This plan breaks the output boxes: measured SQNR 0 dB, below 10 dB."
    assert judged_text(found, REPORT, plan) == broken
    missed = judged_text(found, REPORT, plan.model_copy(update={"most_squared_error": 1e-9}))
    assert missed.startswith(f"{broken} This plan misses what was asked: ")
    assert judged_text(found.model_copy(update={"worst_sqnr_db": 40.0}), REPORT, plan) == ""


def with_code(*formats: str, own: float | None = 1e-4, measured: tuple[str, ...] = ("bfloat16",)) -> Plan:
    """A linear layer and the own code around it, in these formats; lowered, they add 1e-5 and `own`."""
    leaf = layer("block.linear", tuple(contribution(1e-5, 200) for _ in measured))
    code = layer("block", tuple(contribution(own, 2) for _ in measured), reference_bytes=4)
    code = code.model_copy(update={"has_modules_inside": True})
    known = report(leaf, code, formats=measured)
    return plan_of(known, formats, reference="float32", optimal=True)


def test_own_code_that_stays_wide_is_named_with_the_price_of_lowering_it() -> None:
    plan = with_code("bfloat16", "float32")
    price = plan.code_lowered
    assert price is not None
    assert plan.totals.sqnr_db == pytest.approx(50)
    assert price.sqnr_db == pytest.approx(-10 * math.log10(1.1e-4))
    assert plan.totals.stored_bytes - price.stored_bytes == 2
    said = left_wide_text(plan)
    for fact in (
        "1 of 1 module",
        "still computes in float32: block.",
        "in bfloat16",
        "39.6 dB",
        "10.4 dB lower (estimated)",
    ):
        assert fact in said
    assert "2 B fewer" in said


def test_nothing_is_said_where_no_own_code_stays_wide_or_nothing_is_lowered() -> None:
    for formats in (("bfloat16", "bfloat16"), ("float32", "bfloat16"), ("float32", "float32")):
        plan = with_code(*formats)
        assert plan.code_lowered is None
        assert left_wide_text(plan) == ""


def test_own_code_is_priced_in_a_format_that_torch_computes_in() -> None:
    beside = with_code("int8", "float32", measured=("int8", "float16"))
    assert beside.code_lowered is not None
    assert beside.code_lowered.dtype == "float16"
    without = with_code("int8", "float32", measured=("int8",))
    assert without.code_lowered is None
    assert left_wide_text(without).endswith("still computes in float32: block.")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (0.0, "stay at the predicted 50.0 dB (estimated)"),
        (1e-6, "be 49.6 dB instead of the predicted 50.0 dB, 0.4 dB lower"),
    ],
)
def test_the_change_is_that_of_the_figures_shown(own: float, said: str) -> None:
    assert said in left_wide_text(with_code("bfloat16", "float32", own=own))


def test_own_code_without_a_prediction_has_no_price() -> None:
    plan = with_code("bfloat16", "float32", own=None)
    assert plan.code_lowered is not None
    assert plan.code_lowered.sqnr_db is None
    assert left_wide_text(plan).endswith("some of it becomes infinite or NaN, or does not run.")
