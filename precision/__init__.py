"""Precision Explorer: what a number format does to a neural network.

>>> import precision as px
>>> run = px.compare(px.load("tinynet"), dtype="bfloat16")
>>> run.verdict.word
'rounding only'

Importing this package imports nothing heavy: torch is imported at the first call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from precision import testing
    from precision.errors import ForwardError, InputError, PrecisionError, UnsupportedError
    from precision.formats import ALL_FORMATS, any_format_named
    from precision.library.calls import (
        audit,
        autocast,
        compare,
        layers,
        load,
        memory,
        ranges,
        regimes,
        routes,
        sensitivity,
        sweep,
        training,
        try_claims,
    )

__version__ = "0.1.0"

_PLACES = {
    "precision.errors": ("ForwardError", "InputError", "PrecisionError", "UnsupportedError"),
    "precision.formats": ("ALL_FORMATS", "any_format_named"),
    "precision.library.calls": (
        *("audit", "autocast", "compare", "layers", "load", "memory"),
        *("ranges", "regimes", "routes", "sensitivity", "sweep", "training", "try_claims"),
    ),
}
__all__ = [
    "ALL_FORMATS",
    "ForwardError",
    "InputError",
    "PrecisionError",
    "UnsupportedError",
    "__version__",
    "any_format_named",
    "audit",
    "autocast",
    "compare",
    "layers",
    "load",
    "memory",
    "ranges",
    "regimes",
    "routes",
    "sensitivity",
    "sweep",
    "testing",
    "training",
    "try_claims",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562)."""
    if name == "testing":
        return import_module("precision.testing")
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'precision' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
