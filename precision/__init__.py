"""Precision Explorer: what a number format does to a neural network.

`compare(RunSpec(model="tinynet", dtype="float16"))` runs a model in two formats and returns a `CompareResult`;
`judge` puts it into words. Importing this package does not import torch; calling `compare` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from precision.errors import ForwardError, InputError, PrecisionError, UnsupportedError
from precision.formats import FORMATS, NumericFormat, format_named
from precision.results import CompareResult
from precision.spec import CastMethod, RunSpec
from precision.verdict import Verdict, judge

if TYPE_CHECKING:
    from precision.compare import compare

__all__ = [
    "FORMATS",
    "CastMethod",
    "CompareResult",
    "ForwardError",
    "InputError",
    "NumericFormat",
    "PrecisionError",
    "RunSpec",
    "UnsupportedError",
    "Verdict",
    "compare",
    "format_named",
    "judge",
]


def __getattr__(name: str) -> object:
    if name == "compare":
        from precision.compare import compare

        return compare
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
