"""How fast a device's operators are in each dtype, beside float32."""

from typing import Literal

from precision.results.base import Result
from precision.results.run import AnalysisResult

OperatorName = Literal["matmul", "conv2d", "layer norm", "softmax"]


class OperatorSpeed(Result):
    """One operator in one dtype; times and ratio are None where it was not measured (see `reason`)."""

    operator: OperatorName
    dtype: str
    size: str
    """Of the operands, in words; empty where nothing was measured."""
    median_s: float | None
    """Median over the rounds of the time of a round's quickest call."""
    float32_median_s: float | None
    """The same of float32, on operands of the same size, in turns with it."""
    ratio: float | None
    """Time over float32's: median over the rounds of the ratio within a round. Above 1: slower."""
    ratio_low: float | None
    """Lower quartile of the rounds' ratios."""
    ratio_high: float | None
    """Upper quartile."""
    rounds: int
    reason: str | None
    """Why it was not measured; None where it was."""


class DeviceSpeedResult(AnalysisResult):
    """Every operator in every dtype that the device computes in."""

    operators: tuple[OperatorSpeed, ...]
