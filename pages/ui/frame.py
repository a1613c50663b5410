"""Header and footer of every page of results, and the pickers and numbers that pages share."""

import shlex
import urllib.parse
from collections.abc import Callable
from typing import NoReturn

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import downloads, linked, share
from pages.ui.job import offer_run_again, run_again, say_failure
from precision.findings.library_call import library_call
from precision.findings.page_link import query_of
from precision.models.opened import is_elsewhere
from precision.results import AnalysisResult, OutputComparison, RunResult
from precision.spec import RunSpec
from precision.text.metrics import metric_named
from precision.text.names import escape_markdown, for_markdown
from precision.text.terms import term_named
from precision.text.units import bytes_text, change_text, moment_text


def header(finding: str, result: RunResult, *, lead: Callable[[], object] | None = None) -> DeltaGenerator:
    """The page's main finding as its title, what was run, what `lead` draws, and warnings.

    Returns:
        Where the title stands: a fragment of the page may write another one there.
    """
    with st.container(key=share.ANSWER):
        place = title(finding, result)
        _about(result)
        if lead:
            lead()
        say_troubles(result)
    return place


def title(finding: str, result: AnalysisResult | None = None) -> DeltaGenerator:
    """A title with the menu Share beside it; where the title stands. Without a `result`, its link alone is shared."""
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.empty()
        place.title(finding, anchor=False)
        share.popover(result, command=command_line(result.spec) if result else "")
    return place


def _about(result: RunResult) -> None:
    """What was run, of what, on what."""
    spec = result.spec
    st.caption(
        f"**{model_name(result)}** · {spec.in_words(spec.analysis.info.about, escape=escape_markdown)} · "
        f"{escape_markdown(result.device.id)}, {escape_markdown(result.device.name)} · {_input_text(result)} · "
        f"{_kept_text(spec)}"
        f"{spec.analysis.info.arithmetic_of}arithmetic **{result.execution.label}**",
        help=f"{escape_markdown(result.execution.explanation)}\n\n{term_named(result.execution.label).definition}",
    )


def say_troubles(result: AnalysisResult) -> None:
    """Why the run ended early, and its warnings."""
    if result.failure:
        wide = ", ".join(map(for_markdown, result.spec.wide_inputs))
        cause = f"\n\nMaybe because this input is not cast: {wide}. Remove it in the sidebar and see."
        why = cause if wide and result.failure.where and not result.failure.of_reference else ""
        say_failure(result.failure, kept=f"{why}\n\nThe result is partial: what was measured before is shown.")
        offer_run_again(result.spec)
    if result.warnings:
        st.warning("  \n".join(escape_markdown(warning) for warning in result.warnings), icon=":material/warning:")


def _kept_text(spec: RunSpec) -> str:
    kept = f"kept in {spec.reference}: {', '.join(map(for_markdown, spec.keep))} · " if spec.keep else ""
    wide = f"inputs not cast: {', '.join(map(for_markdown, spec.wide_inputs))} · " if spec.wide_inputs else ""
    return kept + wide


def model_name(result: RunResult) -> str:
    """The model's short title, safe in a heading."""
    return escape_markdown(result.model.short_title)


def _input_text(result: RunResult) -> str:
    if result.input is None:
        return "no input"
    shapes = ", ".join(f"{name} {list(shape)}" for name, _, shape in result.input.tensors)
    return escape_markdown(f"input {result.input.name}: {shapes}")


def footer(result: AnalysisResult, *, how_to_read: str) -> None:
    """How to read the page, how to reproduce it, and which software measured it."""
    explain(how_to_read, method=result.spec.analysis.value)
    st.caption(f"Measured on {moment_text(result.measured_at)}.")
    with st.expander("Reproduce and take home", icon=":material/terminal:"):
        is_here = not is_elsewhere(result.spec.model)
        where = "on the command line" if is_here else "from Python, where the module is"
        st.caption(f"The same numbers {where}; this page's address reproduces this view.")
        st.code(command_line(result.spec), language="bash" if is_here else "python", wrap_lines=True)
        environment = result.environment
        st.text(
            f"torch {environment.torch} · transformers {environment.transformers} · Python {environment.python} · "
            f"{environment.platform} · {environment.threads} threads, {environment.cpu_capability}"
        )
        left, right = st.columns(2)
        with left:
            downloads.result_json(result)
        if is_here:
            right.button(
                "Measure again",
                icon=":material/refresh:",
                on_click=run_again,
                args=(result.spec,),
                help="Runs the comparison again instead of showing the stored result; times will differ a little.",
            )


def nothing_to_show(finding: str, result: RunResult, *, how_to_read: str) -> NoReturn:
    """The whole page of a result that has nothing to draw; `finding` says what is missing."""
    header(finding, result)
    footer(result, how_to_read=how_to_read)
    st.stop()


def explain(how_to_read: str, *, method: str) -> None:
    """How to read the page, to unfold, and where its `method` is described."""
    with st.expander("How to read this", icon=":material/help:"):
        st.markdown(how_to_read)
        st.markdown(f"[How it is measured]({method_address(method)}): mechanism, formula, limits and source.")


def method_address(method: str) -> str:
    """Where the page Methods shows the document of that name in `docs/methods`."""
    return f"./methods?{urllib.parse.urlencode({'topic': method})}"


def overview_address(spec: RunSpec, job: str | None) -> str:
    """The address of a run's page Overview, which shows the same job."""
    query = query_of(spec) | ({"job": job} if job else {})
    return f"./?{urllib.parse.urlencode(query)}"


def command_line(spec: RunSpec) -> str:
    """The command that prints this comparison; the call of the library, where the module is not here."""
    if is_elsewhere(spec.model):
        return library_call(spec)
    settings = query_of(spec)
    options = {name: value for name, value in settings.items() if name not in spec.unread}
    words = [
        word
        for name, value in options.items()
        for word in ([f"--{name.replace('_', '-')}", value] if name != "exact" else ["--exact"])
    ]
    return shlex.join(["python", "-m", "precision", spec.analysis.value, *words])


def link_to_plan() -> None:
    """The way to Mixed precision, from where one format for all layers is not enough."""
    st.page_link("pages/mixed_precision.py", label="Find a plan: a format for every layer", icon=":material/balance:")


def bytes_metric(place: DeltaGenerator, before: int, after: int, *, help: str, label: str = "Stored bytes") -> None:
    """How many bytes are stored, and how that compares with before."""
    place.metric(
        label,
        bytes_text(after),
        delta=f"{change_text(before, after)} from {bytes_text(before)}",
        delta_color="off" if before == after else "green" if after < before else "red",
        delta_arrow="off",
        help=help,
    )


def metric_help(name: str) -> str:
    """The definition of a metric, for a hover text, and where its formula is."""
    return f"{escape_markdown(metric_named(name).definition)} [Formula]({method_address('metrics')})."


def find_box(what: str, *, in_what: str, place: DeltaGenerator | None = None) -> str:
    """A box that finds rows of a table: what each is, such as "layer", by letters of the parts `in_what`."""
    return (place or st).text_input(
        f"Find a {what}",
        key="find",
        bind="query-params",
        placeholder=f"part of its {in_what}",
        help="Shows the rows that contain these letters.",
    )


def pick_output(outputs: tuple[OutputComparison, ...]) -> OutputComparison:
    """The output tensor to look at; a list to pick from if there are several."""
    by_path = {output.path: output for output in outputs}
    if len(by_path) == 1:
        return outputs[0]
    path = linked.selectbox(
        "Output",
        list(by_path),
        key="output",
        help="The model returns several tensors; each is compared on its own.",
    )
    return by_path[path]
