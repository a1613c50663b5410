"""Overview: what happens to this model in this format on this device?"""

from collections.abc import Mapping

import streamlit as st

from pages.ui import baseline, decision, decisions, detail, device_speed, downloads, dtypes, frame, samples, state, tour
from pages.ui.chart import show
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.charts.error_histogram import plot_error_histogram
from precision.charts.side_by_side import plot_side_by_side
from precision.charts.stored_bytes import plot_stored_bytes
from precision.charts.timing import plot_timing
from precision.findings.cast import audit_table, changed_text
from precision.findings.elements import pairs_table
from precision.findings.real_kernels import real_kernels_text
from precision.findings.recommendation import recommend
from precision.findings.speed import compare_speed
from precision.findings.two_runs import STORED
from precision.findings.verdict import technical_text
from precision.results import CastAudit, CompareResult, Comparison, OutputComparison, Verdict
from precision.spec import Analysis
from precision.text.metrics import metric_named
from precision.text.names import escape_markdown, for_markdown
from precision.text.units import bytes_text, number_text, seconds_text

MOST_WARNINGS = 3
"""Warnings of the cast that are shown here."""

_ON_CARDS = (metric_named("mean_abs_error").label, metric_named("max_abs_error").label, STORED)
"""The key figures of two runs that have a card."""
_TIMING = ":material/timer: Both models are timed last."

HOW_TO_READ = """\
The same input goes through the model twice: in the **reference** precision and in the **candidate** format.
The verdict is that of the worst output. It says first what became of what matters to that output: its classes, its
direction, or its values. What an output is, is guessed; choose it under *This output is* if the guess is wrong.
With class scores, a **flip** is a sample whose largest score belongs to another class than in the reference. One flip
is a changed decision. No flip among few samples proves little: the interval says how many of all such samples may flip,
and a verdict is *uncertain* where there are too few. Tokens of one text are alike, so the interval counts by texts.

The second sentence compares the error with two floors: the **rounding floor**, the error of merely rounding the
reference's output to the format, and the **repeat floor**, the difference between two runs of the reference. An error
near the rounding floor is as good as the format can be; a larger one was added by the layers. The floor belongs to the
format, so this sentence does not compare formats. **Against float64**, the errors of both tell how much of the
difference is the reference's own.

Bytes are those of the real tensors (parameters, buffers, plain attributes; tied ones once). If no dtype stores the
format, its values are held in a wider one, and the bytes of the format are estimated below. Times are medians; both
models are timed in turns on the device above. On another device they differ, sometimes by orders of magnitude.
"""
KERNELS_HELP = """\
If this device has a kernel that computes in the format, the model runs once more with its linear layers on that kernel.
They get exactly the values that the simulation rounds to. Everything else stays simulated, and so does a layer whose
input the simulation does not round, such as the result of an operator between two modules. The difference is in the
arithmetic: sums are added in another order, which can also change how later layers round.
"""


def main() -> None:
    """Draw the page."""
    enter_through_router()
    result = current_result(CompareResult, shows=lambda result: result.comparison is not None)
    top = st.container()
    with st.expander("The technical verdict, and its limits", icon=":material/gavel:"):
        place = st.container()
        limits = decisions.pick_yardsticks()
    recommended = recommend(result, limits)
    with top:
        frame.header(decision.title(recommended), result, lead=lambda: decision.details(recommended))
        _four_numbers(result, baseline.changes(result))
        baseline.section(result, state.job_id(Analysis.COMPARE), told=_ON_CARDS)
        if said := real_kernels_text(result):
            st.caption(f":material/memory: {escape_markdown(said)}", help=KERNELS_HELP)
        with st.container(key=tour.PICTURES):
            if result.audit:
                dtypes.strip(result.audit, opens_layers=True)
            output = _distribution(result)
        if result.audit:
            _cast_warnings(result.audit)
        _timing_warnings(result)
        device_speed.banner(result)
    with place:
        _technical(recommended.verdict, result.comparison)
    for note in result.comparison.notes if result.comparison else ():
        st.caption(escape_markdown(note))
    if detail.shows_all("decisions, outputs, bytes, times and every tensor's dtype"):
        _everything(result, output)
    frame.footer(result, how_to_read=HOW_TO_READ)
    tour.offer()


def _distribution(result: CompareResult) -> OutputComparison | None:
    """The output's errors, with samples beside them where the input is real; the output that is shown."""
    if not result.comparison or not result.comparison.outputs:
        return None
    output = frame.pick_output(result.comparison.outputs)
    left, right = st.columns(2) if result.samples else (st.container(), st.container())
    with left:
        others = baseline.overlaid(result, output)
        show(plot_error_histogram(output, result.spec.dtype, *others), key="absolute-error")
    with right:
        samples.section(result)
    return output


