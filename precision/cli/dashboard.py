"""`run`: the dashboard, served by Streamlit."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import precision

_ABOUT = "serve the dashboard to browsers until Ctrl-C"
_PORTS = range(1, 1 << 16)


def add_run(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `run`."""
    command = add_parser(
        "run",
        help=_ABOUT,
        description=_ABOUT,
        epilog="Streamlit's other settings are environment variables, such as STREAMLIT_SERVER_HEADLESS=false.",
        allow_abbrev=False,
    )
    command.add_argument("--port", type=_port, metavar="PORT", help="port that it listens on (default: 8501)")
    command.add_argument(
        "--address",
        metavar="ADDRESS",
        help="address that it listens on; 0.0.0.0 lets other machines in (default: 127.0.0.1, this machine alone)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Be Streamlit's server until it is ended.

    Streamlit itself reads `.streamlit/config.toml` beside the script, in whatever folder this is called.
    """
    given = {"--server.port": arguments.port, "--server.address": arguments.address}
    options = [f"{option}={value}" for option, value in given.items() if value is not None]
    sys.argv = ["streamlit", "run", str(_script()), *options]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    return 0


def _script() -> Path:
    """`app.py`: in the package's folder of its own, or in a checkout, where it lies beside the library."""
    beside = Path(precision.__file__).parents[1]
    installed = beside / "precision_dashboard" / "app.py"
    return installed if installed.is_file() else beside / "app.py"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) not in _PORTS:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: expected a port, a number from 1 to 65535")
    return int(text)
