"""The state of a page's own widgets, and what its link says about them. `state` holds the run that is chosen."""

from collections.abc import Callable, Collection

import streamlit as st

_RUN = "yes"
VIEW = (
    *("formats", "methods", "devices", "cost", "run"),
    *("lower_to", "exact", "rows", "order", "budget", "most_bytes", "most_time", "least_sqnr"),
    *("keep_norms", "native", "tied"),
    *("node", "colour", "against", "baseline"),
    *("output", "chart", "find", "within", "show", "part", "layer", "limit", "format", "values", "margin", "scales"),
    *("section", "differences", "verdict", "article"),
    *("number", "number_format", "largest", "overflow", "axis", "topic", "view"),
    *("expert", "tour"),
)
"""Settings of a page's own view that its link carries."""


def refused_by(name: str, takes: Callable[[str], bool]) -> str | None:
    """What the link asks for and the picker `name`, which is drawn next, does not offer; None if there is nothing.

    Streamlit then removes it from the link. Here it is remembered until another choice is made.
    """
    refused: dict[str, list[str]] = st.session_state["refused"]
    if name not in st.session_state and name in st.query_params:  # otherwise the picker already has a choice
        refused[name] = st.query_params.get_all(name)
    asked = [value for value in refused.get(name, ()) if not takes(value)]
    if not asked:
        forget_refused(name)
    return ", ".join(asked) or None


def forget_refused(name: str) -> None:
    """Another choice was made in this picker."""
    st.session_state["refused"].pop(name, None)


def forget_all_refused() -> None:
    """Another run was chosen."""
    st.session_state["refused"] = {}


def keep_between(name: str, low: float, high: float, *, first: float) -> None:
    """Move what a slider of a page holds into its range, which may have changed; untouched, to the new `first`."""
    held = st.session_state.get(name)
    if held is not None:
        is_untouched = held == st.session_state.get(f"first {name}")
        st.session_state[name] = first if is_untouched else min(max(held, low), high)
    st.session_state[f"first {name}"] = first


def clicked_point(name: str) -> int | None:
    """The number of a chart's clicked box, or the first of the `customdata` of its clicked point; None without one."""
    points = st.session_state[name]["selection"]["points"]
    if points and "id" in points[0]:
        return int(points[0]["id"])
    data = points[0].get("customdata") if points else None
    return None if not data or data[0] is None else int(data[0])


def kept(name: str) -> str:
    """What a page keeps without a widget: of the session, or of the link that opened it; the link then has it too."""
    if name not in st.session_state and name in st.query_params:
        st.session_state[name] = st.query_params[name]
    value: str = st.session_state.get(name) or ""
    if st.query_params.get(name, "") != value:
        keep(name, value)
    return value


def keep(name: str, value: str) -> None:
    """Keep it, in the session and in the link; "" for nothing."""
    st.session_state[name] = value
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def put(name: str, value: str | bool | float) -> None:
    """Set a widget of a page: before it is drawn, or in a callback."""
    st.session_state[name] = value
    forget_refused(name)


def taken(name: str) -> str | None:
    """What a list of a page holds, or a callback put there, once: it is empty afterwards."""
    value: str | None = st.session_state.get(name)
    if value is not None:
        st.session_state[name] = None
    return value


def remember_page(address: str, every: Collection[str]) -> None:
    """Note which page is open, by the last part of its address, and those of `every` page."""
    st.session_state["page"], st.session_state["pages"] = address, every


def page_address() -> str:
    """The address of the page that is open, without a query."""
    root = (st.context.url or "").rstrip("/")  # of this page or of the one before
    before, _, last = root.rpartition("/")
    return f"{before if last in st.session_state['pages'] else root}/{st.session_state['page']}"


def root_address() -> str:
    """The address of the server, with a slash at its end."""
    return f"{page_address().rpartition('/')[0]}/"


def section() -> str:
    """The section of a page that is open, or that its link asks for; "" of pages without any."""
    asked: str = st.session_state.get("section") or st.query_params.get("section", "")
    return asked


def is_ticked(name: str) -> bool:
    """Whether a box of a page is ticked."""
    return bool(st.session_state.get(name))


def link_asks_to_run() -> bool:
    """Whether the link that opened the session asks for the runs of the page Sweep; true at the first call only."""
    told = "run_told" in st.session_state
    st.session_state["run_told"] = True
    return not told and st.query_params.get("run") == _RUN


def mirror_run_in_link(asked: bool) -> None:
    """Have the link of the page Sweep ask for its runs, or not."""
    if not asked:
        st.query_params.pop("run", None)
    elif st.query_params.get("run") != _RUN:
        st.query_params["run"] = _RUN
