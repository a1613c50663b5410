"""The tables of one training step: ways to train, updates of the weights, gradients of every parameter."""

from collections.abc import Iterator

from precision.findings.tables import Column, Table, Value, of_kind, table_of
from precision.findings.training.steps import own_error_text, scaling_text, step_text
from precision.results.training import TrainingReport
from precision.text.units import shape_text

_RECIPES = (
    *of_kind("text", "method"),
    *of_kind("share", "underflow"),
    *of_kind("count", "infinite or NaN"),
    *of_kind("error", "normalized L2"),
    *of_kind("number", "cosine", "loss"),
    *of_kind("text", "scale of the loss", "failure"),
)
_STEPS = (
    *of_kind("text", "method", "optimizer", "weights in"),
    *of_kind("count", "infinite or NaN"),
    *of_kind("share", "do not move"),
    *of_kind("error", "update's L2"),
    *of_kind("text", "remark"),
)
_OF_SOME = ("remark", "underflow", "infinite or NaN")
"""Columns of the parameters' table whose names start with these are left out where they are empty."""


def recipes_table(report: TrainingReport) -> Table:
    """A row for each way to train: the errors of all gradients together."""
    rows = (
        (
            recipe.label,
            (errors := recipe.overall) and errors.underflow_share,
            errors and errors.nonfinite,
            errors and errors.normalized_l2,
            errors and errors.cosine_similarity,
            recipe.loss,
            scaling_text(recipe),
            recipe.failure,
        )
        for recipe in report.recipes
    )
    return table_of(_RECIPES, rows).without_empty("failure")


def steps_table(report: TrainingReport) -> Table:
    """A row for each way to train and optimizer: its first step."""
    rows = (
        (
            recipe.label,
            step.optimizer,
            step.weights,
            None if step.missing else step.nonfinite,
            step.unmoved_share,
            step.normalized_l2,
            step_text(step),
        )
        for recipe in report.recipes
        for step in recipe.steps
    )
    return table_of(_STEPS, rows)


def parameters_table(report: TrainingReport) -> Table:
    """A row for each parameter, the worst first: error and underflow of its gradient with every way to train."""
    labels = [recipe.label for recipe in report.recipes if recipe.parameters]
    columns = (
        *(Column("parameter"), Column("shape")),
        *(Column(f"infinite or NaN {label}", "count") for label in labels),
        *(Column(f"L2 {label}", "error") for label in (*labels, "float32")),
        *(Column("remark"), Column("largest", "error"), Column("smallest", "error")),
        *(Column(f"underflow {label}", "share") for label in labels),
    )
    table = table_of(columns, (tuple(_parameter(report, at)) for at in report.worst_first))
    nothing = (name for name in table.names if name.startswith(_OF_SOME) and not any(table.column(name)))
    return table.without(*nothing)


def _parameter(report: TrainingReport, at: int) -> Iterator[Value]:
    parameter = report.parameters[at]
    errors = [recipe.parameters[at] for recipe in report.recipes if recipe.parameters]
    yield parameter.fqn
    yield shape_text(parameter.shape)
    yield from (each.nonfinite for each in errors)
    yield from (each.normalized_l2 for each in errors)
    yield parameter.float32_error
    yield own_error_text(parameter)
    yield parameter.histogram.largest
    yield parameter.histogram.smallest
    yield from (each.underflow_share for each in errors)
