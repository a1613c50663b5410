"""One training step in the format and one in float32: how gradients and weights differ."""

import streamlit as st

from pages.ui import detail, downloads, frame, state
from pages.ui.casting.format import require_16_bits
from pages.ui.chart import show, show_beside_each_other
from pages.ui.job import current_result, is_followed, run_again
from precision.charts.gradient_errors import plot_gradient_errors
from precision.charts.gradient_exponents import plot_gradient_exponents
from precision.findings.training.advice import advice, finding
from precision.findings.training.steps import left_out_text, recipe_finding, step_text
from precision.findings.training.tables import parameters_table, recipes_table, steps_table
from precision.formats import format_named
from precision.models.catalogue import describe
from precision.models.opened import is_elsewhere
from precision.results import TrainingResult
from precision.results.training import RECIPES, TrainingReport
from precision.spec import Analysis
from precision.text.names import escape_markdown, plain
from precision.text.units import capitalised, count_text, number_text

HOW_TO_READ = """\
One forward and backward pass, and one step of SGD and of AdamW with torch's default settings (learning rate 0.001),
compared with the same step in float32.

- **pure**: weights and inputs cast by `.to(dtype)`. **autocast**: weights stay in float32.
- **scaled**: `torch.amp.GradScaler` multiplies the loss, so that small gradients stay above zero, and divides after.
- **Underflow**: the share of float32's non-zero gradients that became zero.
- **Normalized L2**: the norm of the error over the norm of float32's gradients. Over all parameters together, the
  parameters with the largest gradients decide it; but AdamW moves all parameters equally far, so errors of the others
  count as much. Empty where a value is infinite or NaN.
- **L2 float32**: the error of float32's gradients against the same step in float64. Above one half, float32's gradient
  is mostly rounding error, for example of a bias that the loss does not depend on. An error against it says nothing,
  and the parameter is left out of all findings.
- **Do not move**: of the weights that change in float32's step, those that do not change in this one: their update is
  less than half a unit in the last place, or their gradient became zero. That is why mixed-precision training keeps
  weights in float32.
- **Weights in**: *float16* weights are cast and updated in the format; *float32* weights are the model's own, updated
  with the gradients of their copy in the format.

Only native arithmetic is shown: a backward pass is not simulated.
"""
_WHY = (
    "Training is measured in float16 and bfloat16, in which devices can compute gradients. Backward passes in other "
    "formats are not simulated."
)
_CHARACTER_PX = 8
"""Width of a character of a column's title."""


def section() -> None:
    """A button; after the run, what the step showed."""
    require_16_bits("One training step", _WHY)
    if not (is_followed(Analysis.TRAINING) or is_elsewhere(state.choice("model"))):
        _offer()
        return
    result = current_result(TrainingResult)
    report, dtype = result.report, result.spec.dtype
    if report is None:
        frame.header(f"{frame.model_name(result)}: no gradient was measured", result)
        frame.footer(result, how_to_read=HOW_TO_READ)
        return
    found = escape_markdown(finding(report, dtype))
    advised = escape_markdown(advice(report, dtype).rstrip(".")) if report.is_complete else ""
    frame.header(f"{frame.model_name(result)}: {advised or found}", result)
    if advised:
        st.markdown(f"**{capitalised(found)}.**")
    if report.recipes:
        _conclusions(report)
    st.header("Gradients", anchor=False)
    downloads.table(
        recipes_table(report),
        name=f"{downloads.file_stem(result)}-gradients",
        key="gradients",
        alt="Error of the gradients by each way to train in the format",
        pinned=True,
        column_config={"cosine": st.column_config.NumberColumn(format="%.6f")},
    )
    _steps(result, report)
    if detail.shows_all("where the gradients lie, and those of every parameter"):
        _charts(report, dtype)
        _parameters(result, report)
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


def _conclusions(report: TrainingReport) -> None:
    lines = [f"- **{recipe.label}**: {escape_markdown(recipe_finding(report, recipe))}." for recipe in report.recipes]
    tried = count_text(len(lines), "way") + ("" if report.is_complete else f" of {len(RECIPES)} so far")
    st.markdown("\n".join((f"One step, {tried}:\n", *lines)))
    st.caption(escape_markdown(f"Loss: {report.loss_words}; {number_text(report.loss)} in float32."))
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


def _steps(result: TrainingResult, report: TrainingReport) -> None:
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
    )
    for text, ways in _broken(report).items():
        st.caption(escape_markdown(f"{', '.join(ways)}: {text}."))


def _broken(report: TrainingReport) -> dict[str, list[str]]:
    """What to say about steps that broke or were refused, each with its recipes: it is too long for a cell."""
    said: dict[str, list[str]] = {}
    for recipe in report.recipes:
        for step in recipe.steps:
            if step.missing or step.nonfinite:
                said.setdefault(step_text(step).rstrip("."), []).append(f"{recipe.label} with {step.optimizer}")
    return said


def _parameters(result: TrainingResult, report: TrainingReport) -> None:
    if not any(recipe.parameters for recipe in report.recipes):
        return
    st.header("The gradient of every parameter", anchor=False)
    find = frame.find_box("parameter", in_what="name or remark")
    table = parameters_table(report)
    table = table.find(find, *(name for name in ("parameter", "remark") if name in table.names))
    downloads.table(
        table,
        name=f"{downloads.file_stem(result)}-parameters",
        key="parameters",
        alt="Error and underflow of each parameter's gradient by every way to train, the worst parameter first",
        pinned=True,
        widths={name: max(95, _CHARACTER_PX * len(name)) for name in table.names if name.startswith("L2")},
    )
