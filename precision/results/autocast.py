"""Which operators compute in which dtype under autocast, by measurement."""

from typing import Literal

from precision.results.base import Result
from precision.results.run import AnalysisResult

AutocastRule = Literal["lower", "float32", "widest input", "as given", "not run"]
"""`lower`: computes in the format though its inputs are float32. `float32`: computes in float32 though its inputs are
in the format. `widest input`: computes in the widest dtype among its inputs. `as given`: autocast does not change it:
it computes in the dtype of its inputs, which must be equal. `not run`: it raises."""

WithGradients = Literal["the same", "computes otherwise", "raises", "not differentiable"]
"""What an operator does under autocast where its float32 inputs require gradients, as in training. `the same`: forward
and backward run, and the forward computes in the same dtypes as without gradients. `computes otherwise`: both run, and
the forward computes in other dtypes. `raises`: one of them raises. `not differentiable`: its output has no gradient."""


class AutocastOperator(Result):
    """One operator, run under autocast with inputs in float32, in the format, and in both."""

    name: str
    """As the code calls it."""
    family: str
    rule: AutocastRule
    output: str | None
    """dtype of its output for float32 inputs; None where that raises."""
    computed: tuple[str, ...]
    """Floating-point dtypes in which its kernels computed for float32 inputs."""
    computed_lower: tuple[str, ...]
    """The same for inputs in the format; empty where that raises."""
    computed_mixed: tuple[str, ...]
    """The same for a first input in the format and all others in float32; empty for a single input, or where that
    raises."""
    reason: str
    """What it raised with float32 inputs; empty where it runs."""
    with_gradients: WithGradients
    computed_gradients: tuple[str, ...]
    """As `computed`, with gradients required; empty where that raises."""
    gradients_reason: str
    """What its forward or backward raised, and which of them; empty where both run."""

    @property
    def gradients_text(self) -> str:
        """What it does with gradients, in words."""
        if self.with_gradients == "raises":
            return f"raises {self.gradients_reason}"
        if self.with_gradients == "computes otherwise":
            return f"computes in {', '.join(self.computed_gradients)}"
        return self.with_gradients


class AutocastResult(AnalysisResult):
    """Every operator tried, on one device and for one format."""

    operators: tuple[AutocastOperator, ...]

    def of_rule(self, rule: AutocastRule) -> tuple[AutocastOperator, ...]:
        """Those of one rule, in order."""
        return tuple(operator for operator in self.operators if operator.rule == rule)

    @property
    def untrainable(self) -> tuple[AutocastOperator, ...]:
        """Operators that run, but raise where gradients are required."""
        return tuple(each for each in self.operators if each.output and each.with_gradients == "raises")
