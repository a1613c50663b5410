"""Precision Explorer: what a number format does to a neural network.

`precision.measure` runs models in two formats; `judge` puts a `CompareResult` into words. Importing this package does
not import torch; `precision.measure` does.
"""

from precision.errors import ForwardError, InputError, PrecisionError, UnsupportedError
from precision.findings.verdict import judge
from precision.formats import FORMATS, NumericFormat, format_named
from precision.results import CompareResult, Verdict
from precision.spec import CastMethod, RunSpec

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
    "format_named",
    "judge",
]
