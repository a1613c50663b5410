"""Precision Explorer: what a number format does to a neural network.

>>> import precision as px
>>> run = px.compare(px.load("tinynet"), dtype="bfloat16")
>>> run.verdict.word
'close'

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

__all__ = ["ALL_FORMATS", "ForwardError", "InputError", "PrecisionError", "UnsupportedError", "any_format_named"]
__all__ += ["audit", "autocast", "compare", "layers", "load", "memory", "ranges", "regimes", "routes", "sensitivity"]
__all__ += ["__version__", "sweep", "testing", "training", "try_claims"]

_PLACES = {
    **dict.fromkeys(("ForwardError", "InputError", "PrecisionError", "UnsupportedError"), "precision.errors"),
    **dict.fromkeys(("ALL_FORMATS", "any_format_named"), "precision.formats"),
}
"""Of the names that are not in `precision.library.calls`."""


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'precision' has no attribute {name!r}")
    if name == "testing":
        return import_module("precision.testing")
    return getattr(import_module(_PLACES.get(name, "precision.library.calls")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
