"""A limit on what building a foreign model may cost, whatever its configuration says."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil
from torch import nn

from precision.errors import InputError

MAX_PARTS = 50_000
"""Modules and parameters; the default configurations of transformers make 4,000 at most."""
MAX_BUILD_S = 10.0
MAX_BUILD_BYTES = 4 * 2**30
"""Of address space, beyond what the process has: a model on `meta` needs none of its own. On Linux only."""

_LOOK_EVERY = 64
"""Events between two looks at the clock."""
_MODULE_MADE, _PARAMETER_MADE = nn.Module.__init__.__code__, nn.Parameter.__new__.__code__


class _ExceededError(BaseException):
    """Passes through whatever a library does with exceptions."""


@contextmanager
def bounded_build(
    what: str, *, parts: int = MAX_PARTS, seconds: float = MAX_BUILD_S, allocated: int = MAX_BUILD_BYTES
) -> Iterator[None]:
    """Stops what this thread builds inside after so many parts, seconds or bytes.

    Between two calls of Python nothing is counted: one call into C is bounded in memory alone. A profiler or coverage
    by `sys.setprofile` pauses.

    Args:
        what: begins the message, such as the path of a configuration.
        parts: how many modules and parameters may be made.
        seconds: of this thread's own computing, so that a busy machine is not taken for a slow model.
        allocated: bytes of address space that the process may gain.

    Raises:
        InputError: a limit is passed; the message names it.
    """
    deadline, made, seen = time.thread_time() + seconds, 0, 0

    def watch(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal made, seen
        seen += 1
        made += event == "call" and (frame.f_code is _MODULE_MADE or frame.f_code is _PARAMETER_MADE)
        if made > parts:
            raise _ExceededError(f"more than {parts:,} modules and parameters")
        if seen % _LOOK_EVERY == 0 and time.thread_time() > deadline:
            raise _ExceededError(f"more than {seconds:g} s to build")

    before = sys.getprofile()
    try:
        with _address_space(allocated):
            sys.setprofile(watch)
            try:
                yield
            finally:
                sys.setprofile(before)
    except _ExceededError as error:
        raise InputError(f"{what} asks for a model of {error}. It is not built.") from None
    except MemoryError as error:
        raise InputError(f"{what} asks for more than {allocated / 2**30:g} GiB before any weight is read.") from error


@contextmanager
def _address_space(allocated: int) -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + allocated
    limits = [limit, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
