"""Pickers of a page's own view. Its link carries what they hold; a picker says so if it cannot take what a link asks.

Arguments that all pickers share: `label` stands above it, `key` is its name in the link, `help` its hover text, and
`place` is where to put it, if not next on the page.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui import view_state
from precision.text.names import escape_markdown, for_markdown

T = TypeVar("T", bound=str)


def selectbox(
    label: str,
    options: Sequence[T],
    *,
    key: str,
    index: int = 0,
    help: str | None = None,  # as Streamlit calls it
    format_func: Callable[[str], str] = str,
    place: DeltaGenerator | None = None,
) -> T:
    """A list to pick one of `options` from, at first that at `index`; `format_func` writes them, in the link too."""
    chosen: T = _draw(
        (place or st).selectbox,
        label,
        options,
        key=key,
        takes=[format_func(option) for option in options].__contains__,
        shown=format_func,
        place=place,
        index=index,
        help=help,
        format_func=format_func,
    )
    return chosen


def multiselect(
    label: str,
    options: Sequence[T],
    *,
    key: str,
    default: Sequence[T] = (),
    placeholder: str | None = None,
    help: str | None = None,  # as Streamlit calls it
    place: DeltaGenerator | None = None,
) -> list[T]:
    """A list to pick several of `options` from, or none; it says `placeholder` while it holds none."""
    chosen: list[T] = _draw(
        (place or st).multiselect,
        label,
        options,
        key=key,
        takes=options.__contains__,
        shown=lambda chosen: ", ".join(chosen) or "none",
        place=place,
        default=default,
        placeholder=placeholder,
        help=help,
    )
    return chosen


def radio(
    label: str,
    options: Sequence[T],
    *,
    key: str,
    help: str | None = None,  # as Streamlit calls it
    place: DeltaGenerator | None = None,
) -> T:
    """A few options beside each other, all in view."""
    draw = (place or st).radio
    takes = options.__contains__
    chosen: T = _draw(draw, label, options, key=key, takes=takes, place=place, horizontal=True, help=help)
    return chosen


def number_input(
    label: str,
    *,
    key: str,
    value: float,
    least: float,
    help: str | None = None,  # as Streamlit calls it
) -> float:
    """A field for a number from `least` up, at first `value`."""
    chosen: float = _draw(
        st.number_input,
        label,
        key=key,
        takes=partial(_is_number, least=least),
        shown="{:g}".format,
        why=f"which is not a number from {least:g} up",
        min_value=least,
        value=value,
        format="%g",
        help=help,
    )
    return chosen


def slider(
    label: str,
    *,
    key: str,
    value: float,
    least: float,
    most: float,
    step: float,
    format: str,  # as Streamlit calls it
    help: str | None = None,  # as Streamlit calls it
) -> float:
    """A slider from `least` to the larger `most`, at first at `value`; what it holds is moved into that range."""
    view_state.keep_between(key, least, most)
    chosen: float = _draw(
        st.slider,
        label,
        key=key,
        takes=partial(_is_number, least=least, most=most),
        shown="{:g}".format,
        why=f"which is not between {least:g} and {most:g}",
        min_value=least,
        max_value=most,
        value=min(max(value, least), most),  # the link leaves this value out
        step=step,
        format=format,
        help=help,
    )
    return chosen


def _is_number(text: str, *, least: float, most: float = sys.float_info.max) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False


def _draw(
    widget: Callable[..., Any],
    *given: object,
    key: str,
    takes: Callable[[str], bool],
    shown: Callable[[Any], str] = str,
    why: str = "which is not here",
    place: DeltaGenerator | None = None,
    **settings: object,
) -> Any:
    refused = view_state.refused_by(key, takes)
    chosen = widget(*given, key=key, bind="query-params", on_change=view_state.forget_refused, args=(key,), **settings)
    if refused is not None:
        (place or st).caption(
            f":material/link_off: {escape_markdown(str(given[0]))}: the link asks for {for_markdown(refused)}, {why}. "
            f"Shown instead: {for_markdown(shown(chosen))}."
        )
    return chosen
