"""Mixed precision: which layers keep more bits? Sensitivity, the best plan for a budget, verified, taken home."""

from __future__ import annotations

import streamlit as st

from pages.ui import frame, state
from pages.ui.job import current_result, require_choice
from pages.ui.linked import multiselect
from pages.ui.plan import sensitivity as sensitivity_view
from pages.ui.plan import view as plan_view
from pages.ui.shell.guard import enter_through_router
from precision.findings.sensitivity.rows import finding
from precision.formats import formats_with
from precision.results import SensitivityResult
from precision.spec import SENSITIVITY_FORMATS
from precision.text.names import escape_markdown

_WIDE = ("float64", "float32")
HOW_TO_READ = """\
Every layer is lowered in thought, by itself, to every format; all else stays in the reference's precision.

- **Sensitivity**: the SQNR of the model's *output* if that layer alone computes in the format. Low numbers are layers
  that cannot take it. Each layer's own rounding error is measured on its real input; what becomes of it at the output
  is estimated with random vectors sent backwards through the model, at a cost that does not grow with the layers.
  Where a model has no gradient, each layer is lowered and the model run.
- **Are the predictions right?** Whole casts are always run too. Exact runs of single layers can be asked for.
- **A plan** gives each layer a format: of all choices within the budget the one whose layers add the least squared
  error. Points on the line are plans that no other beats in both error and cost.
- **Verify** runs the plan and measures what was predicted of it. Until then, errors and bytes are estimates.
- **Simulated** formats are rounded to, and computed with in float32: their errors are of this kind, they have no time,
  and a plan with them needs a runtime that provides them.

The sidebar's *format* and *cast method* play no part here; its kept modules are kept by every plan.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    require_choice()
    top = st.container()
    formats, exact = pick_runs()
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
        result = current_result(SensitivityResult, also)
        report = result.report
        if report is None or not report.layers or not report.formats:
            frame.header(f"{frame.model_name(result)}: no layer was measured", result)
        else:
            frame.header(f"{frame.model_name(result)}: {escape_markdown(finding(report))}", result)
    if report is not None and report.layers and report.formats:
        sensitivity_view.section(result, report)
        sensitivity_view.keep_one_more(report)
        run = f"{result.spec.digest()} {result.elapsed_s} {len(report.formats)}"
        plan_view.section(result, run, report)
        sensitivity_view.check(result, report)
    frame.footer(result, how_to_read=HOW_TO_READ)


def pick_runs() -> tuple[list[str], bool]:
    """The formats to plan with, and whether single layers are run too."""
    names = [fmt.name for fmt in formats_with(state.choice("dtype")) if fmt.name not in _WIDE]
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    formats = multiselect(
        "Formats to plan with",
        names,
        default=list(SENSITIVITY_FORMATS),
        key="lower_to",
        help="Every layer is measured in each, and a plan may give it any of them, or leave it in the reference's.",
        place=left,
    )
    exact = right.toggle(
        "Check with exact runs",
        key="exact",
        bind="query-params",
        help="For every layer and format, also runs the model with that layer alone lowered, and with all but it, to "
        "hold the predictions against measured errors. Takes long for deep models.",
    )
    return formats, exact


main()
