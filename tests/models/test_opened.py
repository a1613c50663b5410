"""Files of results: what is read, and what is refused in a sentence."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import precision as px
from precision.cli.main import main
from precision.errors import InputError
from precision.models.catalogue import describe, missing_package
from precision.models.opened import MAX_BYTES, elsewhere, read, results_of

MODULE, INPUTS = nn.Sequential(nn.Linear(4, 3)), torch.linspace(-1, 1, 8).reshape(2, 4)


@pytest.fixture(scope="module")
def runs() -> list[px.library.measured.Measured[Any]]:
    return [px.compare(MODULE, INPUTS), px.compare(MODULE, INPUTS, dtype="int8"), px.ranges(MODULE, INPUTS)]


@pytest.fixture
def file(tmp_path: Path, runs: list[Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "net *1*.json"
    runs[0].save(path, *runs[1:])
    monkeypatch.setenv("PRECISION_OPEN", str(path))
    return path


def test_what_was_saved_is_read(file: Path, runs: list[Any], tmp_path: Path) -> None:
    assert read(file) == tuple(run.result for run in runs)
    (tmp_path / "one.json").write_text(runs[0].to_json())
    assert read(tmp_path / "one.json") == (runs[0].result,)


def test_a_module_that_is_elsewhere_is_described_by_its_results(file: Path, runs: list[Any]) -> None:
    assert elsewhere() == {"module:Sequential": "Sequential (from net *1*.json)"}
    known = runs[0].result.model
    assert describe(known.id).model_copy(update={"good_for": "", "licence": ""}) == known
    assert missing_package("module:Sequential") is None
    assert len(results_of("module:Sequential")) == len(runs)
    with pytest.raises(InputError, match=r"'module:Net' is a caller's own module.* run\.open\(\) shows"):
        describe("module:Net")


def test_without_a_file_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not elsewhere()
    monkeypatch.setenv("PRECISION_OPEN", str(tmp_path / "gone"))
    assert not elsewhere()
    assert not results_of("module:Sequential")


def _changed(**update: object) -> Callable[[dict[str, Any]], Any]:
    return lambda result: result | update


def _spec(**update: object) -> Callable[[dict[str, Any]], Any]:
    return lambda result: result | {"spec": result["spec"] | update}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda _: [], "net.json holds no result"),
        (lambda _: 3, "is no result that pages show"),
        (lambda _: {"rows": [], "skipped": []}, "a sweep is only a table"),
        (_spec(analysis="sweep"), "is no result that pages show"),
        (_spec(dtype="float17"), "net.json has a request that is none. Unknown format"),
        (_spec(more=1), "is no compare of this version of Precision Explorer: spec.more: Extra inputs"),
        (_changed(elapsed_s="soon"), "elapsed_s: Input should be a valid number"),
        (lambda result: [result, result], "two results of one request"),
        (lambda result: [result, _changed(warnings=None)(result)], "net.json, result 2 is no compare"),
    ],
)
def test_what_is_no_result_is_refused(
    made: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path, runs: list[Any]
) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(made(json.loads(runs[0].to_json()))))
    with pytest.raises(InputError, match=said):
        read(path)


@pytest.mark.parametrize("content", [pickle.dumps([1]), b"\xff\xfe", b"[" * 100_000, b"{", b""])
def test_what_is_no_json_is_refused_by_the_command(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.pkl"
    path.write_bytes(content)
    assert main(["open", str(path)]) == 2
    said = capsys.readouterr()
    assert "net.pkl is no JSON." in said.err
    assert not said.out


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(InputError, match="more than 64 MiB"):
        read(path)


def test_a_folder_and_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InputError, match="There is no file"):
            read(path)


def test_a_file_that_cannot_be_written(tmp_path: Path, runs: list[Any]) -> None:
    with pytest.raises(InputError, match=r"net\.json cannot be written: No such file"):
        runs[0].save(tmp_path / "gone" / "net.json")
