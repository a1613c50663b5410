"""Reports of training steps put together by hand."""

from __future__ import annotations

from precision.results.ranges import ExponentHistogram
from precision.results.training import (
    GradientErrors,
    OptimizerStep,
    ParameterGradient,
    TrainingRecipe,
    TrainingReport,
    Way,
)

NONE = ExponentHistogram(
    elements=0, zeros=0, infinite=0, nan=0, first_exponent=0, counts=(), largest=None, smallest=None, norm=None,
    mantissa_bits=0,
)  # fmt: skip
STEP = OptimizerStep(
    optimizer="SGD", weights="float32", elements=100, moved_reference=50, unmoved=0, rounded_away=0, nonfinite=0,
    divided_by_zero=0, normalized_l2=0.1, cosine_similarity=0.9,
)  # fmt: skip


def errors(l2: float | None = 0.001, underflowed: int = 0, *, infinite: int = 0, nonzero: int = 100) -> GradientErrors:
    return GradientErrors(
        elements=200, nonzero=nonzero, underflowed=underflowed, infinite=infinite, nan=0,
        normalized_l2=None if infinite else l2, cosine_similarity=0.9,
    )  # fmt: skip


def step(**changed: object) -> OptimizerStep:
    """Of SGD on float32 weights, all of which move, but for what is `changed`."""
    return STEP.model_copy(update=changed)


def recipe(
    way: Way,
    *rows: GradientErrors,
    scaled: bool = False,
    scales: tuple[float, ...] | None = None,
    steps: tuple[OptimizerStep, ...] = (STEP,),
    failure: str = "",
) -> TrainingRecipe:
    """With the errors of each parameter; those of all are the sums, and the smallest error. Without any, it failed."""
    overall = None
    if rows:
        overall = GradientErrors(
            elements=sum(row.elements for row in rows),
            nonzero=sum(row.nonzero for row in rows),
            underflowed=sum(row.underflowed for row in rows),
            infinite=sum(row.infinite for row in rows),
            nan=0,
            normalized_l2=min((row.normalized_l2 for row in rows if row.normalized_l2 is not None), default=None),
            cosine_similarity=0.9,
        )
    tried = scales if scales is not None else (65536.0,) if scaled else ()
    return TrainingRecipe(
        way=way, scaled=scaled, loss=1.0, scales=tried, made=NONE, overall=overall, parameters=rows,
        steps=steps if rows else (), failure=failure,
    )  # fmt: skip


def report(*recipes: TrainingRecipe, own: tuple[float | None, ...] = (), missing: str = "") -> TrainingReport:
    """Of parameters called a, b, c …

    Args:
        recipes: each with as many rows.
        own: errors of float32's own gradients; none are known where it is empty.
        missing: why they are not.
    """
    count = max((len(each.parameters) for each in recipes), default=0)
    known = own or (None,) * count
    return TrainingReport(
        loss_words="a loss",
        loss=1.0,
        parameters=tuple(
            ParameterGradient(fqn="abcdefgh"[at], shape=(2,), histogram=NONE, float32_error=known[at])
            for at in range(count)
        ),
        float64_missing=missing,
        gradients=NONE,
        without_gradient=(),
        recipes=recipes,
    )
