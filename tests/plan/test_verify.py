"""Plans of real models, run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import precision as px
from precision.cli.main import main
from precision.plan.front import front_of
from precision.plan.solve import Planner
from precision.plan.totals import plan_of
from precision.plan.verify import verify
from precision.spec import Analysis, RunSpec
from tests.runs import measure_sensitivity

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(("model", "batch"), [("digits", 100), ("gpt2-tiny", None)])
def test_the_whole_front_is_met_when_it_is_run_and_never_worse_than_one_format(model: str, batch: int | None) -> None:
    spec = RunSpec(model=model, analysis=Analysis.SENSITIVITY, batch=batch)
    report = measure_sensitivity(spec).report
    assert report is not None
    points = front_of(Planner(report=report), points=5).points[:-1]
    assert len({name for point in points for name in point.formats}) >= 4
    uniform = {
        each.totals.stored_bytes: each.totals.squared_error
        for each in Planner(report=report).least_error(math.inf).uniform
        if each.totals.is_measured
    }
    for point in points:
        found = verify(plan_of(report, point.formats, reference="float32", optimal=True), spec)
        assert found.failure is None
        assert found.ratio == pytest.approx(1, abs=0.25)
        assert found.predicted_bytes == (found.estimated_bytes or found.measured_bytes)
        assert found.measured_squared_error is not None
        for stored_bytes, squared_error in uniform.items():
            if stored_bytes <= point.totals.stored_bytes:
                assert found.measured_squared_error <= (squared_error or 0) * (1 + 1e-5)


def test_the_command_prints_the_plan_and_writes_it(capsys: Captured, tmp_path: Path) -> None:
    code, data = tmp_path / "plan.py", tmp_path / "plan.json"
    common = ["plan", "--model", "digits", "--batch", "32", "--formats", "bf16,fp16,int8_per_channel", "--keep-norms"]
    assert main([*common, "--bytes-share", "0.6", "--native", "--verify", "--export", str(code)]) == 0
    text = capsys.readouterr().out
    assert "PREDICTED / MEASURED" in text
    assert "all bfloat16" in text
    assert "def lower_layers(model):" in code.read_text()
    assert main([*common, "--min-sqnr", "40", "--export", str(data), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["plan"]["totals"]["sqnr_db"] >= 40
    assert json.loads(data.read_text())["layers"] == {row["fqn"]: row["format"] for row in printed["plan"]["layers"]}
    assert {row["format"] for row in printed["plan"]["layers"] if "Norm" in row["type"]} == {"float32"}


@pytest.mark.parametrize("input", ["product", "residual"])
def test_a_layer_that_overflows_in_float16_is_kept_wider_by_every_plan(input: str) -> None:
    formats = ("float16", "bfloat16")
    report = measure_sensitivity(
        RunSpec(model="overflow", input=input, analysis=Analysis.SENSITIVITY, formats=formats)
    ).report
    assert report is not None
    bad = {at for at, layer in enumerate(report.layers) if layer.contributions[0].nonfinite}
    assert bad
    points = front_of(Planner(report=report), points=100).points
    assert any("float16" in point.formats for point in points)
    assert any(point.formats[at] == "bfloat16" for point in points for at in bad)
    assert not any(point.formats[at] == "float16" for point in points for at in bad)
    assert all(point.totals.squared_error is not None for point in points)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-bytes", "1"], "No plan fits in 1 B: the least possible is"),
        (["--bytes-share", "0.9", "--keep", "nothing"], "There is no layer nothing to keep"),
        (["--bytes-share", "0.9", "--export", "/nowhere/plan.json"], "cannot be written"),
    ],
)
def test_what_cannot_be_planned_is_refused(options: list[str], message: str, capsys: Captured) -> None:
    assert main(["plan", "--model", "tinynet", "--formats", "float16", *options]) == 2
    assert message in capsys.readouterr().err


class Detector(nn.Module):
    """Boxes so small that float16 makes them 0, beside logits."""

    def __init__(self) -> None:
        super().__init__()
        self.boxes, self.logits = nn.Linear(16, 4), nn.Linear(16, 6)
        for parameter in self.boxes.parameters():
            nn.init.normal_(parameter, std=1e-9)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"boxes": self.boxes(x), "logits": self.logits(x)}


def test_a_plan_that_breaks_one_output_of_two_says_so() -> None:
    torch.manual_seed(1)
    found = px.sensitivity(Detector(), torch.randn(50, 16), formats=["float16"], progress=False)
    verification = found.plan(min_sqnr=40).verify()
    assert verification.ratio == pytest.approx(1, abs=0.1)
    assert verification.worst_output == "boxes"
    assert verification.worst_sqnr_db == pytest.approx(0)
    assert str(verification).startswith("This plan breaks the output boxes")
