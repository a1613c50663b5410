"""`run` and `open`: the dashboard, served by Streamlit."""

import argparse
import os
import runpy
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import precision
from precision.findings.page_link import first_link
from precision.models import opened

_PORTS = range(1, 1 << 16)
_USUAL_PORT = 8501
_STARTS_WITHIN_S, _LOOK_EVERY_S = 60.0, 0.2


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


def add_open_options(command: argparse.ArgumentParser) -> None:
    """The options of the command `open`."""
    command.add_argument("file", type=Path, metavar="FILE", help="JSON that run.save, to_json or --json wrote")
    command.add_argument(
        "--port",
        type=_port,
        metavar="PORT",
        help=f"port to listen on (default: {_USUAL_PORT}, or another if it is taken)",
    )
    command.add_argument("--no-browser", action="store_true", help="only print the address")


def open_file(arguments: argparse.Namespace) -> int:
    """Run the server with the results of a file in it, until it is stopped, and open a browser where they are shown.

    Raises:
        InputError: the file holds no results.
    """
    file = arguments.file.absolute()
    link = first_link(opened.read(file))
    os.environ[opened.VARIABLE] = str(file)
    arguments.port = arguments.port or free_port()
    arguments.address = None
    root = f"http://localhost:{arguments.port}/"
    print(root + link, flush=True)
    if not arguments.no_browser:
        threading.Thread(target=show_when_up, args=(root, link), name="browser", daemon=True).start()
    return run(arguments)


def show_when_up(root: str, link: str) -> None:
    """Open a browser once the server answers."""
    given_up_at = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < given_up_at:
        try:
            urlopen(f"{root}_stcore/health", timeout=_STARTS_WITHIN_S).close()  # noqa: S310  # this machine
        except (URLError, OSError):
            time.sleep(_LOOK_EVERY_S)
        else:
            webbrowser.open(root + link)
            return


def free_port() -> int:
    """The usual port, or one that the system chooses where it is taken."""
    for port in (_USUAL_PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                free: int = server.getsockname()[1]
                return free
        except OSError:
            continue
    return _USUAL_PORT


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
