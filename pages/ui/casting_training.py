"""One training step in the format beside float32's: what becomes of gradients and weights."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import streamlit as st

from pages.ui import downloads, frame, state
from pages.ui.casting_format import require_16_bits
from pages.ui.chart import show
from pages.ui.job import current_result, is_followed, run_again
from precision.charts import plot_gradient_errors, plot_gradient_exponents
from precision.formats import format_named
from precision.models.catalogue import describe
from precision.names import escape_markdown, plain
from precision.results import TrainingResult
from precision.results.training import TrainingReport
from precision.spec import Analysis
from precision.training.words import finding, scaling_text, step_text
from precision.units import number_text

HOW_TO_READ = """\
One forward and backward pass, and one step of SGD and of AdamW, beside the same step in float32.

- **pure**: weights and inputs cast by `.to(dtype)`. **autocast**: weights stay in float32.
- **scaled**: `torch.amp.GradScaler` multiplies the loss, so that small gradients stay above zero, and divides after.
- **Underflow**: the share of float32's gradients other than zero that became zero.
- **Normalized L2**: the norm of the error over the norm of float32's gradients.
- **Do not move**: weights that float32's step changes, and this one leaves: their update is less than half a unit in
  the last place. That is why weights are kept in float32 in mixed-precision training.

Only native arithmetic is shown: a backward pass is not simulated.
"""
_WHY = (
    "Training is measured in float16 and bfloat16, in which a device computes gradients itself. Other formats' "
    "backward passes are not simulated."
)


def section() -> None:
    """A button; then what the step showed."""
    require_16_bits("One training step", _WHY)
    if not is_followed(Analysis.TRAINING):
        _offer()
        return
    result = current_result(TrainingResult)
    report, dtype = result.report, result.spec.dtype
    if report is None:
        frame.header(f"{frame.model_name(result)}: no gradient was measured", result)
        frame.footer(result, how_to_read=HOW_TO_READ)
        return
    frame.header(f"{frame.model_name(result)}: {escape_markdown(finding(report, dtype))}", result)
    st.caption(escape_markdown(f"Loss: {report.loss_words}; {number_text(report.loss)} in float32."))
    _gradients(result, report)
    _steps(result, report)
    _charts(report, dtype)
    frame.footer(result, how_to_read=HOW_TO_READ)


def _offer() -> None:
    state.mirror_choice_in_link()
    model = state.chosen_model()
    name = escape_markdown((model or describe(state.choice("model"))).short_title)
    dtype = state.choice("dtype")
    st.title(f"What would {dtype} do to the training of {name}?", anchor=False)
    st.markdown(
        "One step of training in the format is compared with the same step in float32: gradients, loss scaling, "
        "updates of the weights."
    )
    st.button(
        "Run one training step",
        icon=":material/play_arrow:",
        type="primary",
        key="run-training",
        on_click=run_again,
        args=(state.spec(Analysis.TRAINING).measured,),
        help="Takes several passes of the model, and memory for its gradients and an optimizer.",
    )


def _gradients(result: TrainingResult, report: TrainingReport) -> None:
    st.header("Gradients", anchor=False)
    rows = []
    for recipe in report.recipes:
        errors = recipe.overall
        rows.append(
            {
                "method": recipe.label,
                "underflow": None if errors is None else errors.underflow_share,
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
            "underflow": st.column_config.NumberColumn(format="percent"),
            "normalized L2": downloads.scientific(),
            "cosine": st.column_config.NumberColumn(format="%.6f"),
        },
    )
    for said in _scaling(report):
        st.markdown(f"- {escape_markdown(said)}")


def _scaling(report: TrainingReport) -> Iterator[str]:
    """What loss scaling did, a sentence for each way."""
    for recipe in report.recipes:
        before = report.recipe(recipe.way, scaled=False)
        if not recipe.scaled or before is None or before.overall is None:
            continue
        if recipe.overall is None:
            yield f"{recipe.way}: loss scaling gave no finite step ({scaling_text(recipe)})."
            continue
        lost, left = before.overall.underflowed, recipe.overall.underflowed
        scale = number_text(recipe.scale)
        if not lost:
            yield f"{recipe.way}: no gradient underflowed; scaling by {scale} had nothing to save."
        else:
            yield f"{recipe.way}: scaling by {scale} saved {lost - left:,} of {lost:,} gradients from becoming zero."


def _steps(result: TrainingResult, report: TrainingReport) -> None:
    rows = [
        {
            "method": recipe.label,
            "optimizer": step.optimizer,
            "weights in": step.weights,
            "do not move": step.unmoved_share,
            "infinite or NaN": None if step.missing else step.nonfinite,
            "update's normalized L2": step.normalized_l2,
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
        alt="Weights that do not move, and the error of the update, by way to train and optimizer",
        column_config={
            "method": st.column_config.TextColumn(pinned=True),
            "do not move": st.column_config.NumberColumn(format="percent"),
            "update's normalized L2": downloads.scientific(),
        },
    )


def _charts(report: TrainingReport, dtype: str) -> None:
    scale = next((recipe.scale for recipe in report.recipes if recipe.scale is not None), None)
    show(plot_gradient_exponents(report, format_named(dtype), scale=scale), key="gradient-exponents")
    left, right = st.columns(2)
    with left:
        show(plot_gradient_errors(report, dtype, quantity="error"), key="gradient-errors")
    with right:
        show(plot_gradient_errors(report, dtype, quantity="underflow"), key="gradient-underflow")
