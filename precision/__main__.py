"""`python -m precision`, or `precision-explorer` where it is installed: the same comparisons in a terminal."""

import io
import os
import sys

from precision.cli.main import main

_READER_LEFT = 141
"""What a shell reports of a program whose reader left, such as `head`: 128 + SIGPIPE."""


def run() -> int:
    """Run the command line on the arguments of this process; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without × or µ is no reason to fail
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return _READER_LEFT
    return code


if __name__ == "__main__":
    sys.exit(run())
