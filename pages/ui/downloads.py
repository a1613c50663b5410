"""Taking home what is shown: tables as CSV, results as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st
from pandas.api.types import is_integer_dtype, is_numeric_dtype

from precision.findings.tables import Column, Kind, Table, written
from precision.results import AnalysisResult
from precision.text.names import escape_markdown

_SCIENTIFIC = "%.3e"
"""How numbers are written that span many powers of ten: all columns of a table alike, so that they compare."""
_SCIENTIFIC_PX = 95
"""Wide enough for each of them: in a narrower cell its first digits would be cut off."""

_MARKED = "background-color: rgba(240, 160, 0, 0.22)"
"""Lets both pages' text through."""
_FORMATS: dict[Kind, str] = {
    "time": "%.3g",
    "decibels": "%.1f",
    "bits": "%.2f",
    "error": _SCIENTIFIC,
    "number": "%.4g",
    "ratio": "%.2f",
    "share": "percent",
    "value": "%.7g",
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def table(
    shown: Table,
    *,
    name: str | None,
    key: str,
    alt: str,
    pinned: bool = False,
    widths: Mapping[str, int | Literal["small", "large"]] | None = None,
    column_config: Mapping[str, object] | None = None,
    marked: str = "",
    whole: bool = False,
) -> None:
    """A sortable, searchable table with its CSV download below; what is missing is an empty cell, a NaN is named.

    Args:
        shown: the rows.
        name: of the CSV file, without its ending; None for no file, as of a table that still grows: its file would
            be gone before it is asked for.
        key: of the widgets, one a page.
        alt: what the table shows, for those who cannot see it.
        pinned: whether the first column stays in sight when the others are scrolled.
        widths: of columns that are to be wider or narrower than usual, by name.
        column_config: Streamlit's, by column.
        marked: cells that begin with this sign have a background of their own.
        whole: as high as its rows, instead of scrolling within.
    """
    frame = frame_of(shown)
    config = {
        column.title: _config(column, frame, is_pinned=pinned and not at, width=(widths or {}).get(column.name))
        for at, column in enumerate(shown.columns)
    } | dict(column_config or {})
    st.dataframe(  # type: ignore[call-overload]
        frame.style.map(lambda value: _MARKED if str(value).startswith(marked) else "") if marked else frame,
        hide_index=True,
        key=f"table-{key}",
        width="stretch",
        height="content" if whole else "auto",
        placeholder="",
        alt=alt,
        column_config={title: how for title, how in config.items() if how is not None},
    )
    if name is not None:
        text_file("Table as CSV", safe_csv(frame), name=f"{name}.csv", mime="text/csv", key=f"csv-{key}")


def _config(
    column: Column, frame: pd.DataFrame, *, is_pinned: bool, width: int | Literal["small", "large"] | None
) -> object | None:
    """How a column is written; sorting and CSV keep the full numbers. None: as Streamlit does it."""
    said = escape_markdown(column.help) if column.help else None
    if not is_numeric_dtype(frame[column.title]):
        is_usual = not (is_pinned or width or said)
        return None if is_usual else st.column_config.TextColumn(pinned=is_pinned, width=width, help=said)
    if column.kind == "error" and width is None:
        width = _SCIENTIFIC_PX
    how = "localized" if is_integer_dtype(frame[column.title]) else _FORMATS[column.kind]
    return st.column_config.NumberColumn(format=how, pinned=is_pinned, width=width, help=said)


def frame_of(table: Table) -> pd.DataFrame:
    """The table's rows by the titles of its columns; names as harmless text."""
    return pd.DataFrame({column.title: _series(table.column(column.name), column.kind) for column in table.columns})


def _series(values: Sequence[Any], kind: Kind) -> pd.Series:
    if kind == "text":
        return pd.Series([value and written(value, kind) for value in values], dtype="object")
    if kind != "value":
        return pd.Series(values, dtype="Int64" if kind in ("count", "bytes") else "float64")
    # An element's NaN is a value, which a column of numbers would leave empty.
    return pd.Series(list(map(_value_text, values)) if any(map(math.isnan, values)) else list(values))


def text_file(label: str, text: str, *, name: str, mime: str, key: str) -> None:
    """A text to take home.

    Args:
        label: of the button.
        text: what the file holds.
        name: of the file, with its ending.
        mime: type of the file.
        key: of the button, one a page.
    """
    st.download_button(
        label,
        text,
        file_name=name,
        mime=mime,
        icon=":material/download:",
        key=key,
        on_click="ignore",
        type="tertiary",
    )


def _value_text(value: float) -> str:
    return repr(float(value)).replace("nan", "NaN").replace("inf", "Infinity")


def result_json(result: AnalysisResult) -> None:
    """The whole result as JSON, the same that the command line prints with `--json`."""
    st.download_button(
        "Result as JSON",
        result.model_dump_json(indent=2),
        file_name=f"{file_stem(result)}.json",
        mime="application/json",
        icon=":material/download:",
        key="json",
        on_click="ignore",
        help="Every number of this comparison. Infinities and NaN are the strings Infinity, -Infinity and NaN.",
    )


def file_stem(result: AnalysisResult) -> str:
    """A file name that says what the file is of."""
    model = "".join(character if character.isalnum() else "-" for character in result.spec.model)[-40:].strip("-")
    return f"{model}-{result.spec.dtype}-{result.spec.method.value}"


def safe_csv(frame: pd.DataFrame) -> str:
    """CSV in which no text cell is taken for a formula by a spreadsheet."""
    text_columns = frame.select_dtypes(include=["object", "string"]).columns
    safe = frame.copy()
    for column in text_columns:
        safe[column] = safe[column].map(_not_a_formula)
    return safe.to_csv(index=False)


def _not_a_formula(value: object) -> object:
    if not isinstance(value, str) or not value.startswith(_FORMULA_STARTS) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return False
    return True
