"""Taking home what is shown: tables as CSV, results as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd
import streamlit as st
from pandas.api.types import is_integer_dtype

from precision.findings.tables import Column, Kind, Table, Value, written
from precision.results import AnalysisResult
from precision.text.names import escape_markdown

_SCIENTIFIC = "%.3e"
"""How numbers are written that span many powers of ten: all columns of a table alike, so that they compare."""
_SCIENTIFIC_PX = 95
"""Wide enough for each of them: in a narrower cell its first digits would be cut off."""
_SIGNIFICANT = {"reference": "%.7g", "candidate": "%.7g", "absolute error": _SCIENTIFIC, "ULP error": _SCIENTIFIC}

_MARKED = "background-color: rgba(240, 160, 0, 0.22)"
"""Lets both pages' text through."""
_VALUES = ("reference", "candidate")
"""Columns of element values: never missing, so that NaN is a value there, which a table would leave empty."""
_FORMATS: dict[Kind, str] = {
    "count": "localized",
    "bytes": "localized",
    "time": "%.3g",
    "decibels": "%.1f",
    "bits": "%.2f",
    "error": _SCIENTIFIC,
    "number": "%.4g",
    "ratio": "%.2f",
    "share": "percent",
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def table(
    shown: Table | pd.DataFrame,
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
    if isinstance(shown, Table):
        column_config = {
            column.title: _config(column, is_pinned=pinned and not at, width=(widths or {}).get(column.name))
            for at, column in enumerate(shown.columns)
        } | dict(column_config or {})
        frame = frame_of(shown)
    else:
        frame = shown
    with_nan = [column for column in _VALUES if column in frame and frame[column].isna().any()]
    frame = frame.assign(**{column: frame[column].map(_value_text) for column in with_nan})
    st.dataframe(  # type: ignore[call-overload]
        frame.style.map(lambda value: _MARKED if str(value).startswith(marked) else "") if marked else frame,
        hide_index=True,
        key=f"table-{key}",
        width="stretch",
        height="content" if whole else "auto",
        placeholder="",
        alt=alt,
        column_config={column: config for column, config in (column_config or {}).items() if column not in with_nan},
    )
    if name is not None:
        text_file("Table as CSV", safe_csv(frame), name=f"{name}.csv", mime="text/csv", key=f"csv-{key}")


def _config(column: Column, *, is_pinned: bool, width: int | Literal["small", "large"] | None) -> object:
    """How a column is written; sorting and CSV keep the full numbers."""
    said = escape_markdown(column.help) if column.help else None
    if column.kind == "text":
        return st.column_config.TextColumn(pinned=is_pinned, width=width, help=said)
    if column.kind == "error" and width is None:
        width = _SCIENTIFIC_PX
    return st.column_config.NumberColumn(format=_FORMATS[column.kind], pinned=is_pinned, width=width, help=said)


def frame_of(table: Table) -> pd.DataFrame:
    """The table's rows by the titles of its columns; names as harmless text."""
    return pd.DataFrame({column.title: _series(table.column(column.name), column.kind) for column in table.columns})


def _series(values: Sequence[Value], kind: Kind) -> pd.Series:
    if kind == "text":
        return pd.Series([value and written(value, kind) for value in values], dtype="object")
    return pd.Series(values, dtype="Int64" if kind in ("count", "bytes") else "float64")


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


def scientific(*, width_px: int = _SCIENTIFIC_PX) -> object:
    """A column of numbers that span many powers of ten.

    Args:
        width_px: more than the numbers need, where the column's title is longer.
    """
    return st.column_config.NumberColumn(format=_SCIENTIFIC, width=width_px)


def numbers(elements: pd.DataFrame) -> dict[str, object]:
    """How the columns of an element table are written; integers whole. Sorting and CSV keep the full numbers."""
    return {
        name: st.column_config.NumberColumn(format="localized" if is_integer_dtype(elements[name]) else significant)
        for name, significant in _SIGNIFICANT.items()
        if name in elements
    }


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
