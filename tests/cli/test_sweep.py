"""The commands `sweep`, `memory` and `devices --measure`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from precision.cli.main import main
from precision.measure import device_speed
from precision.results import DeviceSpeedResult, MemoryResult, SweepResult
from precision.spec import CastMethod

Captured = pytest.CaptureFixture[str]


def test_sweep_prints_a_line_for_every_run(capsys: Captured) -> None:
    assert main(["sweep", "--model", "tinynet", "--formats", "float16,int8", "--methods", "to,dynamic"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    header = next(at for at, line in enumerate(lines) if line.startswith("FORMAT"))
    assert "BYTES, MEASURED" in lines[header]
    assert "BYTES, ESTIMATED" in lines[header]
    shown = [[cell.strip() for cell in line.split("  ") if cell] for line in lines[header + 1 : header + 3]]
    assert [cells[:3] for cells in shown] == [
        ["float16", CastMethod.TO.label, "cpu"],
        ["int8", CastMethod.DYNAMIC.label, "cpu"],
    ]
    assert "60 B" in shown[0]
    assert sum(line.startswith("Warning: ") for line in lines) == 2


def test_sweep_as_json_reads_back(capsys: Captured) -> None:
    assert main(["sweep", "--formats", "float16,bf16", "--json"]) == 0
    result = SweepResult.model_validate_json(capsys.readouterr().out)
    assert [row.spec.dtype for row in result.rows] == ["float16", "bfloat16"]
    assert result.rows[0].max_abs_error == pytest.approx(0.00022590160369873047)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--formats", "float17"], "Unknown format 'float17'"),
        (["--methods", "magic"], "Unknown cast method 'magic'"),
        (["--model", "nothing"], "Unknown model 'nothing'"),
        (["--devices", "cuda:99"], "no device 'cuda:99'"),
    ],
)
def test_sweep_refuses_in_a_line(options: list[str], said: str, capsys: Captured) -> None:
    assert main(["sweep", *options]) == 2
    assert said in capsys.readouterr().err


def test_memory_prints_bytes_and_what_fits(capsys: Captured) -> None:
    assert main(["memory", "--model", "tinynet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "30 parameters, 120 B in float32" in lines[0]
    assert next(line for line in lines if line.startswith("float16")).split()[:4] == ["float16", "60", "B", "60"]
    assert "FITS cpu" in next(line for line in lines if line.startswith("FORMAT"))


def test_memory_as_json_reads_back(capsys: Captured) -> None:
    assert main(["memory", "--json"]) == 0
    assert MemoryResult.model_validate_json(capsys.readouterr().out).memory.reference_bytes == 120


def test_measured_devices_are_kept(capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECISION_DATA", str(tmp_path))
    monkeypatch.setattr(device_speed, "_WHOLE_LIMIT_S", 0.5)
    assert main(["devices", "--measure", "--json"]) == 0
    (printed, *_) = json.loads(capsys.readouterr().out)
    (kept,) = (tmp_path / "device-speed").iterdir()
    assert DeviceSpeedResult.model_validate(printed) == DeviceSpeedResult.model_validate_json(kept.read_bytes())
    assert main(["devices", "--measure"]) == 0
    assert "matmul" in capsys.readouterr().out
