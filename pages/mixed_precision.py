"""Mixed precision: which layers need more bits? Sensitivity, and the best plan for a budget: verified, exported."""

import streamlit as st

from pages.ui import detail, frame, state
from pages.ui.job import current_result, require_choice
from pages.ui.linked import multiselect
from pages.ui.plan import sensitivity as sensitivity_view
from pages.ui.plan import view as plan_view
from pages.ui.shell.guard import enter_through_router
from precision.findings.sensitivity.rows import finding
from precision.formats import formats_with
from precision.models.opened import is_elsewhere
from precision.results import SensitivityResult
from precision.spec import SENSITIVITY_FORMATS
from precision.text.names import escape_markdown

_WIDE = ("float64", "float32")
HOW_TO_READ = """\
For every layer and every format: what happens to the output if this layer alone computes in this format?

- **Sensitivity**: the SQNR of the model's *output* if that layer alone computes in the format. A low number means that
  the layer does not tolerate the format. Each layer's own rounding error is measured on its real input. Its effect on
  the output is estimated with random vectors that are sent backwards through the model; the cost of this does not grow
  with the number of layers. If a model has no gradient, it is run once for each lowered layer instead.
- **Are the predictions right?** Casts of the whole model are always run too; exact runs of single layers, if you ask.
- **A plan** gives each layer a format. The best plan is the one within the budget whose layers add the least squared
  error. Points on the line are plans that no other beats in both error and cost.
- **Verify** runs the plan and measures what was predicted. Until then, errors and bytes are estimates.
- **Simulated** formats: values are rounded to the format and computed with in float32. Errors are those of this
  simulation, there is no time, and a plan with such formats needs a runtime that provides them.

Modules that the sidebar keeps are kept by every plan.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    require_choice()
    top, found = st.container(), st.container()
    # Of a module that is elsewhere, the formats are those that were measured.
    is_here = not is_elsewhere(state.choice("model"))
    formats, exact = _pick_runs() if is_here else (list(SENSITIVITY_FORMATS), False)
    also: dict[str, object] = {}
    if set(formats) != set(SENSITIVITY_FORMATS):
        also["formats"] = formats
    if exact:
        also["exact"] = True
    with top:
        if not formats:
            st.title("Which formats?", anchor=False)
            st.info("Choose at least one format to plan with.", icon=":material/edit:")
            st.stop()
        result = current_result(SensitivityResult, also, shows=lambda result: result.report is not None)
        report = result.report
        if report is None or not report.layers or not report.formats:
            frame.header(f"{frame.model_name(result)}: no layer was measured", result)
        else:
            title = frame.header("The best plan", result)
            run = f"{result.spec.digest()} {result.measured_at} {result.elapsed_s} {len(report.formats)}"
            plan_view.section(result, run, report, _title=title)
    if report is not None and report.layers and report.formats:
        found.header(f"Layer by layer: {escape_markdown(finding(report))}", anchor=False)
        sensitivity_view.keep_one_more(report)
        sensitivity_view.section(result, report)
        if detail.shows_all("whether the predictions are right"):
            sensitivity_view.check(result, report)
    frame.footer(result, how_to_read=HOW_TO_READ)


def _pick_runs() -> tuple[list[str], bool]:
    names = [fmt.name for fmt in formats_with(state.choice("dtype")) if fmt.name not in _WIDE]
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    formats = multiselect(
        "Formats to plan with",
        names,
        default=list(SENSITIVITY_FORMATS),
        key="lower_to",
        help="Every layer is measured in each of them; a plan gives it one of them, or the reference's format.",
        place=left,
    )
    exact = right.toggle(
        "Check with exact runs",
        key="exact",
        bind="query-params",
        help="For every layer and format, also runs the model with only that layer lowered, and with all other layers "
        "lowered. Compares predicted with measured errors. Takes long for deep models.",
    )
    return formats, exact


main()
