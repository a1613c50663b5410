"""The best plan for a budget: its cost, the format of each layer, and its place on the front."""

import math
from functools import partial

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import decision, downloads, frame
from pages.ui.chart import show, show_and_pick
from pages.ui.plan import budget as plan_budget
from pages.ui.plan import export as plan_export
from pages.ui.plan import verify as plan_verify
from pages.ui.plan.budget import Chosen
from pages.ui.plan.verify import Verified
from precision.charts.plan_front import MeasuredPlan, plot_plan_front
from precision.charts.plan_strip import plot_plan_strip
from precision.errors import PrecisionError
from precision.findings.plan import doubts_text, formats_text, left_wide_text, plan_finding, plan_table
from precision.findings.recommendation import recommend
from precision.plan.verify import verification_of
from precision.results import CompareResult, SensitivityReport, SensitivityResult
from precision.results.plan import Plan, root, sqnr_db
from precision.text.names import escape_markdown
from precision.text.units import number_text, seconds_text


@st.fragment
def section(result: SensitivityResult, run: str, _report: SensitivityReport, *, _title: DeltaGenerator) -> None:
    """The plan that the controls below it ask for; moving the slider redraws only this part, and the page's title.

    `run` identifies `_report`, which is that of `result`.
    """
    spec = result.spec
    top = st.container()
    try:
        chosen = plan_budget.choose(run, _report, spec.reference)
    except PrecisionError as error:
        _title.title("No plan is possible", anchor=False)
        top.warning(escape_markdown(str(error)), icon=":material/rule:")
        return
    plan = chosen.plan
    with top:
        found = _decision(result, _report, plan, title=_title)
        _numbers(plan, _report, found)
        if found is None:  # the run says what is left wide, and there is no doubt any more
            for said in filter(None, (doubts_text(plan, _report), left_wide_text(plan))):
                st.caption(escape_markdown(said))
        if not plan.optimal:
            st.caption(":material/bolt: The search was cut short: there may be a better plan.")
    runs = list(plan_verify.verified(_report, spec))
    show_and_pick(_front(chosen, _report, runs), key="front", on_pick=partial(plan_budget.move_to, chosen))
    st.caption("Click a point of the line to choose its plan.")
    with st.expander("Every layer of the plan", icon=":material/table:"):
        downloads.table(
            plan_table(plan, _report),
            name=f"{downloads.file_stem(result)}-plan",
            key="plan",
            alt="Format, error and bytes of every layer of the plan",
            pinned=True,
        )
    plan_export.section(result, chosen)


def _decision(
    result: SensitivityResult, report: SensitivityReport, plan: Plan, *, title: DeltaGenerator
) -> CompareResult | None:
    """What the plan is and saves, and its error, with a button that measures it; the comparison, once measured."""
    found = plan_verify.section(result, report, plan)
    said = escape_markdown(f"Best plan: {plan_finding(plan, report)}")
    title.title(decision.title(recommend(found)) if found else said, anchor=False)
    show(plot_plan_strip(plan), key="strip")
    return found


def _numbers(plan: Plan, report: SensitivityReport, found: CompareResult | None) -> None:
    whole = plan.uniform[0].totals
    squared_error = plan.totals.squared_error
    if found is not None:
        squared_error = verification_of(plan, found).measured_squared_error
    decibels = sqnr_db(report.output_mean_square, squared_error)
    size, error, time, formats = st.columns(4)
    frame.bytes_metric(
        size,
        whole.stored_bytes,
        plan.totals.stored_bytes,
        help="By theory: weights and buffers in the plan's formats, scales included, as if each could be stored.",
    )
    error.metric(
        "SQNR, measured" if found is not None or plan.totals.is_measured else "SQNR, predicted",
        "exact" if decibels == math.inf else f"{number_text(decibels, 3)} dB",
        delta=f"RMSE {number_text(root(squared_error), 3)}",
        delta_color="off",
        delta_arrow="off",
        help=f"Estimated from the errors of the layers; measured for one format. {frame.metric_help('sqnr_db')}",
    )
    time.metric(
        "Time of the layers",
        None if plan.totals.time_s is None else seconds_text(plan.totals.time_s),
        delta=None if whole.time_s is None else f"{plan.reference}: {seconds_text(whole.time_s)}",
        delta_color="off",
        delta_arrow="off",
        help="Measured for each layer alone, without casts between layers; simulated formats have no time.",
    )
    lowered = sum(name != plan.reference for _, name in plan.pairs)
    formats.metric(
        "Layers lowered",
        f"{lowered:,} of {len(plan.layers):,}",
        help="How many layers leave the reference's format.",
    )


def _front(chosen: Chosen, report: SensitivityReport, runs: list[Verified]) -> go.Figure:
    measured = [
        MeasuredPlan(f"plan of {formats_text(each.plan)}", error, each.plan.totals)
        for each in runs
        if (error := each.verification.measured_squared_error) is not None
    ]
    return plot_plan_front(chosen.front, chosen.plan, report, runs=measured)
