"""`python -m precision formats`: one format, one number."""

from __future__ import annotations

import json

import pytest

from precision.cli.main import main
from precision.formats import ALL_FORMATS

Captured = pytest.CaptureFixture[str]


def printed(capsys: Captured, *options: str) -> str:
    assert main(["formats", *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def as_json(capsys: Captured, *options: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(printed(capsys, *options, "--json"), parse_constant=pytest.fail)
    return found


def test_one_number_in_every_format(capsys: Captured) -> None:
    lines = printed(capsys, "--value", "0.1").splitlines()
    assert [line.split()[0] for line in lines[1:]] == [fmt.name for fmt in ALL_FORMATS]
    assert any(line.split()[:3] == ["float16", "0.0999755859375", "2.441e-4"] for line in lines)
    found = as_json(capsys, "--value", "0.1")
    rows = found["formats"]
    assert isinstance(rows, list)
    assert [row["format"] for row in rows] == [fmt.name for fmt in ALL_FORMATS]
    assert rows[4]["value"] == 0.0999755859375
    assert rows[4]["fate"] == "rounded"


def test_one_number_in_one_format(capsys: Captured) -> None:
    text = printed(capsys, "--format", "fp16", "--value", "0.1")
    assert text.startswith("0.1 in float16 is stored as 0.09998, off by 2.441e-5\n")
    rows = {line[:14].strip(): line[16:] for line in text.splitlines()[2:]}
    assert rows["Stored"] == "0.0999755859375"
    assert rows["Bits"] == "0 01011 1001100110"
    assert rows["Code"] == "0x2E66"
    assert rows["Next smaller"] == "0.09991455078125"
    found = as_json(capsys, "--format", "fp16", "--value", "0.1")
    assert found["code"] == 0x2E66
    assert found["fields"] == {"sign": "0", "exponent": "01011", "mantissa": "1001100110"}
    assert found["typed"] == "0.1"
    assert found["exact"] is False


def test_a_negative_number_and_a_fraction(capsys: Captured) -> None:
    assert as_json(capsys, "--format", "float32", "--value=-1e-8")["value"] == -9.99999993922529e-09
    assert as_json(capsys, "--format", "e5m7", "--value", "1/3")["value"] == 0.333984375


def test_overflow_and_saturation(capsys: Captured) -> None:
    assert as_json(capsys, "--format", "float16", "--value", "70000")["value"] == "Infinity"
    assert as_json(capsys, "--format", "float16", "--value=-70000")["value"] == "-Infinity"
    assert as_json(capsys, "--format", "float16", "--value", "70000", "--saturate")["value"] == 65504
    assert as_json(capsys, "--format", "float8_e4m3fn", "--value", "500")["value"] == "NaN"


def test_a_format_with_scales(capsys: Captured) -> None:
    text = printed(capsys, "--format", "mxfp4", "--value", "1/3", "--largest", "6")
    assert text.startswith("1/3 in mxfp4_e2m1 is stored as 0.5, off by 0.1667\n")
    found = as_json(capsys, "--format", "mxfp4", "--value", "1/3", "--largest=-6")
    assert (found["element"], found["scale"]) == (0.5, 1.0)
    assert "NaN" in printed(capsys, "--format", "nvfp4", "--value", "inf")


def test_the_constants_of_one_format(capsys: Captured) -> None:
    text = printed(capsys, "--format", "e5m7")
    rows = dict(line.rsplit("  ", 1) for line in text.splitlines())
    constants = {label.strip(): value.strip() for label, value in rows.items()}
    assert constants["max"] == "65280"
    assert constants["bits per value"] == "13"
    assert constants["infinities"] == "yes"
    assert constants["arithmetic"] == "simulated"
    assert as_json(capsys, "--format", "e5m7")["max"] == 65280
    assert as_json(capsys, "--format", "int8")["max"] is None
    assert "bias" not in printed(capsys, "--format", "int8")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--value", "many"], "'many' is not a number"),
        (["--value", "0x"], "'0x' is not a hexadecimal number"),
        (["--format", "float17"], "Unknown format 'float17'"),
        (["--format", "float17", "--value", "1"], "Unknown format 'float17'"),
        (["--format", "int8", "--value", "1", "--largest", "inf"], "--largest 'inf': choose a finite number"),
        (["--value", "1", "--largest", "1e400"], "choose a finite number"),
        (["--value", "1", "--largest", "x"], "'x' is not a number"),
    ],
)
@pytest.mark.parametrize("also", [[], ["--json"]])
def test_bad_input_exits_2_with_one_line(options: list[str], says: str, also: list[str], capsys: Captured) -> None:
    assert main(["formats", *options, *also]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert says in line
