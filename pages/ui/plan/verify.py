"""Runs a plan: its measured error beside the predicted one."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import streamlit as st

from pages.ui import frame
from pages.ui.job import engine
from pages.ui.side_jobs import SideJobs
from precision.findings.plan import comparison_text, judged_text, left_wide_text
from precision.plan.totals import plan_of
from precision.plan.verify import planned_spec, verification_of
from precision.results import CompareResult, SensitivityReport, SensitivityResult
from precision.results.plan import Plan, Verification, sqnr_db
from precision.spec import RunSpec
from precision.text.names import escape_markdown
from precision.text.units import bytes_text, number_text, ratio_text, seconds_text

_RUNS = SideJobs("plan", "run of this plan")


class Verified(NamedTuple):
    """A plan that was run in this session."""

    plan: Plan
    verification: Verification


def section(result: SensitivityResult, report: SensitivityReport, plan: Plan) -> CompareResult | None:
    """A button that runs the plan, its progress, or what it measured; the comparison, once it was measured."""
    asked = _asked(plan, result.spec)
    job = _RUNS.show(asked) or engine().stored(asked)
    if job is None:
        _button("Verify by a run", asked)
    if job is None or not job.finished:
        return None
    found = job.result if isinstance(job.result, CompareResult) else None
    if found:
        _measured(verification_of(plan, found), report, plan)
        st.link_button(
            "Open on Overview",
            frame.overview_address(job.spec, job.id),
            icon=":material/speed:",
            help="In a new tab; all pages there compare the plan with the reference.",
        )
    _button("Run the plan again", asked, again=True)
    return found


def verified(report: SensitivityReport, spec: RunSpec) -> Iterator[Verified]:
    """The plans for the model of `spec` that were run in this session and measured."""
    fqns = [layer.fqn for layer in report.layers]
    for job in _RUNS:
        if not isinstance(job.result, CompareResult) or job.result.comparison is None:
            continue
        formats = dict(job.spec.plan)
        known = formats.keys() <= set(fqns) and set(formats.values()) <= {spec.reference, *report.formats}
        if not known or job.spec.reference != spec.reference:
            continue
        names = [formats.get(fqn, spec.reference) for fqn in fqns]
        plan = plan_of(report, names, reference=spec.reference, optimal=False)
        if _asked(plan, spec) == job.spec:
            yield Verified(plan, verification_of(plan, job.result))


def _asked(plan: Plan, spec: RunSpec) -> RunSpec:
    return planned_spec(plan, spec).measured


def _button(label: str, asked: RunSpec, *, again: bool = False) -> None:
    says = "Runs the model with each layer in its format beside the reference: error, bytes and time, measured."
    _RUNS.button(label, asked, key="verify", icon=":material/fact_check:", says=says, again=again)


def _measured(found: Verification, report: SensitivityReport, plan: Plan) -> None:
    if found.failure is not None:
        st.error(escape_markdown(found.failure.message), icon=":material/error:")
    with st.container(border=True):
        how = "measured before" if plan.totals.is_measured else "predicted"
        if judged := judged_text(found, report, plan):
            st.warning(escape_markdown(judged), icon=":material/warning:")
        st.markdown(f"**Verified.** {escape_markdown(_sentence(found, report, how))}")
        st.markdown(escape_markdown("  \n".join(_bytes_and_times(found))).replace("\\n", "\n"))
        for said in filter(None, (comparison_text(found, report, plan), left_wide_text(plan))):
            st.caption(escape_markdown(said))


def _sentence(found: Verification, report: SensitivityReport, how: str) -> str:
    """Measured beside predicted error; `how` says where the latter comes from."""
    measured = found.measured_squared_error
    if measured is None:
        return "The output is not finite, or the run failed: this plan cannot be used."
    predicted = sqnr_db(report.output_mean_square, found.predicted_squared_error)
    decibels = _db(sqnr_db(report.output_mean_square, measured))
    ratio = "" if found.ratio is None else f", {ratio_text(found.ratio)} × the measured RMSE"
    return f"Measured {decibels}, RMSE {number_text(math.sqrt(measured))}; {how} {_db(predicted)}{ratio}."


def _bytes_and_times(found: Verification) -> list[str]:
    said = []
    stored = found.estimated_bytes if found.estimated_bytes is not None else found.measured_bytes
    if stored is not None:
        how = "estimated, as if simulated formats were stored" if found.estimated_bytes is not None else "measured"
        said.append(f"{bytes_text(stored)} stored ({how}); predicted {bytes_text(found.predicted_bytes)}.")
    if found.measured_time_s is not None and found.reference_time_s is not None:
        slowed = " (simulated formats slow it down)" if found.estimated_bytes is not None else ""
        plan, reference = seconds_text(found.measured_time_s), seconds_text(found.reference_time_s)
        said.append(f"{plan} per pass{slowed}; reference: {reference}.")
    return said


def _db(decibels: float | None) -> str:
    return "no error" if decibels == math.inf else f"{number_text(decibels)} dB"
