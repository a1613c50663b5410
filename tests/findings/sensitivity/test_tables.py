"""One table of sensitivities for pages, terminal and files: what was measured counts, and says so."""

from __future__ import annotations

import pytest

from precision.cli.texts import sensitivity_text
from precision.findings.sensitivity.tables import sensitivity_table, sqnr_matrix, whole_casts
from precision.results import UniformCheck
from precision.spec import Analysis, RunSpec
from tests.plan.reports import contribution, layer, report
from tests.runs import measure_sensitivity


def test_a_layer_that_was_run_shows_what_was_measured_and_the_others_that_they_are_estimated() -> None:
    run = contribution(1e-4, 100).model_copy(update={"exact_squared_error": 1e-2})
    made = report(layer("run", (run,)), layer("not run", (contribution(1e-3, 100),)), formats=("int8",))
    table = sensitivity_table(made)
    assert table.pick("layer", "SQNR is", "RMSE, measured").rows == (
        ("run", "measured", 0.1),
        ("not run", "estimated", None),
    )
    assert table.column("SQNR") == (pytest.approx(20.0), pytest.approx(30.0))
    assert sqnr_matrix(made).column("int8") == ("20.0 measured", "30.0 estimated")


def test_a_block_of_which_some_layers_were_run_is_partly_measured() -> None:
    run = contribution(1e-4, 100).model_copy(update={"exact_squared_error": 1e-2})
    layers = [layer("h.a", (run,)), layer("h.b", (contribution(1e-3, 100),))]
    made = report(*(each.model_copy(update={"block": "h"}) for each in layers), formats=("int8",))
    assert sensitivity_table(made, by="block").pick("block", "type", "SQNR is").rows == (
        ("h", "2 layers", "partly measured"),
    )


def test_a_layer_without_an_error_says_why() -> None:
    layers = (layer("broken", (contribution(None, 100, nonfinite=7),)), layer("no kernel", (contribution(None, 100),)))
    made = report(*layers, formats=("int8",))
    assert dict(sqnr_matrix(made).pick("layer", "int8").rows) == {
        "broken": "7 not finite",
        "no kernel": "does not run",
    }
    assert "SQNR" not in sensitivity_table(made).names


def test_a_whole_cast_that_measured_nothing_is_not_said_to_have_run() -> None:
    made = report(layer("a", (contribution(1e-4, 100),) * 3), formats=("int8", "int4", "float16"))
    checks = [("int8", 1e-4, None), ("int4", None, 1e-4), ("float16", 1e-4, 1e-4)]
    uniform = tuple(
        UniformCheck(dtype=name, predicted_squared_error=predicted, measured_squared_error=measured)
        for name, predicted, measured in checks
    )
    assert whole_casts(made.model_copy(update={"uniform": uniform})).column("remark") == (
        *("not finite, or it does not run", "no prediction", ""),
    )


@pytest.mark.slow
def test_the_terminal_shows_the_figures_of_the_page() -> None:
    result = measure_sensitivity(RunSpec(model="gpt2-tiny", analysis=Analysis.SENSITIVITY, formats=("int8",)))
    assert result.report is not None
    shown = sensitivity_table(result.report).pick("layer", "SQNR", "SQNR is").rows
    lines = {cells[0]: cells for cells in map(str.split, sensitivity_text(result).splitlines()) if cells}
    for name, sqnr, how in shown:
        assert lines[str(name)][-2:] == ["exact" if sqnr == float("inf") else f"{sqnr:.1f}", how]
    assert lines["lm_head"][-2:] == ["37.4", "measured"]
    assert lines["transformer.h.0.mlp.c_proj"][-2:] == ["37.6", "measured"]
    assert [name for name, *_ in whole_casts(result.report).rows] == ["int8"]
