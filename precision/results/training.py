"""One training step in a format against the same step in float32: gradients, loss scaling, updates of the weights."""

import math
from typing import Literal

from precision.results.base import Result
from precision.results.packed import PackedResult
from precision.results.ranges import ExponentHistogram
from precision.results.run import RunResult

Way = Literal["pure", "autocast"]
"""`pure`: weights and inputs cast by `.to(dtype)`. `autocast`: weights in float32, operators lowered by autocast."""
OptimizerName = Literal["SGD", "AdamW"]
RECIPES: tuple[tuple[Way, bool], ...] = (("pure", False), ("pure", True), ("autocast", False), ("autocast", True))
"""Way, and whether the loss is scaled."""
MOSTLY_ERROR = 0.5
"""Normalized L2 above which a gradient counts as more error than value."""


class GradientErrors(PackedResult):
    """Gradients of one or all parameters against those of float32; with a scaled loss, after unscaling."""

    elements: int
    nonzero: int
    """Finite in float32, and not zero."""
    underflowed: int
    """Of these, zero here."""
    infinite: int
    """Infinite here, finite in float32."""
    nan: int
    """NaN here, finite in float32."""
    normalized_l2: float | None
    """norm(g - g32) / norm(g32) over the elements finite in float32; None where there are none, or where one of them is
    infinite or NaN here. The same holds for the cosine."""
    cosine_similarity: float | None

    @property
    def underflow_share(self) -> float | None:
        """Share of the non-zero gradients that became zero; None where all are zero."""
        return self.underflowed / self.nonzero if self.nonzero else None

    @property
    def nonfinite(self) -> int:
        """Gradients that are infinite or NaN here and finite in float32."""
        return self.infinite + self.nan


class ParameterGradient(PackedResult):
    """The gradient of one parameter in float32."""

    fqn: str
    shape: tuple[int, ...]
    histogram: ExponentHistogram
    float32_error: float | None = None
    """norm(g32 - g64) / norm(g64), of the same backward pass in float64; None where not measured."""

    @property
    def is_rounding(self) -> bool:
        """Whether float32's own gradient is mostly rounding error, so that errors against it mean nothing.

        This happens where the loss does not depend on a parameter and the true gradient is zero, such as for the bias
        of the keys of an attention.
        """
        return self.float32_error is not None and self.float32_error > MOSTLY_ERROR


class OptimizerStep(Result):
    """The first step of an optimizer with a recipe's gradients, against float32's step with float32's gradients."""

    optimizer: OptimizerName
    weights: str
    """The dtype in which the weights are kept."""
    elements: int
    moved_reference: int
    """Weights that float32's step changes, except those that are infinite or NaN after this step."""
    unmoved: int
    """Of these, those that this step does not change."""
    rounded_away: int
    """Of these, those whose non-zero update was lost in rounding, below half a unit in the last place. The others have
    a gradient of zero."""
    nonfinite: int
    """Weights that became infinite or NaN here, but not in float32."""
    divided_by_zero: int
    """Of these, those whose average squared gradient and AdamW's epsilon are both zero in their dtype."""
    normalized_l2: float | None
    """Of the update (weight after minus before) against float32's; None where a weight became infinite or NaN, or none
    is finite. The same holds for the cosine."""
    cosine_similarity: float | None
    missing: str = ""
    """Why there was no step; the numbers are then 0 and None."""

    @property
    def unmoved_share(self) -> float | None:
        """Share of weights that should have moved and did not; None where none should have moved."""
        return self.unmoved / self.moved_reference if self.moved_reference else None


class TrainingRecipe(Result):
    """One way to train in the format."""

    way: Way
    scaled: bool
    """Whether the loss was scaled, by `torch.amp.GradScaler`."""
    loss: float | None
    """Without the scale."""
    scales: tuple[float, ...]
    """The scales that were tried; the last is in use. Empty without scaling. All steps except the last were skipped."""
    made: ExponentHistogram | None
    """All gradients from the backward pass, times the scale; None without any."""
    overall: GradientErrors | None
    """Over all parameters; None where there is no finite step. Then `parameters` and `steps` are empty."""
    parameters: tuple[GradientErrors, ...]
    """In the order of `TrainingReport.parameters`."""
    steps: tuple[OptimizerStep, ...]
    failure: str = ""
    """Why there are no gradients."""

    @property
    def label(self) -> str:
        """Such as `pure, scaled`."""
        return f"{self.way}{', scaled' if self.scaled else ''}"

    @property
    def scale(self) -> float | None:
        """The scale of the loss; None without scaling, or where none was found."""
        return self.scales[-1] if self.scales and self.overall is not None else None

    @property
    def skipped(self) -> int:
        """Steps that the scaler skipped because a gradient was infinite or NaN."""
        return len(self.scales) - (self.overall is not None) if self.scaled else 0


class TrainingReport(Result):
    """The step in float32, and every recipe beside it."""

    loss_words: str
    """What the loss is, in words."""
    loss: float
    """In float32."""
    parameters: tuple[ParameterGradient, ...]
    """Those with a gradient."""
    float64_missing: str
    """Why float32's own gradients were not measured against float64's; empty where they were."""
    gradients: ExponentHistogram
    """Of all of them together, in float32."""
    without_gradient: tuple[str, ...]
    """fqns of parameters that the loss does not depend on, or that do not require gradients."""
    recipes: tuple[TrainingRecipe, ...]
    left_out: int = 0
    """Output elements that are infinite or NaN in float32: left out of the loss here, which they would make NaN."""

    @property
    def reference_nonfinite(self) -> int:
        """Gradients that are infinite or NaN in float32 itself."""
        return self.gradients.nan + self.gradients.infinite

    def recipe(self, way: Way, *, scaled: bool) -> TrainingRecipe | None:
        """One of the recipes; None where it has not run."""
        return next((each for each in self.recipes if (each.way, each.scaled) == (way, scaled)), None)

    @property
    def is_complete(self) -> bool:
        """Whether every recipe has been tried."""
        return len(self.recipes) == len(RECIPES)

    @property
    def worst_first(self) -> tuple[int, ...]:
        """Places in `parameters`, by the largest error in any recipe (infinite and NaN first).

        Parameters whose float32 gradient is rounding error come last.
        """
        measured = [recipe.parameters for recipe in self.recipes if recipe.parameters]

        def rank(at: int) -> tuple[bool, float]:
            return self.parameters[at].is_rounding, -max((_size(rows[at]) for rows in measured), default=0.0)

        return tuple(sorted(range(len(self.parameters)), key=rank))


def _size(errors: GradientErrors) -> float:
    return math.inf if errors.nonfinite else errors.normalized_l2 or 0.0


class TrainingResult(RunResult):
    """One training step of a model in a 16-bit format."""

    report: TrainingReport | None
    """None where not even float32 gave gradients."""
