"""Taking home what is shown: tables as CSV, results as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st
from pandas.api.types import is_integer_dtype

from precision.results import AnalysisResult

_SCIENTIFIC = "%.3e"
"""How numbers are written that span many powers of ten: all columns of a table alike, so that they compare."""
_SCIENTIFIC_PX = 95
"""Wide enough for each of them: in a narrower cell its first digits would be cut off."""
_SIGNIFICANT = {"reference": "%.7g", "candidate": "%.7g", "absolute error": _SCIENTIFIC, "ULP error": _SCIENTIFIC}

_MARKED = "background-color: rgba(240, 160, 0, 0.22)"
"""Lets both pages' text through."""
_VALUES = ("reference", "candidate")
"""Columns of element values: never missing, so that NaN is a value there, which a table would leave empty."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def table(
    frame: pd.DataFrame,
    *,
    name: str | None,
    key: str,
    alt: str,
    column_config: Mapping[str, object] | None = None,
    marked: str = "",
    whole: bool = False,
) -> None:
    """A sortable, searchable table with its CSV download below; what is missing is an empty cell, a NaN is named.

    Args:
        frame: the rows.
        name: of the CSV file, without its ending; None for no file, as of a table that still grows: its file would
            be gone before it is asked for.
        key: of the widgets, one a page.
        alt: what the table shows, for those who cannot see it.
        column_config: Streamlit's, by column.
        marked: cells that begin with this sign have a background of their own.
        whole: as high as its rows, instead of scrolling within.
    """
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
