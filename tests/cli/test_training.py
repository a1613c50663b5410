"""The commands `training` and `autocast` print what is measured."""

from __future__ import annotations

import pytest
import torch

from precision.cli.main import main
from precision.results import AutocastResult, TrainingResult
from precision.spec import Analysis, RunSpec
from precision.text.units import number_text
from tests.cli.test_analyses import table
from tests.measure.training.planted import HalfUsed, Scaled
from tests.runs import measure_autocast, measure_training, with_model

Captured = pytest.CaptureFixture[str]


def test_training_prints_every_recipe_step_and_parameter(capsys: Captured) -> None:
    report = measure_training(RunSpec(analysis=Analysis.TRAINING)).report
    assert report is not None
    assert main(["training"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "Candidate" not in printed.out
    recipes = table(printed.out, "METHOD            UNDERFLOW")[1:]
    assert [cells[0] for cells in recipes] == ["pure", "pure, scaled", "autocast", "autocast, scaled"]
    for cells, recipe in zip(recipes, report.recipes, strict=True):
        assert recipe.overall is not None
        assert number_text(recipe.overall.normalized_l2) in cells
    steps = table(printed.out, "METHOD            OPTIMIZER")[1:]
    assert len(steps) == sum(len(recipe.steps) for recipe in report.recipes) == 12
    parameters = table(printed.out, "PARAMETER ")[1:]
    assert [cells[0] for cells in parameters] == [report.parameters[at].fqn for at in report.worst_first]


def test_training_tells_of_skipped_steps_and_of_failures(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Scaled(2.0**20), torch.ones(64))
    assert main(["training", "--dtype", "float16"]) == 0
    rows = {cells[0]: cells[-2:] for cells in table(capsys.readouterr().out, "METHOD            UNDERFLOW")[1:]}
    scale, failure = rows["pure, scaled"]
    assert scale == "first 65,536, 1 skipped, none made"
    assert failure.startswith("The loss itself is infinite or NaN")


def test_training_names_parameters_without_a_gradient(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, HalfUsed(), torch.ones(2, 4))
    assert main(["training", "--dtype", "bfloat16"]) == 0
    assert "Without a gradient: unused.weight, unused.bias." in capsys.readouterr().out


def test_training_as_json_reads_back(capsys: Captured) -> None:
    assert main(["training", "--dtype", "bfloat16", "--json"]) == 0
    result = TrainingResult.model_validate_json(capsys.readouterr().out)
    assert result.report == measure_training(RunSpec(dtype="bfloat16", analysis=Analysis.TRAINING)).report


def test_training_refuses_other_formats(capsys: Captured) -> None:
    assert main(["training", "--dtype", "int8"]) == 2
    assert "is not simulated" in capsys.readouterr().err


def test_autocast_prints_a_line_for_every_operator(capsys: Captured) -> None:
    result = measure_autocast(RunSpec(dtype="bfloat16", analysis=Analysis.AUTOCAST))
    assert main(["autocast", "--dtype", "bfloat16"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = table(printed.out, "OPERATOR ")[1:]
    assert [cells[0] for cells in rows] == [each.name for each in result.operators]
    for cells, each in zip(rows, result.operators, strict=True):
        assert each.rule in cells, each.name  # not every row has all columns: an operator that raises ends with why
        assert each.gradients_text in cells, each.name
    assert main(["autocast", "--dtype", "bfloat16", "--json"]) == 0
    assert AutocastResult.model_validate_json(capsys.readouterr().out).operators == result.operators


def test_layers_say_what_autocast_lowered(capsys: Captured) -> None:
    assert main(["layers", "--method", "autocast", "--dtype", "bfloat16"]) == 0
    assert "3 of 6 operators ran in bfloat16; in float32: 2 × layer_norm, embedding." in capsys.readouterr().out
    assert main(["layers", "--dtype", "bfloat16"]) == 0
    assert "operators ran in" not in capsys.readouterr().out
