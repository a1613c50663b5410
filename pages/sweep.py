"""Sweep: error, bytes and time of one model in many formats, by many methods, on many devices."""

import streamlit as st

from pages.ui import device_speed, elsewhere, frame, share, state, view_state
from pages.ui.chart import show
from pages.ui.job import NOT_POSSIBLE, engine, refuse, require_choice
from pages.ui.linked import multiselect, radio
from pages.ui.shell.guard import enter_through_router
from pages.ui.sweep import jobs as sweep_jobs
from pages.ui.sweep.jobs import SweepState
from pages.ui.sweep.table import table
from precision.charts.sweep_costs import SweepCost, plot_sweep_costs
from precision.charts.sweep_heatmap import plot_sweep_heatmap
from precision.errors import PrecisionError
from precision.findings.sweep import USUAL_FORMATS, WHAT_VERDICTS_ARE, SweepPlan, plan_sweep, sweep_finding
from precision.formats import formats_with
from precision.models.catalogue import describe
from precision.models.opened import is_elsewhere, results_of
from precision.results import DeviceInfo, MemoryResult, SweepRow
from precision.spec import Analysis, CastMethod, RunSpec
from precision.spec.cast_methods import USUAL_METHODS
from precision.text.names import escape_markdown, for_markdown
from precision.text.units import count_text

