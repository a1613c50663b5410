"""The terminal shows the tables that pages and files show: the figures of each row stand in a line of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from precision import analyses
from precision.cli.layers import layers_text
from precision.cli.report import audit_text
from precision.cli.texts import autocast_text, ranges_text, regimes_text, routes_text, sweep_text, training_text
from precision.findings.autocast import autocast_table
from precision.findings.cast import audit_table
from precision.findings.fit.table import fit_table, formats_to_judge
from precision.findings.layers import calls_table
from precision.findings.ranges import ranges_table
from precision.findings.regimes import regimes_table
from precision.findings.routes.tables import RUN, STORED, routes_table
from precision.findings.sweep import sweep_row
from precision.findings.sweep_table import sweep_table
from precision.findings.tables import Table, written
from precision.findings.training.tables import parameters_table, recipes_table, steps_table
from precision.progress import Silent
from precision.results import SweepResult
from precision.spec import Analysis, RunSpec

Tables = Callable[[Any], Iterator[Table]]


def audit(result: Any) -> Iterator[Table]:
    yield audit_table(result.audit.tensors).pick("tensor", "before", "after", "shape", "kind", "why")


def layers(result: Any) -> Iterator[Table]:
    yield calls_table(result.report).pick("layer", "relative error", "local", "inherited", "gain", "SQNR")


def ranges(result: Any) -> Iterator[Table]:
    fits = fit_table(result.ranges, formats_to_judge(result.spec.dtype))
    table = ranges_table(result.ranges, result.ranges.tensors, fits, result.spec.dtype)
    yield table.pick(
        "tensor", "elements", "zeros", "largest", "smallest", "headroom", "predicted SQNR", "smallest format"
    )


def regimes(result: Any) -> Iterator[Table]:
    yield regimes_table(result.report)


def routes(result: Any) -> Iterator[Table]:
    yield routes_table(result.report, result.spec.dtype, STORED)
    yield routes_table(result.report, result.spec.dtype, RUN)


def sweep(result: Any) -> Iterator[Table]:
    table = sweep_table([row.spec for row in result.rows], result.rows)
    yield table.pick("format", "verdict", "SQNR", "max absolute error", "bytes, measured", "time")


def training(result: Any) -> Iterator[Table]:
    yield recipes_table(result.report)
    yield steps_table(result.report)
    yield parameters_table(result.report)


def autocast(result: Any) -> Iterator[Table]:
    yield autocast_table(result)


@pytest.mark.parametrize(
    ("analysis", "text_of", "tables"),
    [
        (Analysis.COMPARE, audit_text, audit),
        (Analysis.LAYERS, layers_text, layers),
        (Analysis.RANGES, ranges_text, ranges),
        (Analysis.REGIMES, regimes_text, regimes),
        (Analysis.ROUTES, routes_text, routes),
        (Analysis.TRAINING, training_text, training),
        (Analysis.AUTOCAST, autocast_text, autocast),
    ],
)
def test_each_row_of_a_table_is_a_line_of_the_terminal(
    analysis: Analysis, text_of: Callable[[Any], str], tables: Tables
) -> None:
    result = analyses.run(RunSpec(analysis=analysis), Silent())
    for table in tables(result):
        assert_shown(table, text_of(result))


def test_each_run_of_a_sweep_is_a_line_of_the_terminal() -> None:
    runs: list[Any] = [analyses.run(RunSpec(dtype=dtype), Silent()) for dtype in ("float16", "bfloat16")]
    result = SweepResult(rows=tuple(map(sweep_row, runs)), skipped=())
    for table in sweep(result):
        assert_shown(table, sweep_text(result))


def assert_shown(table: Table, text: str) -> None:
    assert table.rows
    lines = [set(re.split("  +", line.strip())) for line in text.splitlines()]
    for row in table.rows:
        cells = {written(value, column.kind) for value, column in zip(row, table.columns, strict=True)} - {""}
        assert any(cells <= line for line in lines), cells