def _everything(result: CompareResult, output: OutputComparison | None) -> None:
    """What simple pages leave out."""
    if output:
        decisions.decisions(output, result)
        show(plot_side_by_side(output, result.spec.dtype), key="side-by-side")
        _side_by_side(output, result)
    left, right = st.columns(2)
    if result.audit:
        with left:
            show(plot_stored_bytes(result.audit), key="stored-bytes")
    with right:
        if result.cost is None and not result.failure:
            st.caption(_TIMING)
        else:
            timing = plot_timing(result.cost, reference=result.spec.reference, candidate=result.candidate_name)
            show(timing, key="timing")
    if result.audit:
        _dtypes(result.audit)


def _technical(verdict: Verdict, comparison: Comparison | None) -> None:
    st.markdown(f"**{verdict.word.capitalize()}.** {escape_markdown(verdict.sentence)}")
    if technical := technical_text(verdict):
        st.markdown(escape_markdown(technical))
    rules = [verdict.rule, *([verdict.against_rounding.rule] if verdict.against_rounding else [])]
    st.caption(f"Rules: {' '.join(rules)}")
    if comparison:
        decisions.truth_line(comparison)


def _four_numbers(result: CompareResult, changes: Mapping[str, str]) -> None:
    """The key figures; below each, what became of the pinned run's."""
    mean, largest, size, speed = st.columns(4)
    metrics = result.comparison.overall if result.comparison else None
    decisions.number(mean, "mean_abs_error", number_text(metrics.mean_abs_error if metrics else None, 3))
    decisions.number(largest, "max_abs_error", number_text(metrics.max_abs_error if metrics else None, 3))
    for place, label in zip((mean, largest, size), _ON_CARDS, strict=True):
        if label in changes:
            place.caption(f":material/keep: {escape_markdown(changes[label])}", help="Against the pinned run.")
    if result.audit:
        estimated = result.audit.estimated_bytes_after
        frame.bytes_metric(
            size,
            result.audit.bytes_before,
            result.audit.bytes_after if estimated is None else estimated,
            label="Stored bytes" if estimated is None else "Stored bytes, estimated",
            help="Measured: every parameter, buffer and plain tensor attribute of the real model; tied ones once."
            if estimated is None
            else "The bits of the format with its scales, for every tensor that is rounded to it. No dtype stores the "
            "format: a wider one holds its values here.",
        )
        if estimated is not None:
            size.caption(f"Held here in {bytes_text(result.audit.bytes_after)}.")
    if result.cost is None and not result.failure:
        speed.metric("Time per run", "…")
        speed.caption(_TIMING)
    if result.cost:
        reference, candidate = result.cost.reference_time, result.cost.candidate_time
        compared, reference_s = compare_speed(result.cost), seconds_text(reference.median_s)
        speed.metric(
            "Time per run, simulated" if result.execution.label == "simulated" else "Time per run",
            seconds_text(candidate.median_s),
            delta=f"{compared.text} {reference_s}" if compared.ratio else "inconclusive",
            delta_color="off",
            delta_arrow="off",
            help=f"Measured: median of {candidate.runs:,} runs by torch.utils.benchmark, in turns with "
            f"{reference.runs:,} of the reference on {candidate.threads} threads.",
        )
        if compared.reason:
            speed.caption(f"Reference {reference_s}; {compared.reason}.")


def _timing_warnings(result: CompareResult) -> None:
    if result.cost is None:
        return
    sides = ((result.spec.reference, result.cost.reference_time), (result.candidate_name, result.cost.candidate_time))
    said = [f"{name}: {' '.join(timing.warnings)}" for name, timing in sides if timing.warnings]
    if said:
        st.caption(escape_markdown(f"The times may not be reliable. {' '.join(said)}"))


def _side_by_side(output: OutputComparison, result: CompareResult) -> None:
    st.header("Outputs side by side", anchor=False)
    is_held = result.execution.label == "simulated" and not result.spec.weights
    holding = f" holding {result.spec.dtype} values" if is_held else ""
    shown = "all" if output.metrics.elements == len(output.preview) else f"the first {len(output.preview)}"
    st.caption(
        f"{for_markdown(output.path)}, shape {list(output.shape)}, {output.reference_dtype} against "
        f"{output.candidate_dtype}{holding}: {shown} of {output.metrics.elements:,} elements."
    )
    downloads.table(
        pairs_table(output.preview).without("ULP error"),
        name=f"{downloads.file_stem(result)}-outputs",
        key="outputs",
        alt="Reference and candidate outputs, element by element",
    )


def _cast_warnings(audit: CastAudit) -> None:
    """The first warnings about the stored values; the page Layers has all."""
    if not audit.warnings:
        return
    more = len(audit.warnings) - MOST_WARNINGS
    said = [*audit.warnings[:MOST_WARNINGS], *([f"{more} more warnings are on the page Layers."] if more > 0 else [])]
    st.warning("  \n".join(map(escape_markdown, said)), icon=":material/report:")


def _dtypes(audit: CastAudit) -> None:
    st.header(escape_markdown(changed_text(audit)), anchor=False)
    downloads.table(
        audit_table(audit.tensors).pick("tensor", "before", "after", "kind"),
        name=None,
        key="dtypes",
        alt="Data type of every tensor before and after the cast",
    )
    st.page_link("pages/layers.py", label="Bytes, ties and rounding of every tensor", icon=":material/account_tree:")


main()
