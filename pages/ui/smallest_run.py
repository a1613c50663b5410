"""The page Ranges: the model run once with every weight in the smallest format that holds its values."""

import streamlit as st

from pages.ui import downloads, frame, linked
from pages.ui.job import say_failure
from pages.ui.side_jobs import SideJobs
from precision.findings.cast import estimated_text
from precision.findings.fit.smallest import smallest_weights, with_weights
from precision.findings.fit.table import FitTable
from precision.findings.key_figures import decided_figures, key_figures
from precision.findings.tables import of_kind, table_of
from precision.findings.verdict import judge
from precision.results import CompareResult
from precision.results.ranges import Ranges
from precision.spec import RunSpec
from precision.spec.weights import StoredIn, counted_text
from precision.text.names import escape_markdown, plain
from precision.text.terms import term_named

SCALES = ("as they are", "with a scale each")
_RUNS = SideJobs("smallest", "run with these formats")
_NAMED = 3
_SHOWN = ("SQNR", "Mean absolute error", "Max absolute error", "Stored")


def section(spec: RunSpec, ranges: Ranges, table: FitTable) -> None:
    """How many weights have which format; a button that runs the model so, its progress, or what it measured."""
    st.header("What the smallest formats do to the outputs", anchor=False)
    parameters = [each.name for each in ranges.tensors if each.kind == "parameter"]
    if not parameters:
        st.markdown("The model has no weights: there is nothing to run.")
        return
    scales = linked.radio(
        "Weights are rounded",
        SCALES,
        key="scales",
        help="With a scale, a weight may be multiplied by one power of two before it is rounded, and formats with "
        "scales of their own are possible too.",
    )
    weights = smallest_weights(ranges, table, scaled=scales == SCALES[1])
    st.markdown(_formats_text(weights, parameters))
    if not weights:
        return
    asked = with_weights(spec, weights).measured
    job = _RUNS.show(asked)
    if job is None:
        _button("Run with these formats", asked)
    elif job.finished:
        if isinstance(job.result, CompareResult):
            _measured(job.result)
            st.link_button(
                "Open on Overview",
                frame.overview_address(job.spec, job.id),
                icon=":material/speed:",
                help="In a new tab; all pages there compare the model with these weights with the reference.",
            )
        _button("Run again with these formats", asked, again=True)


def _button(label: str, asked: RunSpec, *, again: bool = False) -> None:
    says = (
        "Rounds every weight to the smallest format that holds its values, and runs the model once beside the "
        "reference. Activations, buffers and all arithmetic stay in the reference's precision."
    )
    _RUNS.button(label, asked, key="run-smallest", icon=":material/play_arrow:", says=says, again=again)


def _formats_text(weights: tuple[tuple[str, str], ...], parameters: list[str]) -> str:
    """How many weights have which format, and which have none."""
    if not weights:
        return "No format holds the values of any weight: there is nothing to run."
    formats = [StoredIn.parse(way).fmt for _, way in weights]
    said = f"Each weight in the smallest format that holds its values: {counted_text([fmt.name for fmt in formats])}."
    if simulated := ", ".join(dict.fromkeys(fmt.name for fmt in formats if not fmt.has_dtype)):
        said += f" Simulated, as torch does not store them: {simulated}."
    if without := [name for name in parameters if name not in dict(weights)]:
        more = f" and {len(without) - _NAMED:,} more" if len(without) > _NAMED else ""
        said += f" No format holds {', '.join(map(plain, without[:_NAMED]))}{more}: not rounded."
    return escape_markdown(said)


def _measured(found: CompareResult) -> None:
    """The verdict, and a few figures."""
    if found.failure is not None:
        say_failure(found.failure)
    verdict = judge(found)
    with st.container(border=True):
        st.markdown(
            f"**{verdict.word.capitalize()}.** {escape_markdown(verdict.sentence)}  \nArithmetic "
            f"**{found.execution.label}**.",
            help=f"{escape_markdown(found.execution.explanation)}\n\n{term_named(found.execution.label).definition}",
        )
        rows = [*decided_figures(found), *(row for row in key_figures(found) if row[0] in _SHOWN)]
        if estimate := estimated_text(found.audit) if found.audit else "":
            name, size = estimate.removeprefix("stored in ").rsplit(": ", 1)
            rows.append((f"If torch stored {name}", size, ""))
        downloads.table(
            table_of(of_kind("text", "figure", "value"), (row[:2] for row in rows)),
            name=None,
            key="smallest",
            alt="What the formats of the weights do to the outputs",
        )
    if found.warnings:
        st.caption("  \n".join(escape_markdown(warning) for warning in found.warnings))
