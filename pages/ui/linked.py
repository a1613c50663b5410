"""Pickers of a page's own view. Its link carries what they hold; a picker says so if it cannot take what a link asks.

Arguments that all pickers share: `label` stands above it, `key` is its name in the link, `place` is where to put it, if
not next on the page, and `settings` are Streamlit's own, such as `help`.
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
    label: str, options: Sequence[T], *, key: str, format_func: Callable[[str], str] = str, **settings: Any
) -> T:
    """A list to pick one of `options` from; `format_func` writes them, in the link too."""
    written = [format_func(option) for option in options]
    settings |= {"shown": format_func, "format_func": format_func}
    chosen: T = _draw("selectbox", label, options, key=key, takes=written.__contains__, **settings)
    return chosen


def multiselect(label: str, options: Sequence[T], *, key: str, **settings: Any) -> list[T]:
    """A list to pick several of `options` from, or none."""
    settings["shown"] = lambda chosen: ", ".join(chosen) or "none"
    chosen: list[T] = _draw("multiselect", label, options, key=key, takes=options.__contains__, **settings)
    return chosen


def radio(label: str, options: Sequence[T], *, key: str, **settings: Any) -> T:
    """A few options beside each other, all in view."""
    settings["horizontal"] = True
    chosen: T = _draw("radio", label, options, key=key, takes=options.__contains__, **settings)
    return chosen


def number_input(label: str, *, key: str, least: float, **settings: Any) -> float:
    """A field for a number from `least` up."""
    settings |= {"min_value": least, "format": "%g", "shown": "{:g}".format}
    why = f"which is not a number from {least:g} up"
    chosen: float = _draw("number_input", label, key=key, takes=partial(_is_number, least=least), why=why, **settings)
    return chosen


def slider(label: str, *, key: str, value: float, least: float, most: float, **settings: Any) -> float:
    """A slider from `least` to the larger `most`, at first at `value`; what it holds is moved into that range."""
    first = min(max(value, least), most)
    view_state.keep_between(key, least, most, first=first)
    settings |= {"min_value": least, "max_value": most, "shown": "{:g}".format}
    settings["value"] = first  # the link leaves this value out
    takes, why = partial(_is_number, least=least, most=most), f"which is not between {least:g} and {most:g}"
    chosen: float = _draw("slider", label, key=key, takes=takes, why=why, **settings)
    return chosen


def _is_number(text: str, *, least: float, most: float = sys.float_info.max) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False


def _draw(
    widget: str,
    *given: object,
    key: str,
    takes: Callable[[str], bool],
    shown: Callable[[Any], str] = str,
    why: str = "which is not here",
    place: DeltaGenerator | None = None,
    **settings: Any,
) -> Any:
    refused = view_state.refused_by(key, takes)
    draw = getattr(place or st, widget)
    chosen = draw(*given, key=key, bind="query-params", on_change=view_state.forget_refused, args=(key,), **settings)
    if refused is not None:
        (place or st).caption(
            f":material/link_off: {escape_markdown(str(given[0]))}: the link asks for {for_markdown(refused)}, {why}. "
            f"Shown instead: {for_markdown(shown(chosen))}."
        )
    return chosen
