"""From the library to a dashboard of its own: a real server."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest
import torch
from torch import nn

import precision as px
from precision.errors import InputError
from tests.conftest import until

MODULE, INPUTS = nn.Linear(4, 3), torch.ones(2, 4)


@pytest.mark.slow
def test_a_result_is_served_until_it_is_closed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("PRECISION_DATA", str(tmp_path))
    run = px.compare(MODULE, INPUTS)
    dashboard = run.open(px.ranges(MODULE, INPUTS), block=False, browser=False)
    try:
        assert capsys.readouterr().out.strip() == dashboard.address
        root, _, link = dashboard.address.partition("?")
        assert "model=module%3ALinear" in link
        assert "dtype=float16" in link
        assert len(list(tmp_path.glob("precision-*.json"))) == 1
        until(lambda: _answers(f"{root}_stcore/health"))
        assert _answers(dashboard.address)
    finally:
        dashboard.close()
    assert not _answers(f"{root}_stcore/health")
    assert not list(tmp_path.glob("precision-*.json"))


def test_two_results_of_one_request_start_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run = px.compare(MODULE, INPUTS)
    with pytest.raises(InputError, match="two results of one request"):
        run.open(run)
    assert not list(tmp_path.iterdir())


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=10) as answer:  # noqa: S310  # this machine
            return bool(answer.status == 200)
    except OSError:
        return False
