"""The decision about a candidate: on top of Overview, with its next step."""

import streamlit as st

from pages.ui import state, tour
from precision.findings.recommendation import Level, Recommendation, Step
from precision.text.names import escape_markdown

_MARKS: dict[Level, str] = {
    "safe": ":green[:material/check_circle:]",
    "check": ":orange[:material/rule:]",
    "avoid": ":red[:material/block:]",
    "unknown": ":gray[:material/help:]",
}


def title(recommendation: Recommendation) -> str:
    """The decision with its icon and colour."""
    return f"{_MARKS[recommendation.level]} {escape_markdown(recommendation.headline)}"


def details(recommendation: Recommendation) -> None:
    """How sure it is, what it saves, why, and the next step."""
    if recommendation.details:
        st.markdown(f"**{escape_markdown(' '.join(recommendation.details))}**")
    if recommendation.why:
        st.markdown(escape_markdown(recommendation.why))
    if recommendation.step:
        with st.container(key=tour.NEXT):
            _offer(recommendation.step)


def _offer(step: Step) -> None:
    if step.page:
        st.page_link(f"pages/{step.page}.py", label=step.label, icon=":material/arrow_forward:")
        return
    st.button(
        step.label,
        icon=":material/arrow_forward:",
        key="next-step",
        type="primary",
        on_click=state.choose,
        args=("batch", step.batch) if step.batch else ("reference", step.reference),
    )
