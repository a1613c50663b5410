"""Plans in words."""

from __future__ import annotations

import pytest

from precision.cli.tables import table_text
from precision.findings.plan import comparison_text, formats_text, plan_table, totals_table, verification_table
from precision.plan.solve import least_error
from precision.plan.totals import plan_of
from precision.results import UniformCheck
from precision.results.plan import Verification
from precision.spec import RunSpec
from precision.text.units import number_text
from tests.plan.reports import random_report

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
    assert formats_text(least_error(REPORT, 10**12)) == "20 × float32"


@pytest.mark.parametrize(
    ("error", "share", "said"),
    [
        (
            5e-5,
            0.5,
            "No cast to one format that takes no more bytes had less error, all measured: bfloat16 40 dB, float16 not",
        ),
        (1e-3, 0.5, "bfloat16 had less error: bfloat16 40 dB, float16 not finite, float8_e4m3fn 20 dB."),
        (1e-3, 0.3, "takes no more bytes had less error, all measured: float8_e4m3fn 20 dB."),
        (1e-3, 0.1, "No other measured cast to one format takes so few bytes."),
    ],
)
def test_a_plan_is_held_against_measured_casts_of_no_more_bytes(error: float, share: float, said: str) -> None:
    plan = least_error(REPORT, 10**12)
    size = round(share * plan.uniform[0].totals.stored_bytes)
    assert said in comparison_text(verified(error, size), REPORT, plan)


def test_a_plan_that_is_not_finite_is_held_against_nothing() -> None:
    assert comparison_text(verified(None, 10**9), REPORT, least_error(REPORT, 10**12)) == ""


def test_a_cast_to_one_format_is_not_held_against_itself() -> None:
    names = ["bfloat16"] * len(REPORT.layers)
    plan = plan_of(REPORT, names, reference="float32", optimal=True)
    size = plan.totals.stored_bytes
    said = comparison_text(verified(1e-4, size), REPORT, plan)
    assert "bfloat16" not in said
    assert "float16 not finite, float8_e4m3fn 20 dB" in said


def test_the_terminal_shows_the_figures_of_the_page() -> None:
    plan = least_error(REPORT, REPORT.layers[0].reference_bytes * len(REPORT.layers) // 2)
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
