"""The tables of a training step: ways to train, updates of the weights, gradients of every parameter."""

from __future__ import annotations

import streamlit as st

from pages.ui import downloads, frame
from precision.findings.training.steps import step_text
from precision.findings.training.tables import parameters_table, recipes_table, steps_table
from precision.results import TrainingResult
from precision.results.training import TrainingReport
from precision.text.names import escape_markdown

_CHARACTER_PX = 8
"""Width of a character of a column's title."""


def gradients(result: TrainingResult, report: TrainingReport) -> None:
    """A row a recipe: its gradients, all together."""
    downloads.table(
        recipes_table(report),
        name=f"{downloads.file_stem(result)}-gradients",
        key="gradients",
        alt="Error of the gradients by each way to train in the format",
        pinned=True,
        column_config={"cosine": st.column_config.NumberColumn(format="%.6f")},
        whole=True,
    )


def steps(result: TrainingResult, report: TrainingReport) -> None:
    """A row for each recipe and optimizer: its first step. Nothing where none was made."""
    table = steps_table(report)
    if not table.rows:
        return
    st.header("The first update of the weights", anchor=False)
    downloads.table(
        table,
        name=f"{downloads.file_stem(result)}-steps",
        key="steps",
        alt="Weights that break or do not move, and the error of the update, by way to train and optimizer",
        pinned=True,
        whole=True,
    )
    for text, ways in _broken(report).items():
        st.caption(escape_markdown(f"{', '.join(ways)}: {text}."))


def _broken(report: TrainingReport) -> dict[str, list[str]]:
    """What is to be said of steps that broke or were refused, and of which: too long for a cell."""
    said: dict[str, list[str]] = {}
    for recipe in report.recipes:
        for step in recipe.steps:
            if step.missing or step.nonfinite:
                said.setdefault(step_text(step).rstrip("."), []).append(f"{recipe.label} with {step.optimizer}")
    return said


def parameters(result: TrainingResult, report: TrainingReport) -> None:
    """A row a parameter, the worst first; nothing where no recipe gave gradients."""
    if not any(recipe.parameters for recipe in report.recipes):
        return
    st.header("The gradient of every parameter", anchor=False)
    find = frame.find_box("parameter", in_what="name or remark")
    table = parameters_table(report)
    searched = ("parameter", "remark") if "remark" in table.names else ("parameter",)
    table = table.find(find, *searched)
    downloads.table(
        table,
        name=f"{downloads.file_stem(result)}-parameters",
        key="parameters",
        alt="Error and underflow of each parameter's gradient by every way to train, the worst parameter first",
        pinned=True,
        widths={name: max(95, _CHARACTER_PX * len(name)) for name in table.names if name.startswith("L2")},
    )
