"""What the user asks of a plan: a budget, set with a slider, and constraints."""

import math
from typing import Literal, NamedTuple

import streamlit as st

from pages.ui import linked, state, view_state
from precision.errors import InputError
from precision.formats import any_format_named
from precision.plan.constraints import Constraints
from precision.plan.front import front_of
from precision.plan.solve import Planner, squared_error_of
from precision.plan.totals import share_of, whole_of
from precision.results import SensitivityReport
from precision.results.plan import Front, Plan, Resource, Totals
from precision.text.units import bytes_text, seconds_text

BudgetKind = Literal["bytes", "error", "time"]
_KEYS: dict[BudgetKind, str] = {"bytes": "most_bytes", "error": "least_sqnr", "time": "most_time"}
FIRST_SHARE = 40.0
"""Percent: between casts to 8 and to 16 bits, so that the plan mixes both."""
_FIRST_DB = 40.0
"""An error of a hundredth of the output."""
_STEP, _ALL = 0.5, 100.0
"""Percent."""


class Chosen(NamedTuple):
    """The plan that the controls ask for."""

    kind: BudgetKind
    value: float
    """Percent of the reference's bytes or time; of an error, decibels."""
    constraints: Constraints
    front: Front
    plan: Plan


def _resource_of(kind: BudgetKind) -> Resource:
    return "time" if kind == "time" else "bytes"


def _pick_constraints(report: SensitivityReport) -> Constraints:
    """What every plan must observe, including the modules that the sidebar keeps."""
    columns = st.columns(3)
    norms = columns[0].checkbox(
        f"Keep norms in {state.choice('reference')}",
        key="keep_norms",
        bind="query-params",
        help="Normalization layers are small, and few runtimes compute them in narrow formats.",
    )
    native = columns[1].checkbox(
        "Native formats only",
        key="native",
        bind="query-params",
        help="Only formats in which torch computes on this device: such plans can be exported as PyTorch code.",
    )
    tied = columns[2].checkbox(
        "Tied layers together",
        value=True,
        key="tied",
        bind="query-params",
        help="Layers that share a weight get one format, so that it is stored once.",
    )
    formats = tuple(name for name in report.formats if any_format_named(name).computes) if native else None
    return Constraints(keep=tuple(state.kept_modules()), keep_norms=norms, formats=formats, tied_together=tied)


def _pick_kind(report: SensitivityReport) -> BudgetKind:
    timed = any(each.time_s is not None for layer in report.layers for each in layer.contributions) and all(
        layer.reference_time_s is not None for layer in report.layers
    )
    kinds: tuple[BudgetKind, ...] = ("bytes", "error", "time") if timed else ("bytes", "error")
    return linked.radio(
        "Limit",
        kinds,
        key="budget",
        help="bytes: the most exact plan with at most this many bytes. error: the plan with the fewest bytes that has "
        "at least this SQNR. time: the most exact plan whose layers take at most this time; simulated formats have "
        "no time.",
    )


def choose(run: str, report: SensitivityReport, reference: str) -> Chosen:
    """Draw the controls and find the best plan that they allow; `run` identifies the report.

    Raises:
        InputError: no plan observes the constraints.
    """
    limit, allowed = st.container(), st.container()
    with allowed:
        constraints = _pick_constraints(report)
    with limit.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        kind = _pick_kind(report)
        slider = st.container()
    planner = _planner(run, _resource_of(kind), constraints, reference, _report=report)
    front = _front(run, planner.resource, constraints, reference, _planner=planner)
    with slider:
        value = _slider(kind, front, whole_of(report, reference), reference)
    plan = _plan(run, kind, value, constraints, reference, _planner=planner)
    return Chosen(kind, value, constraints, front, plan)


def first_plan(run: str, report: SensitivityReport, reference: str) -> Plan | None:
    """The plan that the page shows before anything is chosen; None where the kept modules leave none."""
    constraints = Constraints(keep=tuple(state.kept_modules()))
    try:
        planner = _planner(run, "bytes", constraints, reference, _report=report)
        return _plan(run, "bytes", FIRST_SHARE, constraints, reference, _planner=planner)
    except InputError:
        return None


def move_to(chosen: Chosen, point: int) -> None:
    """Set the slider to the plan of one of the front's points."""
    totals = chosen.front.points[point].totals
    if chosen.kind == "error":
        most = _ends_db(chosen.front)[1]
        value = most if totals.sqnr_db is None else float(math.floor(min(totals.sqnr_db, most)))
    else:
        value = _share_up(totals, chosen.kind, chosen.plan.uniform[0].totals)
    view_state.put(_KEYS[chosen.kind], value)


def _slider(kind: BudgetKind, front: Front, whole: Totals, reference: str) -> float:
    if kind == "error":
        low, high = _ends_db(front)
        return linked.slider(
            "SQNR of at least",
            key=_KEYS[kind],
            value=_FIRST_DB,
            least=low,
            most=high,
            step=1.0,
            format="%.0f dB",
            help="With 20 dB more, the error is ten times smaller.",
        )
    low = _share_up(front.points[0].totals, kind, whole)
    if low >= _ALL:
        st.caption("The constraints allow only one plan.")
        return _ALL
    unit = bytes_text(whole.stored_bytes) if kind == "bytes" else seconds_text(whole.time_s or 0.0)
    return linked.slider(
        f"{'Largest size' if kind == 'bytes' else 'Longest time'}, as a share of {reference}'s {unit}",
        key=_KEYS[kind],
        value=FIRST_SHARE,
        least=low,
        most=_ALL,
        step=_STEP,
        format="%.1f %%",
        help="From the cheapest plan that the constraints allow to the reference itself.",
    )


def _share_up(cost: Totals, kind: BudgetKind, whole: Totals) -> float:
    """A cost in percent of the reference's, up to the next step of the slider."""
    part, all_of_it = (
        (cost.stored_bytes, whole.stored_bytes) if kind == "bytes" else (cost.time_s or 0.0, whole.time_s or 0.0)
    )
    return min(math.ceil(_ALL * part / all_of_it / _STEP) * _STEP, _ALL) if all_of_it else _ALL


def _ends_db(front: Front) -> tuple[float, float]:
    """The least and the most decibels of the front's plans that have an error."""
    known = [
        point.totals.sqnr_db
        for point in front.points
        if point.totals.sqnr_db is not None and math.isfinite(point.totals.sqnr_db)
    ]
    low = math.floor(min(known, default=0.0))
    return float(low), float(max(math.ceil(max(known, default=0.0)), low + 1))


@st.cache_resource(max_entries=16, show_spinner=False)
def _planner(
    run: str, resource: Resource, constraints: Constraints, reference: str, *, _report: SensitivityReport
) -> Planner:
    del run  # identifies the report, which is too large for a cache key
    return Planner(report=_report, resource=resource, constraints=constraints, reference=reference)


@st.cache_resource(max_entries=16, show_spinner=False)
def _front(run: str, resource: Resource, constraints: Constraints, reference: str, *, _planner: Planner) -> Front:
    del run, resource, constraints, reference  # they identify the planner
    return front_of(_planner)


@st.cache_resource(max_entries=64, show_spinner=False)
def _plan(
    run: str, kind: BudgetKind, value: float, constraints: Constraints, reference: str, *, _planner: Planner
) -> Plan:
    del run, constraints
    if kind == "error":
        return _planner.least_cost(squared_error_of(_planner.report, value))
    whole = whole_of(_planner.report, reference)
    return _planner.least_error(share_of(whole, value / _ALL, _planner.resource))
