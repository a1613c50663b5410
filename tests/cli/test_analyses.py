"""The commands that look inside a model, `layers` and `ranges`: what they print is what the analyses measure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import precision as px
from precision.cli.main import main
from precision.results import CompareResult, LayersResult, RangesResult, RoutesResult, SensitivityResult
from precision.spec import Analysis, CastMethod, RunSpec
from precision.text.units import number_text
from tests.runs import compare_layers, measure_ranges, measure_routes, measure_sensitivity, with_model
from tests.zoo.awkward_models import Float32Mask

Captured = pytest.CaptureFixture[str]


def table(printed: str, first: str) -> list[list[str]]:
    """The cells of the table that begins with this heading, by columns two spaces apart."""
    lines = printed.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(first))
    rows = []
    for line in lines[start:]:
        if not line:
            break
        rows.append([cell.strip() for cell in line.strip().split("  ") if cell.strip()])
    return rows


def test_layers_prints_the_numbers_of_the_analysis(capsys: Captured) -> None:
    report = compare_layers(RunSpec(analysis=Analysis.LAYERS)).report
    assert report is not None
    assert main(["layers"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = {cells[0]: cells for cells in table(printed.out, "LAYER ")[1:]}
    assert list(rows) == ["the model (TinyNet)", *(row.fqn for row in report.rows if row.fqn)]
    for row in report.rows:
        if row.corners is not None and row.errors is not None:
            assert rows[row.fqn][2:4] == [
                number_text(row.errors.normalized_l2),
                number_text(row.corners.local.normalized_l2),
            ]


def test_layers_has_a_line_for_the_own_code_of_a_module(capsys: Captured) -> None:
    assert main(["layers", "--model", "rotary", "--dtype", "bfloat16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("    blocks.0.attention "))
    code = [cell.strip() for cell in lines[at + 1].split("  ") if cell.strip()]
    assert lines[at + 1].startswith("      blocks.0.attention:code ")
    assert code[1] == "RotaryAttention, own code"
    assert len(code) == 7  # errors up to the largest one; no gain, no counts


def test_layers_lists_operators_where_asked(capsys: Captured) -> None:
    assert main(["layers", "--method", "autocast", "--dtype", "bfloat16"]) == 0
    assert "OPERATOR" not in capsys.readouterr().out
    assert main(["layers", "--method", "autocast", "--dtype", "bfloat16", "--operators"]) == 0
    rows = table(capsys.readouterr().out, "LAYER            OPERATOR")[1:]
    assert [cells[1] for cells in rows] == ["embedding", "linear", "layer_norm", "linear", "layer_norm", "linear"]
    remarks = [cells[-1] for cells in rows]
    assert remarks.count("silently promoted") == 2
    assert remarks[1] == "lowered by autocast"


def test_layers_as_json_reads_back(capsys: Captured) -> None:
    assert main(["layers", "--json"]) == 0
    result = LayersResult.model_validate_json(capsys.readouterr().out)
    assert result.report is not None
    assert result.report.rows == getattr(compare_layers(RunSpec()).report, "rows", None)
    assert result.report.operators


def test_layers_that_stop_print_what_was_compared_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    with_model(monkeypatch, Float32Mask(), torch.ones(2, 3))
    assert main(["layers"]) == 2
    printed = capsys.readouterr()
    assert "first" in [cells[0] for cells in table(printed.out, "LAYER ")]
    assert "Stopped: " in printed.out
    assert "Remedy, tried: keep inner.1 in float32" in printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith("python -m precision: error: ")
    assert main(["layers", "--keep", "inner.1"]) == 0


def test_ranges_prints_the_numbers_of_the_analysis(capsys: Captured) -> None:
    ranges = measure_ranges(RunSpec(analysis=Analysis.RANGES)).ranges
    assert ranges is not None
    assert main(["ranges", "--judge-by", "float8_e4m3fn"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    header, *rows = table(printed.out, "TENSOR ")
    assert "in float8_e4m3fn." in printed.out
    assert header[-3:] == ["VERDICT", "HEADROOM", "PREDICTED SQNR dB"]
    assert [cells[0] for cells in rows] == [tensor.label for tensor in ranges.tensors]
    weight = ranges.histogram_of(next(tensor for tensor in ranges.tensors if tensor.name == "head.weight"))
    assert number_text(weight.largest) in next(cells for cells in rows if cells[0] == "head.weight")


def test_ranges_as_json_reads_back(capsys: Captured) -> None:
    assert main(["ranges", "--json"]) == 0
    printed = capsys.readouterr().out
    assert RangesResult.model_validate_json(printed).ranges == measure_ranges(RunSpec()).ranges
    assert json.loads(printed)["spec"]["analysis"] == "ranges"


@pytest.mark.parametrize("command", ["layers", "ranges", "sensitivity", "training"])
def test_bad_input_exits_2_with_one_line(command: str, capsys: Captured) -> None:
    assert main([command, "--model", "tinynett"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert "tinynet" in line


@pytest.mark.parametrize(
    ("choice", "place"),
    [("product", "operator mul in blocks.0.feed_forward"), ("residual", "operator add in blocks.1")],
)
def test_layers_names_the_operator_of_a_planted_overflow(choice: str, place: str, capsys: Captured) -> None:
    assert main(["layers", "--model", "overflow", "--input", choice]) == 0
    assert f"{place}. 4 elements became infinite or NaN" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    ["models", "devices", "formats", "audit", "compare", "layers", "ranges", "sensitivity", "training", "autocast"],
)
def test_help_speaks_of_limits_only_where_there_are_some(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "exit code: 0 done;" in printed
    assert ("--fail-above" in printed) == ("1 a limit of" in printed) == (command == "compare")


def test_sensitivity_prints_the_worst_layer_first(capsys: Captured) -> None:
    assert main(["sensitivity", "--formats", "bf16,int8", "--exact"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    header, *rows = table(printed.out, "LAYER ")
    assert header == ["LAYER", "TYPE", "CALLS", "WEIGHTS", "BFLOAT16", "INT8"]
    assert rows[0][0] == "head"
    assert rows[1][:4] == ["layernorm_2", "LayerNorm", "1", "16 B"]
    assert all(cell.endswith(" measured") for row in rows for cell in row[4:])
    assert rows[1][-1] == "exact measured"
    exact = table(printed.out, "LAYER            FORMAT")
    assert {"RMSE, PREDICTED", "RMSE, MEASURED", "RMSE OF ALL OTHER LAYERS, MEASURED"} <= set(exact[0])
    checks = table(printed.out, "EVERY LAYER IN")[1:]
    assert [cells[0] for cells in checks] == ["bfloat16", "int8"]
    report = measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY, formats=("bfloat16", "int8"))).report
    assert report is not None
    for cells, check in zip(checks, report.uniform, strict=True):
        assert check.measured_squared_error is not None
        assert cells[2] == number_text(check.measured_squared_error**0.5)


def test_sensitivity_as_json_reads_back(capsys: Captured) -> None:
    assert main(["sensitivity", "--formats", "float16", "--json"]) == 0
    result = SensitivityResult.model_validate_json(capsys.readouterr().out)
    assert result.spec.formats == ("float16",)
    assert result.report is not None
    assert len(result.report.layers) == 6


def test_sensitivity_of_an_overflow_names_what_is_not_finite(capsys: Captured) -> None:
    assert main(["sensitivity", "--model", "overflow", "--formats", "float16"]) == 0
    assert "not finite" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["plan", "--bytes-share", "2"], "'2': expected a share above 0 and up to 1"),
        (["plan", "--bytes-share", "nan"], "expected a share above 0"),
        (["plan", "--bytes-share", "much"], "expected a share above 0"),
        (["plan", "--max-bytes", "20 parsecs"], "expected a size such as 8GiB"),
        (["plan", "--max-bytes", "0"], "must be more than zero"),
        (["plan", "--bytes-share", "0.5", "--formats", ""], "name at least one format"),
        (["sensitivity", "--formats", " , "], "name at least one format"),
        (["sweep", "--formats", ""], "name at least one format"),
        (["sensitivity", "--dtype", "float16"], "this command does not read --dtype. It reads: --model"),
        (
            ["plan", "--bytes-share", "0.5", "--method", "half"],
            "this command does not read --method. It reads: --model",
        ),
        (["plan", "--exact"], "this command does not read --exact. It reads: --model"),
        (["ranges", "--exact"], "--reference, --text, --own-weights, --data, --judge-by, --run, --json. See"),
        (
            ["ranges", "--method", "to", "--keep", "head", "--method=half"],
            "this command does not read --method, --keep. It reads: --model",
        ),
        (["compare", "--formats", "int8"], "this command does not read --formats. It reads: --model"),
        (["compare", "--port", "80"], "does not read --port. It reads: --model"),
        (["sweep", "--exact"], "--data, --formats, --methods, --devices, --json. See"),
        (["devices", "--batch", "3"], "this command does not read --batch. It reads: --measure, --json."),
        (["models", "--value", "3"], "this command does not read --value. It reads: --json."),
        (["formats", "--dtype", "int8"], "It reads: --format, --value, --largest, --saturate, --json."),
        (["worker", "--json"], "this command does not read --json. It reads: --name."),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_a_line(command: list[str], said: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(command)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("command", ["compare", "audit", "layers", "regimes", "sweep"])
def test_an_unknown_method_is_refused_with_those_there_are(command: str, capsys: Captured) -> None:
    option = "--methods" if command == "sweep" else "--method"
    assert main([command, option, "halve"]) == 2
    said = capsys.readouterr().err
    assert said.strip().endswith(f"Unknown cast method 'halve'. Choose of: {', '.join(CastMethod)}.")


def test_help_lists_compare_first_and_what_serves_last(capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    listed = re.findall(r"^    ([a-z]+) ", capsys.readouterr().out, re.MULTILINE)
    assert listed[0] == "compare"
    assert listed[-8:] == ["sweep", "plan", "models", "devices", "formats", "run", "open", "worker"]


def test_help_tells_defaults_that_are_so(capsys: Captured) -> None:
    for command, said, unsaid in (
        (
            "sensitivity",
            "formats to measure, separated by commas (default: bfloat16,",
            "measure, separated by commas (default: none",
        ),
        ("training", "the format: bfloat16 or float16 (default: float16)", "float8"),
        ("autocast", "the format: bfloat16 or float16 (default: bfloat16)", "float8"),
    ):
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        printed = " ".join(capsys.readouterr().out.split())
        assert said in printed
        assert unsaid not in printed


def test_a_budget_may_have_a_unit(capsys: Captured) -> None:
    assert main(["plan", "--formats", "bfloat16", "--max-bytes", "0.1KiB"]) == 0
    printed = capsys.readouterr().out
    assert "this plan" in printed
    assert "every layer was timed once, alone" in printed


def test_routes_prints_what_each_way_to_cast_did(capsys: Captured) -> None:
    assert main(["routes", "--model", "rotary", "--dtype", "bfloat16"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert ".to(dtype) drops the imaginary part of 1 tensor, .bfloat16() keeps it: SQNR " in printed.out
    stored = {cells[0]: cells for cells in table(printed.out, "ROUTE ")[1:]}
    assert "complex64" in stored[".bfloat16()"]
    assert "complex64" not in stored[".to(dtype)"]
    assert "from_pretrained(dtype=): RotaryNet is not a transformers model" in printed.out
    assert main(["routes", "--json"]) == 0
    result = RoutesResult.model_validate(json.loads(capsys.readouterr().out))
    assert result.report == measure_routes(RunSpec(analysis=Analysis.ROUTES)).report


def test_routes_takes_no_method(capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["routes", "--method", "half"])


@pytest.mark.parametrize("command", [analysis.value for analysis in Analysis if analysis is not Analysis.DEVICE_SPEED])
def test_a_setting_that_an_analysis_does_not_read_is_refused_with_those_it_reads(
    command: str, capsys: Captured
) -> None:
    reads = Analysis(command).info.reads
    for field in RunSpec.model_fields.keys() - {*reads, "analysis"}:
        name = field.replace("_", "-")
        with pytest.raises(SystemExit) as ended:
            main([command, f"--{name}", "anything"])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert f"does not read --{name}." in said
        assert all(f"--{read.replace('_', '-')}" in said for read in reads)


@pytest.mark.parametrize("how", ["as-is", "scaled"])
def test_ranges_run_prints_the_comparison_that_compare_and_the_library_give(how: str, capsys: Captured) -> None:
    assert main(["ranges", "--model", "digits", "--batch", "8", "--run", how, "--json"]) == 0
    shown = CompareResult.model_validate_json(capsys.readouterr().out)
    again = ["--weights", shown.spec.to_query()["weights"]]
    assert main(["compare", "--model", "digits", "--batch", "8", *again, "--json"]) == 0
    compared = CompareResult.model_validate_json(capsys.readouterr().out)
    library = px.ranges(px.load("digits", batch=8), progress=False).run(scaled=how == "scaled").result
    for other in (compared, library):
        assert (other.spec, other.comparison, other.audit) == (shown.spec, shown.comparison, shown.audit)
        assert other.verdict == shown.verdict
    assert any("*2^" in way for _, way in shown.spec.weights) == (how == "scaled")


def test_weights_are_read_from_a_file_and_refused_by_what_they_lack(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "weights.json"
    file.write_text(json.dumps({"linear_1.weight": "half", "head.bias": "int8"}))
    assert main(["compare", "--weights", str(file)]) == 0
    assert "Candidate  float32 with weights in 1 × int8, 1 × float16; simulated" in capsys.readouterr().out
    assert main(["compare", "--weights", "linear_1.wait=half"]) == 2
    assert "no parameter 'linear_1.wait'" in capsys.readouterr().err
    for wrong, said in (("no-such-file", "neither NAME=FORMAT nor a file"), ("", "neither NAME=FORMAT nor a file")):
        with pytest.raises(SystemExit):
            main(["compare", "--weights", wrong])
        assert said in capsys.readouterr().err
    assert main(["ranges", "--model", "hf:none", "--run"]) == 2


def test_a_dialect_is_an_answer_of_ranges_only_where_it_is_asked_for(capsys: Captured) -> None:
    assert main(["ranges", "--model", "digits", "--batch", "8"]) == 0
    assert "fnuz" not in capsys.readouterr().out
    assert main(["ranges", "--model", "digits", "--batch", "8", "--judge-by", "e5m2fnuz"]) == 0
    assert "in float8_e5m2fnuz" in capsys.readouterr().out
