"""Which gradients of a training step are judged (those that float32 gets right), and how many of them are wrong."""

from __future__ import annotations

from typing import NamedTuple

from precision.results.training import MOSTLY_ERROR, GradientErrors, OptimizerStep, TrainingRecipe, TrainingReport

NOTABLE_SHARE = 0.01
"""A smaller share of gradients that become zero, or of weights that do not move, is not a finding."""


class NamedErrors(NamedTuple):
    """The errors of one parameter's gradient."""

    fqn: str
    errors: GradientErrors

    @property
    def size(self) -> float:
        """Normalized L2 error; 0 where there is none."""
        return self.errors.normalized_l2 or 0.0

    @property
    def vanished(self) -> bool:
        """Whether all of it became zero."""
        return self.errors.underflow_share == 1


def judged(report: TrainingReport, recipe: TrainingRecipe) -> list[NamedErrors]:
    """The errors of the parameters whose float32 gradient is more than rounding error."""
    rows = zip(report.parameters, recipe.parameters, strict=True) if recipe.parameters else ()
    return [NamedErrors(parameter.fqn, errors) for parameter, errors in rows if not parameter.is_rounding]


def mostly_error(rows: list[NamedErrors]) -> list[NamedErrors]:
    """Gradients that are more error than value, except those that became zero: they count as lost."""
    return [row for row in rows if row.size > MOSTLY_ERROR and not row.vanished]


class Lost(NamedTuple):
    """Gradients that became zero."""

    gradients: int
    nonzero: int
    """How many are not zero in float32."""
    parameters: tuple[str, ...]
    """fqns of the parameters that lost all gradients."""

    @classmethod
    def of(cls, rows: list[NamedErrors]) -> Lost:
        """In these parameters."""
        return cls(
            sum(row.errors.underflowed for row in rows),
            sum(row.errors.nonzero for row in rows),
            tuple(row.fqn for row in rows if row.vanished),
        )

    @property
    def share(self) -> float:
        """Of the gradients that are not zero in float32; 0 where all are."""
        return self.gradients / self.nonzero if self.nonzero else 0.0

    @property
    def is_notable(self) -> bool:
        """Whether it is a finding: a parameter lost all, or many gradients were lost."""
        return bool(self.parameters) or self.share >= NOTABLE_SHARE


def leaves_many(step: OptimizerStep) -> bool:
    """Whether so many weights do not move that it is a finding."""
    return (step.unmoved_share or 0.0) >= NOTABLE_SHARE


def is_unharmed(report: TrainingReport, recipe: TrainingRecipe) -> bool:
    """Whether gradients and weights are fine when the optimizer keeps the weights in float32."""
    if recipe.overall is None or recipe.overall.nonfinite:
        return False
    rows = judged(report, recipe)
    steps = [step for step in recipe.steps if step.weights == "float32"]
    broken = any(step.nonfinite or leaves_many(step) for step in steps)
    return not (broken or mostly_error(rows) or Lost.of(rows).is_notable)