_POLL_S = 0.5
_COSTS: tuple[SweepCost, ...] = ("bytes", "time")
_METHODS = tuple(method for method in CastMethod if method not in USUAL_METHODS)
HOW_TO_READ = """\
Every row is a run of its own, the same as on the page Overview: one model, one format, one cast method, one device.
The errors of all formats are measured first, then, on request, their times. Runs on one device wait for each other, so
that they do not disturb each other's times; each appears as it ends.

- **Usual method**: `.to(dtype)`; for formats with scales, weights and inputs (dynamic). Another method gives a column
  of its own where it can produce the format.
- **Bytes, theory**: from the shapes alone, without loading the model: every parameter and buffer in the format, tied
  ones once, scales included. **Bytes, measured**: of the tensors of the cast model; empty where torch cannot store the
  format and its values are held in a wider one.
- **Working memory** is measured: the most that a pass took beyond what was there when it began. On the CPU it is the
  worker's resident memory, which is mostly noise for a small model.
- **Fits** compares the stored bytes, and the working memory once it is measured, with the device's whole memory.
- **Time** is the median of a pass, measured in turns with the reference. Where arithmetic is *simulated*, the time is
  that of the simulation and says nothing about hardware that computes in the format; *upcast* computes in float32.
- **Verdict**: what became of what matters to the worst output, such as the classes of samples. *Uncertain* means that
  there are too few samples to tell.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    require_choice()
    devices = engine().devices()
    try:
        base = state.spec(Analysis.COMPARE, {"plan": (), "weights": ()})
    except PrecisionError as error:
        refuse(NOT_POSSIBLE, str(error))
    heading = st.container()
    opened = is_elsewhere(base.model)
    if devices is None and not opened:
        heading.title("Sweep", anchor=False)
        _await_devices()
        st.stop()
    controls, charts = st.container(), st.container()
    if opened:
        plan = _opened_plan(base)
    else:
        with st.expander("Formats, cast methods and devices", expanded=True, icon=":material/tune:"):
            plan = _pick_plan(base, devices or ())
    state.mirror_choice_in_link()
    if view_state.link_asks_to_run() or opened:
        sweep_jobs.start(plan)
    now = sweep_jobs.advance(plan)
    view_state.mirror_run_in_link(bool(now.asked))
    with heading.container(key=share.ANSWER):
        _header(base, plan, now)
    with controls:
        _controls(plan, now)
    if now.rows:
        with charts:
            show(plot_sweep_heatmap(now.rows, plan.skipped, planned=len(plan.specs)), key="sweep")
            frame.link_to_plan()
        _costs(plan, now.rows)
    memory = sweep_jobs.memory_of(base)
    table(base, plan, now.rows, memory, devices or ())
    if isinstance(memory, MemoryResult):
        device_speed.section(memory)
    frame.explain(HOW_TO_READ, method="sweep")
    if memory is None:
        _await_memory(base)


@st.fragment(run_every=_POLL_S)
def _await_devices() -> None:
    if engine().devices() is not None:
        st.rerun()
    if engine().state == "failed":
        st.error(escape_markdown(engine().reason or "There is no worker."), icon=":material/error:")
    else:
        st.info("The worker is starting; this takes a few seconds.", icon=":material/hourglass_top:")


def _pick_plan(base: RunSpec, devices: tuple[DeviceInfo, ...]) -> SweepPlan:
    names = [fmt.name for fmt in formats_with(base.dtype)]
    formats = multiselect(
        "Formats",
        names,
        default=list(USUAL_FORMATS),
        key="formats",
        help="Each is compared with the reference of the sidebar, on the sidebar's model and input.",
    )
    left, right = st.columns(2)
    methods = multiselect(
        "Cast methods besides the usual one",
        [method.value for method in _METHODS],
        key="methods",
        placeholder="the usual one alone",
        help="The usual one is .to(dtype), or, for formats with scales, weights and inputs (dynamic).",
        place=left,
    )
    here = {device.id: device for device in devices}
    first = base.device if base.device in here else next(iter(here))
    chosen = multiselect(
        "Devices",
        list(here),
        default=[first],
        key="devices",
        help="Where to run: every device that this server's workers have.",
        place=right,
    )
    return _plan(base, formats, [CastMethod(value) for value in methods], [here[name] for name in chosen])


def _plan(base: RunSpec, formats: list[str], methods: list[CastMethod], devices: list[DeviceInfo]) -> SweepPlan:
    usual = plan_sweep(base, formats=formats, devices=devices)
    others = plan_sweep(base, formats=formats, devices=devices, methods=methods) if methods else SweepPlan((), ())
    return SweepPlan((*usual.specs, *others.specs), (*usual.skipped, *others.skipped))


def _opened_plan(base: RunSpec) -> SweepPlan:
    """The comparisons that the file has of a module that is elsewhere; stops the page where it has none."""
    specs = (result.spec for result in results_of(base.model) if result.spec.analysis is Analysis.COMPARE)
    whole = tuple(spec for spec in specs if not spec.plan and not spec.weights)
    if not whole:
        elsewhere.not_in_file(base)
    return SweepPlan(whole, ())


def _header(base: RunSpec, plan: SweepPlan, now: SweepState) -> None:
    model = describe(base.model)
    title = escape_markdown(model.short_title)
    finding = f": {escape_markdown(sweep_finding(now.rows, len(plan.specs)))}" if now.rows else " in many formats"
    frame.title(f"{title}{finding}")
    st.caption(f"Every format against {base.reference}, each a run of its own.", help=WHAT_VERDICTS_ARE)
    for said in dict.fromkeys(row.reference_nonfinite for row in now.rows if row.reference_nonfinite):
        st.warning(escape_markdown(said), icon=":material/report:")
    if model.weights == "random":
        st.warning("Random weights: speed and memory are real, errors are indicative only.", icon=":material/warning:")


def _controls(plan: SweepPlan, now: SweepState) -> None:
    if not plan.specs:
        st.info("Choose at least one format and one device that computes in it.", icon=":material/edit:")
        return
    if now.ended:
        missing = len(plan.specs) - len([row for row in now.rows if row.reason is None])
        measured = len(now.rows)
        if missing and sweep_jobs.was_cancelled(plan):
            st.info(f"Cancelled: {measured} of {len(plan.specs)} were measured.", icon=":material/stop_circle:")
        if missing:
            st.button(
                f"Run {count_text(missing, 'format') if not measured else f'{missing} more'}",
                icon=":material/play_arrow:",
                type="primary",
                key="run-sweep",
                on_click=sweep_jobs.start,
                args=(plan,),
                help="Errors, bytes and verdicts of all; times follow on request. What was measured before, here or on "
                "another page, is not run again.",
            )
        elif now.untimed:
            st.button(
                f"Time {count_text(now.untimed, 'format')}",
                icon=":material/timer:",
                key="time-sweep",
                on_click=sweep_jobs.start,
                args=(plan,),
                kwargs={"times": True},
                help="Runs each again, in turns with the reference, one at a time on each device.",
            )
        return
    _progress(plan, now)


@st.fragment(run_every=_POLL_S)
def _progress(plan: SweepPlan, shown: SweepState) -> None:
    """Start the next runs and show their progress; draw the page again when one has ended."""
    now = sweep_jobs.advance(plan, wait=True)
    if len(now.rows) != len(shown.rows) or now.ended:
        st.rerun()
    with st.container(border=True):
        done = now.asked - now.left
        st.progress((done + sum(job.fraction for job in now.running)) / now.asked, text=_progress_text(now))
        st.button(
            "Cancel",
            icon=":material/stop_circle:",
            key="cancel",
            on_click=sweep_jobs.cancel,
            help="Stops the runs and frees the devices; what was measured stays.",
        )


def _progress_text(now: SweepState) -> str:
    running = [
        f"{for_markdown(job.spec.dtype)} on {for_markdown(job.spec.device)}: {escape_markdown(job.stage)}"
        for job in now.running
    ]
    return " · ".join((f"{now.asked - now.left} of {now.asked}", *running, *([now.held_up] if now.held_up else [])))


@st.fragment(run_every=_POLL_S)
def _await_memory(base: RunSpec) -> None:
    if sweep_jobs.memory_of(base) is not None:
        st.rerun()


def _costs(plan: SweepPlan, rows: tuple[SweepRow, ...]) -> None:
    cost: SweepCost = radio("Cost", _COSTS, key="cost", help="What the horizontal axis of the dots shows.")
    show(plot_sweep_costs(rows, cost, planned=len(plan.specs)), key="costs")


main()
