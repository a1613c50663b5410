"""Taking home what is shown: tables as CSV, results as JSON."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from pandas.api.types import is_integer_dtype

from precision.results import RunResult

_SIGNIFICANT = {"reference": "%.7g", "candidate": "%.7g", "absolute error": "%.4g", "ULP error": "%.4g"}

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def table(frame: pd.DataFrame, *, name: str, key: str, alt: str, **options: object) -> None:
    """A sortable, searchable table with its CSV download below."""
    st.dataframe(frame, hide_index=True, key=f"table-{key}", width="stretch", alt=alt, **options)  # type: ignore[call-overload]
    st.download_button(
        "Table as CSV",
        safe_csv(frame),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"csv-{key}",
        on_click="ignore",
        type="tertiary",
    )


def numbers(elements: pd.DataFrame) -> dict[str, object]:
    """How the columns of an element table are written; integers whole. Sorting and CSV keep the full numbers."""
    return {
        name: st.column_config.NumberColumn(format="localized" if is_integer_dtype(elements[name]) else significant)
        for name, significant in _SIGNIFICANT.items()
        if name in elements
    }


def result_json(result: RunResult) -> None:
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


def file_stem(result: RunResult) -> str:
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
