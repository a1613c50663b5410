"""The tables of a training step: ways to train, updates of the weights, gradients of every parameter."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.ui import downloads, frame
from precision.findings.training.steps import own_error_text, scaling_text, step_text
from precision.results import TrainingResult
from precision.results.training import TrainingReport
from precision.text.names import escape_markdown, plain
from precision.text.units import share_text

_COUNT = st.column_config.NumberColumn(format="localized")
_CHARACTER_PX = 8
"""Width of a character of a column's title."""
_OF_SOME = ("remark", "underflow", "infinite or NaN")
"""Columns of the parameters' table that begin so are left out where there is nothing of it."""


def gradients(result: TrainingResult, report: TrainingReport) -> None:
    """A row a recipe: its gradients, all together."""
    rows = []
    for recipe in report.recipes:
        errors = recipe.overall
        rows.append(
            {
                "method": recipe.label,
                "underflow": ""
                if errors is None or errors.underflow_share is None
                else share_text(errors.underflow_share),
                "infinite or NaN": None if errors is None else errors.nonfinite,
                "normalized L2": None if errors is None else errors.normalized_l2,
                "cosine": None if errors is None else errors.cosine_similarity,
                "loss": recipe.loss,
                "scale of the loss": scaling_text(recipe),
                "failure": plain(recipe.failure, limit=None) if recipe.failure else "",
            }
        )
    table = pd.DataFrame(rows)
    downloads.table(
        table if table.empty or any(table["failure"]) else table.drop(columns="failure"),
        name=f"{downloads.file_stem(result)}-gradients",
        key="gradients",
        alt="Error of the gradients by each way to train in the format",
        column_config={
            "method": st.column_config.TextColumn(pinned=True),
            "normalized L2": downloads.scientific(),
            "loss": st.column_config.NumberColumn(format="%.5g"),
            "cosine": st.column_config.NumberColumn(format="%.6f"),
            "infinite or NaN": _COUNT,
        },
        whole=True,
    )


def steps(result: TrainingResult, report: TrainingReport) -> None:
    """A row for each recipe and optimizer: its first step. Nothing where none was made."""
    rows = [
        {
            "method": recipe.label,
            "optimizer": step.optimizer,
            "weights in": step.weights,
            "infinite or NaN": None if step.missing else step.nonfinite,
            "do not move": step.unmoved_share,
            "update's L2": step.normalized_l2,
            "remark": plain(step_text(step), limit=None),
        }
        for recipe in report.recipes
        for step in recipe.steps
    ]
    if not rows:
        return
    st.header("The first update of the weights", anchor=False)
    downloads.table(
        pd.DataFrame(rows),
        name=f"{downloads.file_stem(result)}-steps",
        key="steps",
        alt="Weights that break or do not move, and the error of the update, by way to train and optimizer",
        column_config={
            "method": st.column_config.TextColumn(pinned=True),
            "infinite or NaN": _COUNT,
            "do not move": st.column_config.NumberColumn(format="percent"),
            "update's L2": downloads.scientific(),
        },
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
    rows = [row for at in report.worst_first if find.casefold() in _searched(row := _parameter(report, at))]
    table = pd.DataFrame(rows, columns=None if rows else ["parameter"])
    titles = [str(title) for title in table]
    numbers = [title for title in titles if title.startswith("L2")]
    shares = [title for title in titles if title.startswith("underflow")]
    downloads.table(
        table.drop(columns=[title for title in titles if title.startswith(_OF_SOME) and not table[title].any()]),
        name=f"{downloads.file_stem(result)}-parameters",
        key="parameters",
        alt="Error and underflow of each parameter's gradient by every way to train, the worst parameter first",
        column_config={
            "parameter": st.column_config.TextColumn(pinned=True),
            **{title: downloads.scientific(width_px=max(95, _CHARACTER_PX * len(title))) for title in numbers},
            **dict.fromkeys(("largest", "smallest"), downloads.scientific()),
            **dict.fromkeys(shares, st.column_config.NumberColumn(format="percent")),
        },
    )


def _parameter(report: TrainingReport, at: int) -> dict[str, object]:
    parameter = report.parameters[at]
    errors = [(recipe.label, recipe.parameters[at]) for recipe in report.recipes if recipe.parameters]
    return {
        "parameter": plain(parameter.fqn, limit=None),
        "shape": " × ".join(map(str, parameter.shape)) or "scalar",
        **{f"infinite or NaN {label}": each.nonfinite for label, each in errors},
        **{f"L2 {label}": each.normalized_l2 for label, each in errors},
        "L2 float32": parameter.float32_error,
        "remark": own_error_text(parameter),
        "largest": parameter.histogram.largest,
        "smallest": parameter.histogram.smallest,
        **{f"underflow {label}": each.underflow_share for label, each in errors},
    }


def _searched(row: dict[str, object]) -> str:
    return f"{row['parameter']} {row['remark']}".casefold()
