"""Precision Explorer: what a number format does to a neural network.

`precision.compare.compare(RunSpec(model="tinynet", dtype="float16"))` runs a model in two formats and returns a
`CompareResult`; `judge` puts it into words. Importing this package does not import torch; `precision.compare` does.
"""

from precision.errors import ForwardError, InputError, PrecisionError, UnsupportedError
from precision.formats import FORMATS, NumericFormat, format_named
from precision.results import CompareResult, Verdict
from precision.spec import CastMethod, RunSpec
from precision.verdict import judge

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
