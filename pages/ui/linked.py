"""Pickers of a page's own view. Its link carries what they hold; what it asks for in vain is told, not dropped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

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
    """A list to pick from.

    Args:
        label: above it.
        options: at least one.
        key: its name in the link.
        index: of the option that it holds at first.
        help: its hover text.
        format_func: how an option is shown, and written in the link.
        place: where to put it, if not next on the page.
    """
    refused = view_state.refused_by(key, [format_func(option) for option in options].__contains__)
    chosen = (place or st).selectbox(
        label,
        options,
        index=index,
        key=key,
        bind="query-params",
        help=help,
        format_func=format_func,
        on_change=view_state.forget_refused,
        args=(key,),
    )
    _tell(label, refused, format_func(chosen), place=place)
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
    """A list to pick several from, or none.

    Args:
        label: above it.
        options: to pick from.
        key: its name in the link.
        default: what it holds at first.
        placeholder: what it says while it holds none.
        help: its hover text.
        place: where to put it, if not next on the page.
    """
    refused = view_state.refused_by(key, options.__contains__)
    chosen = (place or st).multiselect(
        label,
        options,
        default=default,
        key=key,
        bind="query-params",
        placeholder=placeholder,
        help=help,
        on_change=view_state.forget_refused,
        args=(key,),
    )
    _tell(label, refused, ", ".join(chosen) or "none", place=place)
    return chosen


def radio(
    label: str,
    options: Sequence[T],
    *,
    key: str,
    help: str | None = None,  # as Streamlit calls it
    place: DeltaGenerator | None = None,
) -> T:
    """A few options beside each other, all in view; arguments as of `selectbox`."""
    refused = view_state.refused_by(key, options.__contains__)
    chosen = (place or st).radio(
        label,
        options,
        key=key,
        bind="query-params",
        horizontal=True,
        help=help,
        on_change=view_state.forget_refused,
        args=(key,),
    )
    _tell(label, refused, chosen, place=place)
    return chosen


def number_input(
    label: str,
    *,
    key: str,
    value: float,
    least: float,
    help: str | None = None,  # as Streamlit calls it
) -> float:
    """A field for a number.

    Args:
        label: above it.
        key: its name in the link.
        value: that it holds at first.
        least: that it takes.
        help: its hover text.
    """
    refused = view_state.refused_by(key, partial(_is_number, least=least))
    chosen = st.number_input(
        label,
        min_value=least,
        value=value,
        format="%g",
        key=key,
        bind="query-params",
        help=help,
        on_change=view_state.forget_refused,
        args=(key,),
    )
    _tell(label, refused, f"{chosen:g}", why=f"which is not a number from {least:g} up")
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
    """A number between two, by hand.

    Args:
        label: above it.
        key: its name in the link.
        value: that it holds at first; moved into the range.
        least: its left end.
        most: its right end; more than `least`.
        step: between the numbers that it takes.
        format: of the number shown, printf's.
        help: its hover text.
    """
    refused = view_state.refused_by(key, partial(_is_number, least=least, most=most))
    view_state.keep_between(key, least, most)
    chosen = st.slider(
        label,
        min_value=least,
        max_value=most,
        value=min(max(value, least), most),  # which the link leaves out
        step=step,
        format=format,
        key=key,
        bind="query-params",
        help=help,
        on_change=view_state.forget_refused,
        args=(key,),
    )
    _tell(label, refused, f"{chosen:g}", why=f"which is not between {least:g} and {most:g}")
    return chosen


def _is_number(text: str, *, least: float, most: float = sys.float_info.max) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False


def _tell(
    label: str,
    refused: str | None,
    shown: str,
    *,
    why: str = "which is not here",
    place: DeltaGenerator | None = None,
) -> None:
    if refused is not None:
        (place or st).caption(
            f":material/link_off: {escape_markdown(label)}: the link asks for {for_markdown(refused)}, {why}. "
            f"Shown instead: {for_markdown(shown)}."
        )
