"""The options of `run` and `worker`, which start servers: those are tried in `tests/package` and `tests/engine`."""

from __future__ import annotations

import pytest

from precision.cli.arguments import parser
from precision.cli.main import main


@pytest.mark.parametrize("port", ["0", "65536", "80a", "-1"])
def test_a_port_that_is_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", f"--port={port}"])
    assert f"'{port}': expected a port" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["box:8786", "tcp://box", "http://box:8786"])
def test_a_scheduler_that_is_no_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["worker", address])
    assert f"'{address}': expected an address such as tcp://" in capsys.readouterr().err


def test_a_worker_is_called_as_its_machine_unless_it_has_a_name() -> None:
    assert parser().parse_args(["worker", "tcp://box:8786"]).name
    assert parser().parse_args(["worker", "tcp://box:8786", "--name", "gpu-1"]).name == "gpu-1"
