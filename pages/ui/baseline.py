"""The pinned run: any comparison of the session, that others are shown against."""

from collections.abc import Collection

import streamlit as st

from pages.ui import view_state
from pages.ui.job import in_short, known_job
from precision.charts.error_spread import InFormat
from precision.findings.two_runs import figures, why_not_comparable
from precision.results import CompareResult, OutputComparison
from precision.text.names import escape_markdown

_KEY = "baseline"


def pinned() -> CompareResult | None:
    """The pinned run; None where none is, or where it is forgotten."""
    job = known_job(view_state.kept(_KEY))
    result = (job.result or job.partial) if job else None
    return result if isinstance(result, CompareResult) else None


def _other(result: CompareResult) -> CompareResult | None:
    """The pinned run, where it is another than this."""
    baseline = pinned()
    return None if baseline is None or baseline.spec == result.spec else baseline


def changes(result: CompareResult) -> dict[str, str]:
    """What became of each key figure of the pinned run, by its label; none without one, or beside itself."""
    baseline = _other(result)
    return {each.label: each.change for each in figures(baseline, result) if each.change} if baseline else {}


def section(result: CompareResult, job_id: str | None, *, told: Collection[str] = ()) -> None:
    """What the run on the page is against the pinned one, in a line; or the button that pins it.

    Figures that are `told` elsewhere on the page are left out.
    """
    baseline = _other(result)
    if baseline is None:
        is_pinned = pinned() is not None
        st.button(
            "Unpin" if is_pinned else "Pin as baseline",
            key="pin",
            icon=":material/keep_off:" if is_pinned else ":material/keep:",
            type="tertiary",
            on_click=view_state.keep,
            args=(_KEY, "" if is_pinned else job_id),
            disabled=not is_pinned and job_id is None,
            help="The runs that follow are shown against this one: every key figure, and the charts of errors.",
        )
        return
    found = changes(result)
    rest = [f"{label} {change}" for label, change in found.items() if label not in told]
    said = why_not_comparable(baseline.spec, result.spec) or " · ".join(rest)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/keep: Against **{in_short(baseline.spec)}**: {escape_markdown(said)}", width="stretch")
        st.page_link("pages/compare.py", label="Compare", icon=":material/compare_arrows:")
        st.button(
            "Unpin", key="pin", icon=":material/keep_off:", type="tertiary", on_click=view_state.keep, args=(_KEY, "")
        )


def overlaid(result: CompareResult, output: OutputComparison) -> tuple[InFormat, ...]:
    """The same output of the pinned run, to draw over this one's; none where they cannot be compared."""
    baseline = _other(result)
    if baseline is None or why_not_comparable(baseline.spec, result.spec):
        return ()
    return of_path(baseline, output.path)


def of_path(result: CompareResult, path: str) -> tuple[InFormat, ...]:
    """The output of a run at that path, with the name of its format."""
    outputs = result.comparison.outputs if result.comparison else ()
    return tuple((each, result.spec.dtype) for each in outputs if each.path == path and each.distributions)
