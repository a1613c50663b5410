"""One training step in the format beside float32's: what becomes of gradients and weights."""

from __future__ import annotations

import streamlit as st

from pages.ui import frame, state
from pages.ui.casting import training_tables as casting_training_tables
from pages.ui.casting.format import require_16_bits
from pages.ui.chart import show, show_beside_each_other
from pages.ui.job import current_result, is_followed, run_again
from precision.charts.gradient_errors import plot_gradient_errors
from precision.charts.gradient_exponents import plot_gradient_exponents
from precision.findings.training.advice import advice, finding
from precision.findings.training.steps import left_out_text, recipe_finding
from precision.formats import format_named
from precision.models.catalogue import describe
from precision.results import TrainingResult
from precision.results.training import RECIPES, TrainingReport
from precision.spec import Analysis
from precision.text.names import escape_markdown, plain
from precision.text.units import count_text, number_text

HOW_TO_READ = """\
One forward and backward pass, and one step of SGD and of AdamW with torch's own settings (a learning rate of 0.001),
beside the same step in float32.

- **pure**: weights and inputs cast by `.to(dtype)`. **autocast**: weights stay in float32.
- **scaled**: `torch.amp.GradScaler` multiplies the loss, so that small gradients stay above zero, and divides after.
- **Underflow**: the share of float32's gradients other than zero that became zero.
- **Normalized L2**: the norm of the error over the norm of float32's gradients. Over all parameters together, those
  with the largest gradients decide it; AdamW moves the others as far, so that their errors count as much. Empty where
  a value is infinite or NaN.
- **L2 float32**: the error of float32's gradients against the same step in float64. Where it is above one half,
  float32's gradient is itself mostly rounding, as of a bias that the loss does not depend on: no error against it
  tells anything, and the parameter is in no finding.
- **Do not move**: of the weights that float32's step changes, those that this one leaves: their update is less than
  half a unit in the last place, or their gradient became zero. That is why weights are kept in float32 in
  mixed-precision training.
- **Weights in**: *float16* weights are cast and updated in the format; *float32* ones are the model's own, updated by
  the gradients of their copy in the format.

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
    if report.recipes:
        _conclusions(report, dtype)
    st.header("Gradients", anchor=False)
    casting_training_tables.gradients(result, report)
    casting_training_tables.steps(result, report)
    _charts(report, dtype)
    casting_training_tables.parameters(result, report)
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


def _conclusions(report: TrainingReport, dtype: str) -> None:
    """What to train with, a line a recipe, and what is left out."""
    lines = [f"- **{recipe.label}**: {escape_markdown(recipe_finding(report, recipe))}." for recipe in report.recipes]
    tried = count_text(len(lines), "way") + ("" if report.is_complete else f" of {len(RECIPES)} so far")
    advised = f"**{escape_markdown(advice(report, dtype))}** " if report.is_complete else ""
    st.markdown("\n".join((f"{advised}One step, {tried}:\n", *lines)))
    if left_out := left_out_text(report):
        st.caption(escape_markdown(left_out))
    if report.without_gradient:
        names = ", ".join(map(plain, report.without_gradient))
        st.caption(escape_markdown(f"Without a gradient: {names}."))


def _charts(report: TrainingReport, dtype: str) -> None:
    scale = next((recipe.scale for recipe in report.recipes if recipe.scale is not None), None)
    show(plot_gradient_exponents(report, format_named(dtype), scale=scale), key="gradient-exponents")
    show_beside_each_other(
        gradient_errors=plot_gradient_errors(report, dtype, quantity="error"),
        gradient_underflow=plot_gradient_errors(report, dtype, quantity="underflow"),
    )
