"""The runs that verify plans: each a job beside the page's own, known by its spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import streamlit as st

from pages.ui import state
from pages.ui.job import engine, known_job
from precision.engine import Job
from precision.errors import PrecisionError
from precision.plan.totals import plan_of
from precision.plan.verify import planned_spec, verification_of
from precision.results import CompareResult, SensitivityReport
from precision.results.plan import Plan, Verification
from precision.spec import RunSpec
from precision.text.names import plain


class Verified(NamedTuple):
    """A plan that was run in this session."""

    plan: Plan
    verification: Verification


def start(plan: Plan, spec: RunSpec, *, fresh: bool = False) -> None:
    """Run a plan.

    Args:
        plan: what to run.
        spec: what its sensitivity was measured of.
        fresh: also where it was run before.
    """
    asked = _asked(plan, spec)
    try:
        job = engine().submit(asked, session=state.session_id(), fresh=fresh)
    except PrecisionError as error:
        st.toast(plain(str(error), limit=None), icon=":material/error:")
    else:
        state.plan_jobs()[asked.digest()] = job.id


def job_of(plan: Plan, spec: RunSpec) -> Job | None:
    """The job that runs or ran the plan in this session; None where none did, or it is forgotten."""
    return known_job(state.plan_jobs().get(_asked(plan, spec).digest()))


def verified(report: SensitivityReport, spec: RunSpec) -> Iterator[Verified]:
    """The plans for the model of `spec` that were run in this session and measured."""
    fqns = [layer.fqn for layer in report.layers]
    for digest, job_id in state.plan_jobs().items():
        job = known_job(job_id)
        if job is None or not isinstance(job.result, CompareResult) or job.result.comparison is None:
            continue
        formats = dict(job.spec.plan)
        known = formats.keys() <= set(fqns) and set(formats.values()) <= {spec.reference, *report.formats}
        if not known or job.spec.reference != spec.reference:
            continue
        names = [formats.get(fqn, spec.reference) for fqn in fqns]
        plan = plan_of(report, names, reference=spec.reference, optimal=False)
        if _asked(plan, spec).digest() == digest:
            yield Verified(plan, verification_of(plan, job.result))


def _asked(plan: Plan, spec: RunSpec) -> RunSpec:
    return planned_spec(plan, spec).measured
