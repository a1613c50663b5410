"""Something that may raise, tried."""

from collections.abc import Callable


def raised(run: Callable[[], object]) -> str | None:
    """What `run` raised because a kernel or a package is missing, or dtypes do not match; None where it ran."""
    try:
        run()
    except (RuntimeError, NotImplementedError, ImportError, TypeError, ValueError, IndexError) as error:
        return " ".join(str(error).split())
    return None
