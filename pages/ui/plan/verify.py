"""A plan is run: its measured error beside the predicted one."""

from __future__ import annotations

import math

import streamlit as st

from pages.ui import frame
from pages.ui.job import show_progress
from pages.ui.plan import jobs as plan_jobs
from precision.engine import Job
from precision.findings.plan import comparison_text
from precision.plan.verify import verification_of
from precision.results import CompareResult, SensitivityReport, SensitivityResult
from precision.results.plan import Plan, Verification, sqnr_db
from precision.text.names import escape_markdown
from precision.text.units import bytes_text, number_text, seconds_text


def section(result: SensitivityResult, report: SensitivityReport, plan: Plan) -> None:
    """A button that runs the plan, its progress, or what it measured."""
    job = plan_jobs.job_of(plan, result.spec)
    if job is None:
        _button("Verify by a run", result, plan)
    elif not job.finished:
        show_progress(job.id)
    elif isinstance(job.result, CompareResult):
        _measured(verification_of(plan, job.result), report, plan)
        st.link_button(
            "Open on Overview",
            frame.overview_address(job.spec, job.id),
            icon=":material/speed:",
            help="In a new tab, whose pages all compare the plan with the reference.",
        )
        _button("Run the plan again", result, plan, fresh=True)
    else:
        _ended_early(job)
        _button("Run the plan again", result, plan, fresh=True)


def _button(label: str, result: SensitivityResult, plan: Plan, *, fresh: bool = False) -> None:
    st.button(
        label,
        icon=":material/fact_check:",
        type="tertiary" if fresh else "primary",
        key="verify",
        on_click=plan_jobs.start,
        args=(plan, result.spec),
        kwargs={"fresh": fresh},
        help="Runs the model with each layer in its format beside the reference: error, bytes and time, measured.",
    )


def _ended_early(job: Job) -> None:
    if job.status == "cancelled":
        st.info("The run of this plan was cancelled. Nothing is computing.", icon=":material/stop_circle:")
    else:
        st.error(escape_markdown(job.error or "The run ended without a result."), icon=":material/error:")


def _measured(found: Verification, report: SensitivityReport, plan: Plan) -> None:
    if found.failure is not None:
        st.error(escape_markdown(found.failure.message), icon=":material/error:")
    with st.container(border=True):
        how = "measured before" if plan.totals.is_measured else "predicted"
        st.markdown(f"**Verified.** {escape_markdown(_sentence(found, report, how))}")
        st.markdown(escape_markdown("  \n".join(_more(found))).replace("\\n", "\n"))
        if said := comparison_text(found, report, plan):
            st.caption(escape_markdown(said))


def _sentence(found: Verification, report: SensitivityReport, how: str) -> str:
    """Measured beside predicted error; `how` it is known."""
    measured = found.measured_squared_error
    if measured is None:
        return "The output is not finite, or the run failed: this plan cannot be used."
    predicted = sqnr_db(report.output_mean_square, found.predicted_squared_error)
    decibels = _db(sqnr_db(report.output_mean_square, measured))
    ratio = "" if found.ratio is None else f", {number_text(found.ratio)} × the measured RMSE"
    return f"Measured {decibels}, RMSE {number_text(math.sqrt(measured))}; {how} {_db(predicted)}{ratio}."


def _more(found: Verification) -> list[str]:
    """Bytes and times."""
    said = []
    stored = found.estimated_bytes if found.estimated_bytes is not None else found.measured_bytes
    if stored is not None:
        how = "estimated, as if simulated formats were stored" if found.estimated_bytes is not None else "measured"
        said.append(f"{bytes_text(stored)} stored ({how}); predicted {bytes_text(found.predicted_bytes)}.")
    if found.measured_time_s is not None and found.reference_time_s is not None:
        simulated = " simulated formats slow it down" if found.estimated_bytes is not None else ""
        said.append(
            f"{seconds_text(found.measured_time_s)} a pass, the reference {seconds_text(found.reference_time_s)}"
            f"{f' ({simulated.strip()})' if simulated else ''}."
        )
    return said


def _db(decibels: float | None) -> str:
    return "no error" if decibels == math.inf else f"{number_text(decibels)} dB"
