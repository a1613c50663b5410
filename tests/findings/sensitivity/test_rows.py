"""Rows of layers and blocks, and what they say first."""

from __future__ import annotations

import math

import pytest

from precision.findings.sensitivity.rows import finding, rows_of, worst_cell
from precision.results import LayerSensitivity
from tests.plan.reports import contribution, layer, report

FORMATS = ("float16", "int8")


def of(fqn: str, *errors: float | None, block: str = "", nonfinite: int = 0) -> LayerSensitivity:
    made = tuple(contribution(error, 100, nonfinite=nonfinite if error is None else 0) for error in errors)
    return layer(fqn, made).model_copy(update={"block": block})


def test_a_layers_cell_is_the_sqnr_of_the_output() -> None:
    (row,) = rows_of(report(of("a", 1e-4, 0.0), formats=FORMATS), by="layer", order="model order")
    assert [cell.sqnr_db for cell in row.cells] == [pytest.approx(40.0), math.inf]
    assert (row.name, row.type, row.layers) == ("a", "Linear", 1)


def test_a_layer_that_was_run_counts_by_what_was_measured() -> None:
    made = contribution(1e-4, 100).model_copy(update={"exact_squared_error": 1e-2})
    (row,) = rows_of(report(layer("a", (made,)), formats=("float16",)), by="layer", order="model order")
    assert row.cells[0].sqnr_db == pytest.approx(20.0)
    assert (row.cells[0].predicted_squared_error, row.cells[0].exact_squared_error) == (1e-4, 1e-2)


def test_a_blocks_error_is_the_sum_of_its_layers_and_layers_outside_stay_alone() -> None:
    made = report(
        of("embed", 1e-3, 2e-3), of("h.0.a", 3e-4, 4e-4, block="h.0"), of("h.0.b", 6e-4, 5e-4, block="h.0"),
        formats=FORMATS,
    )  # fmt: skip
    rows = rows_of(made, by="block", order="model order")
    assert [(row.name, row.layers) for row in rows] == [("embed", 1), ("h.0", 2)]
    assert [cell.squared_error for cell in rows[1].cells] == [pytest.approx(9e-4), pytest.approx(9e-4)]
    assert rows[1].reference_bytes == 800


def test_spreads_of_independent_layers_add_as_variances() -> None:
    made = [of("h.a", 1.0, block="h"), of("h.b", 2.0, block="h")]
    known = [
        each.model_copy(update={"contributions": (each.contributions[0].model_copy(update={"standard_error": error}),)})
        for each, error in zip(made, (3.0, 4.0), strict=True)
    ]
    (row,) = rows_of(report(*known, formats=("float16",)), by="block", order="worst first")
    assert row.cells[0].standard_error == pytest.approx(5.0)


def test_a_block_with_a_layer_that_is_not_finite_is_not_finite() -> None:
    made = report(
        of("h.0.a", None, 1e-4, block="h.0", nonfinite=7), of("h.0.b", 1e-4, 1e-4, block="h.0"), formats=FORMATS
    )
    (row,) = rows_of(made, by="block", order="worst first")
    assert row.cells[0].squared_error is row.cells[0].sqnr_db is None
    assert row.cells[0].nonfinite == 7
    assert worst_cell(row.cells) is row.cells[0]


def test_the_worst_rows_come_first_those_not_finite_before_them() -> None:
    made = report(of("good", 1e-9, 1e-9), of("bad", 1e-9, 1e-1), of("broken", None, 1e-9, nonfinite=1), formats=FORMATS)
    assert [row.name for row in rows_of(made, by="layer", order="worst first")] == ["broken", "bad", "good"]
    assert [row.name for row in rows_of(made, by="layer", order="model order")] == ["good", "bad", "broken"]


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "no layer to lower"),
        ([of("a", 0.0, 0.0)], "no layer adds an error of its own"),
        ([of("a", 1e-4, 3e-4), of("b", 1e-4, 1e-4)], "a adds 75 % of the error in int8"),
        ([of("a", 1.0, 0.5), of("b", None, 0.5, nonfinite=3)], "b does not work in float16: its output is not finite"),
        (
            [of("a", None, 1.0, nonfinite=1), of("b", None, 1.0, nonfinite=1), of("c", 1.0, 1.0)],
            "2 of 3 layers do not work in float16, a first",
        ),
        ([of("", 1.0, 0.0)], "(model) adds 100 % of the error in float16"),
        ([of("a", None, None)], "a does not work in float16: it does not run"),
    ],
)
def test_the_finding(layers: list[LayerSensitivity], said: str) -> None:
    assert finding(report(*layers, formats=FORMATS)) == said
