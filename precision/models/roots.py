"""Which folders of this machine a job may load a model from."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_ROOTS: ContextVar[tuple[Path, ...] | None] = ContextVar("roots", default=None)


@contextmanager
def confined_to(roots: Sequence[Path]) -> Iterator[None]:
    """Local folders are only found inside `roots` (absolute) within; without it, anywhere."""
    token = _ROOTS.set(tuple(roots))
    try:
        yield
    finally:
        _ROOTS.reset(token)


def is_confined() -> bool:
    """Whether local folders are only found inside some roots."""
    return _ROOTS.get() is not None


def permitted(path: Path) -> Path | None:
    """The path that may be looked at, without links where only some roots are allowed; None where it is elsewhere.

    Whether it exists plays no part. `~` is a home folder.
    """
    roots = _ROOTS.get()
    try:
        if roots is None:
            return path.expanduser()
        real = Path(os.path.realpath(path.expanduser()))
        return real if any(real.is_relative_to(os.path.realpath(root)) for root in roots) else None
    except (OSError, RuntimeError, ValueError):  # too long for a path, no path at all, or the home of nobody
        return None
