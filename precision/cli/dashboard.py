"""`run`: the dashboard, served by Streamlit."""

import argparse
import runpy
import sys
from pathlib import Path

import precision

_PORTS = range(1, 1 << 16)


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of the command `run`."""
    command.epilog = "Streamlit's other settings are environment variables, such as STREAMLIT_SERVER_HEADLESS=false."
    command.add_argument("--port", type=_port, metavar="PORT", help="port to listen on (default: 8501)")
    command.add_argument(
        "--address",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 lets other machines connect, by the names that "
        "STREAMLIT_SERVER_ALLOWED_HOSTS lists (default: 127.0.0.1, only this machine)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run Streamlit's server until it is stopped.

    Streamlit reads `.streamlit/config.toml` beside the script, whatever the current folder is.
    """
    given = {"--server.port": arguments.port, "--server.address": arguments.address}
    options = [f"{option}={value}" for option, value in given.items() if value is not None]
    sys.argv = ["streamlit", "run", str(_script()), *options]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    return 0


def _script() -> Path:
    """`app.py`: in its own package where installed, or in a checkout, beside the library."""
    beside = Path(precision.__file__).parents[1]
    installed = beside / "precision_dashboard" / "app.py"
    return installed if installed.is_file() else beside / "app.py"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) not in _PORTS:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: expected a port, a number from 1 to 65535")
    return int(text)
