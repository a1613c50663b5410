"""Plans in words."""

from __future__ import annotations

import pytest

from precision.findings.plan import comparison_text, formats_text
from precision.plan.solve import least_error
from precision.plan.totals import plan_of
from precision.results import UniformCheck
from precision.results.plan import Verification
from precision.spec import RunSpec
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
            "as exact as, every other cast to one format of no more bytes, all measured: bfloat16 40 dB, float16 not",
        ),
        (1e-3, 0.5, "bfloat16 measured less error: bfloat16 40 dB, float16 not finite, float8_e4m3fn 20 dB."),
        (1e-3, 0.3, "every other cast to one format of no more bytes, all measured: float8_e4m3fn 20 dB."),
        (1e-3, 0.1, "No other cast to one format of those measured takes as few bytes."),
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
