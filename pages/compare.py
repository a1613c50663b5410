"""Compare: two formats, or a run and the pinned one, side by side."""

import streamlit as st

from pages.ui import baseline, decision, downloads, elsewhere, frame, linked
from pages.ui.chart import show, show_beside_each_other
from pages.ui.job import current_result, engine, in_short, say_failure, show_progress
from pages.ui.shell.guard import enter_through_router
from pages.ui.side_jobs import SideJobs
from precision.charts.dtype_strip import plot_dtype_strip
from precision.charts.error_ecdf import plot_error_ecdf
from precision.charts.error_histogram import plot_error_histogram
from precision.errors import PrecisionError
from precision.findings.recommendation import recommend
from precision.findings.tables import of_kind, table_of
from precision.findings.two_runs import differing, figures, finding, why_not_comparable
from precision.formats import ALL_FORMATS
from precision.models.opened import is_elsewhere
from precision.results import CompareResult
from precision.spec import Analysis, RunSpec
from precision.text.names import escape_markdown
from precision.text.units import count_text

HOW_TO_READ = """\
The run of the sidebar is on the right. On the left is what it is compared with: the same run in another format, or the
pinned run. Both are compared with their own reference; where that and the input are the same, so are the outputs that
the errors are of, and the errors can be compared with each other.

- **Change**: what becomes of the left number on the right. Shares are of these samples; *may be chance* where the 95 %
  intervals of the two overlap.
- **Speed** is against the reference that was timed in turns with it. Times of different runs are not compared.
- **Bytes in the format**: of what the cast stores; *estimated* where no dtype stores the format.

Pin a run with *Pin as baseline* on Overview. It stays pinned on every page until you unpin it, and the link has it.
"""
PINNED = "the pinned run"
_RUNS = SideJobs("compare")


def main() -> None:
    """Draw the page."""
    enter_through_router()
    result = current_result(CompareResult, shows=lambda result: result.comparison is not None)
    top = st.container()
    picked, other = _other(result)
    if other is None:
        with top:
            frame.header(escape_markdown(f"{result.spec.candidate} beside {picked}"), result)
        frame.footer(result, how_to_read=HOW_TO_READ)
        return
    with top:
        frame.header(escape_markdown(finding(other, result)), result)
    left, right = st.columns(2, gap="medium")
    for place, each in ((left, other), (right, result)):
        with place, st.container(border=True):
            recommended = recommend(each)
            st.header(decision.title(recommended), anchor=False)
            st.markdown(escape_markdown(" ".join(recommended.details)))
            st.caption(in_short(each.spec))
    columns = of_kind("text", "figure", other.spec.candidate, f"{result.spec.candidate} ", "change")
    downloads.table(
        table_of(columns, figures(other, result)),
        name=f"{downloads.file_stem(result)}-compared",
        key="compared",
        alt="Every key figure of both runs",
    )
    _pictures(other, result)
    apart = differing(other.spec, result.spec)
    with st.expander(f"The two differ in {count_text(len(apart.rows), 'setting')}", icon=":material/difference:"):
        downloads.table(apart, name=None, key="settings", alt="The settings in which the two runs differ")
    frame.footer(result, how_to_read=HOW_TO_READ)


def _pictures(other: CompareResult, result: CompareResult) -> None:
    if result.comparison and result.comparison.outputs and not why_not_comparable(other.spec, result.spec):
        output = frame.pick_output(result.comparison.outputs)
        if output.distributions is not None:
            others = baseline.of_path(other, output.path)
            show_beside_each_other(
                absolute_error=plot_error_histogram(output, result.spec.dtype, *others),
                error_ecdf=plot_error_ecdf(output, result.spec.dtype, *others),
            )
    for each in (other, result):
        if each.audit:
            st.markdown(f"**{in_short(each.spec)}**")
            show(plot_dtype_strip(each.audit), key=f"dtype-strip-{each is result}")


def _other(result: CompareResult) -> tuple[str, CompareResult | None]:
    """What is picked to compare with, and its run once that has something to show."""
    pinned = baseline.pinned()
    formats = [fmt.name for fmt in ALL_FORMATS if fmt.name != result.spec.dtype]
    usual = "float16" if result.spec.dtype != "float16" else "bfloat16"
    if is_elsewhere(result.spec.model):
        formats = elsewhere.formats_beside(result.spec)
        if not formats and pinned is None:
            elsewhere.offer_call(_whole(result.spec, usual))
            return "other formats", None
        usual = formats[0] if formats else PINNED
    options = [PINNED, *formats] if pinned is not None else formats
    usual = PINNED if pinned is not None else usual
    picked = linked.selectbox(
        "Compare with",
        options,
        index=options.index(usual),
        key="against",
        help="The same run in another format; or the run that was pinned on Overview.",
    )
    return picked, pinned if picked == PINNED else _in_format(result.spec, picked)


def _whole(spec: RunSpec, name: str) -> RunSpec:
    shared = spec.model_dump(exclude={"dtype", "method", "plan", "weights"})
    return RunSpec.parse({**shared, "dtype": name, "analysis": Analysis.COMPARE}).measured


def _in_format(spec: RunSpec, name: str) -> CompareResult | None:
    """The same run in another format: as Overview has it, else its errors."""
    try:
        whole = _whole(spec, name)
        if (job := engine().stored(whole)) is not None and isinstance(job.result, CompareResult):
            return job.result
        errors = whole.errors_alone
        if _RUNS.job(errors) is None:
            _RUNS.start(errors)
    except PrecisionError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return None
    job = _RUNS.job(errors)
    found = (job.result or job.partial) if job else None
    if job is not None and not job.finished:
        show_progress(job.id, shown_s=found.elapsed_s if found else 0.0, key="cancel-compare")
    elif job is not None and job.result is None:
        say_failure(_RUNS.failure(job))
    return found if isinstance(found, CompareResult) and found.comparison else None


main()
