"""Something that may raise, tried."""

from __future__ import annotations

from collections.abc import Callable

from precision.measure.casting.forward import shortened


def raised(run: Callable[[], object]) -> str | None:
    """What `run` raised for want of a kernel or of matching dtypes; None where it ran."""
    try:
        run()
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError) as error:
        return shortened(str(error))
    return None
