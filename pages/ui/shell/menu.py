"""The line above every page: the product's name, and the pages in groups.

Streamlit's own menu has groups too, but it pushes the pickers out of sight in a laptop's sidebar, a phone hides it, and
its list has headings between its items, a fault that axe finds.
"""

from collections.abc import Mapping, Sequence, Set
from itertools import chain
from typing import Any, NamedTuple

import streamlit as st
from streamlit.navigation.page import Page

from pages.ui import detail, view_state
from pages.ui.shell import theme
from precision.spec import Analysis

NAME = "Precision Explorer"
_SENTENCE = "what number formats do to a model"
"""Short enough for one line of a phone, with the name before it."""
_STYLE = """\
<style>
[data-testid="stMainBlockContainer"] {padding-top: 4rem}
[data-testid="stElementContainer"]:has(.px-style) {display: none}
[data-testid="stMain"] .st-key-menu [data-testid="stElementContainer"] {opacity: 1}
.st-key-menu button:is(:hover, :focus, :active) {color: inherit}
[data-testid="stPlotlyChart"] .textpoint text[style*="rgb(128, 132, 149)"] {fill: currentColor !important}
</style>
<span class="px-style"></span>
"""
"""Streamlit leaves 6rem above a page, 2.25 of them below its header. The menu is not dimmed with an old result. A
button's colour under the mouse is too dark for the dark theme. Letters in the cells of a chart are as dark as the text
of the page, instead of Streamlit's grey, which is for axes. What only brings styles takes no room; without the
element in it, it would take the place of a message that a callback shows."""


class _Entry(NamedTuple):
    title: str
    icon: str
    reads: tuple[str, ...] = Analysis.COMPARE.info.reads
    """The settings of a run that it shows, so that their pickers are there."""
    former_title: str = ""
    """Links that were made with it go on working."""


def _all_but(*names: str) -> tuple[str, ...]:
    return tuple(name for name in Analysis.COMPARE.info.reads if name not in names)


_MENU = {
    "": {"overview": _Entry("Overview", "speed")},
    "Explore": {
        "graph": _Entry("Graph", "schema"),
        "layers": _Entry("Layers", "account_tree"),
        "errors": _Entry("Errors", "bar_chart"),
        "propagation": _Entry("Propagation", "trending_up"),
        "ranges": _Entry("Ranges", "straighten", (*Analysis.RANGES.info.reads, "dtype")),
    },
    "Decide": {
        "compare": _Entry("Compare", "compare_arrows"),
        "sweep": _Entry("Sweep", "grid_on", _all_but("dtype", "method", "device", "plan", "weights")),
        "mixed_precision": _Entry("Mixed precision", "balance", (*Analysis.SENSITIVITY.info.reads, "keep")),
        "casting": _Entry("Casting", "swap_horiz", _all_but("method", "plan", "weights")),
        "regimes": _Entry("Stress test", "fitness_center", Analysis.REGIMES.info.reads, former_title="Inputs"),
    },
    "Learn": {
        "number_formats": _Entry("Number formats", "pin", ()),
        "methods": _Entry("Methods", "menu_book", ()),
    },
}
"""Groups, and the pages in each by the name of their script; those without a group stand in the line itself."""


def open_page() -> Page:
    """Draw the line; the page that the address asks for, which its caller runs."""
    groups = {
        group: [_page(name, entry, default=name == "overview") for name, entry in entries.items()]
        for group, entries in _MENU.items()
    }
    as_written = [  # addresses that people may type after reading the menu
        _page(name, entry, url_path=address)
        for entries in _MENU.values()
        for name, entry in entries.items()
        for address in sorted(_addresses(entry) - {name})
    ]
    every = [*chain.from_iterable(groups.values()), *as_written]
    opened = st.navigation(every, position="hidden")
    addresses = {page.url_path for page in every}
    view_state.remember_page(opened.url_path, addresses)
    _draw(groups, opened.title, addresses)
    return opened


def settings_of(page: Page) -> tuple[str, ...]:
    """The settings of a run that a page reads; of the articles' claims, which are about one format, fewer."""
    if page.title == "Casting" and view_state.section() == "Claims":
        return Analysis.CLAIMS.info.reads
    return next(entry.reads for entries in _MENU.values() for entry in entries.values() if entry.title == page.title)


def _page(name: str, entry: _Entry, **settings: Any) -> Page:
    return st.Page(f"pages/{name}.py", title=entry.title, icon=f":material/{entry.icon}:", **settings)


def _addresses(entry: _Entry) -> set[str]:
    written = [title.replace(" ", "_") for title in (entry.title, entry.former_title) if title]
    return {*written, *map(str.lower, written)}


def _draw(groups: Mapping[str, Sequence[Page]], title: str, addresses: Set[str]) -> None:
    with st.container(key="menu", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(_STYLE, width="content")
        st.caption(f"**{NAME}** · {_SENTENCE}", width="stretch")
        for group, pages in groups.items():
            if not group:
                _links(pages)
                continue
            open_here = any(page.title == title for page in pages)
            # Another key on every page: a list that was used to get here is closed.
            with st.popover(f"**{group}**" if open_here else group, type="tertiary", key=f"{group} from {title}"):
                _links(pages)
        detail.toggle()
        theme.button(addresses)


def _links(pages: Sequence[Page]) -> None:
    for page in pages:
        st.page_link(page)
