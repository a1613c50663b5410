"""Tables on a page, and downloads: tables as CSV, results as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from pages.ui import view_state
from precision.findings.tables import Column, Kind, Table, written
from precision.results import AnalysisResult
from precision.spec import RunSpec
from precision.text.names import escape_markdown

if TYPE_CHECKING:
    import pandas as pd

_SCIENTIFIC = "%.3e"
"""Format of numbers that span many powers of ten: the same in all columns, so that they can be compared."""
_SCIENTIFIC_PX = 95
"""Wide enough for such a number: a narrower cell would cut off its first digits."""
_ROW_PX, _BORDERS_PX = 35, 2
_LONG, _FEW, _MOST = 8, 5, 30
"""A table of more rows than the first is long: it shows so few until it is opened, then up to so many at a time."""
_LETTER_PX, _BESIDE_TITLE_PX = 7, 26
"""A title takes about so many pixels a letter, and these at its sides."""
_MARKED = "background-color: rgba(240, 160, 0, 0.22)"
"""Text stays readable on it, on the light and on the dark page."""
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
) -> None:
    """A sortable, searchable table with its CSV download below; what is missing is an empty cell, a NaN is named.

    A long table shows its first rows, and all at a click.

    Args:
        shown: the rows.
        name: of the CSV file, without its ending; None for no file. A table that still grows has none: the file would
            be gone before it is downloaded.
        key: of the widgets, one a page.
        alt: what the table shows, for people who cannot see it.
        pinned: whether the first column stays in sight when the others are scrolled.
        widths: of columns that are to be wider or narrower than usual, by name.
        column_config: Streamlit's, by column.
        marked: cells that begin with this sign have another background.
    """
    import pandas as pd  # only now: its import takes half a second, in which a page's headline can be shown already

    frame = pd.DataFrame({each.title: _series(shown.column(each.name), each.kind) for each in shown.columns})
    config = {
        column.title: _config(column, frame, is_pinned=pinned and not at, width=(widths or {}).get(column.name))
        for at, column in enumerate(shown.columns)
    } | dict(column_config or {})
    is_long, is_open = len(frame) > _LONG, view_state.is_ticked(f"opened-{key}")
    st.dataframe(  # type: ignore[call-overload]
        frame.style.map(lambda value: _MARKED if str(value).startswith(marked) else "") if marked else frame,
        hide_index=True,
        key=f"table-{key}",
        width="stretch",
        height=_BORDERS_PX + _ROW_PX * (1 + min(len(frame), _MOST if is_open else _FEW)) if is_long else "content",
        placeholder="",
        alt=alt,
        column_config=config,
    )
    if not is_long and name is None:
        return
    with st.container(horizontal=True, gap="medium"):
        if is_long:
            _opener(key, len(frame), is_open=is_open)
        if name is not None:
            text_file("Table as CSV", _safe_csv(frame), name=f"{name}.csv", mime="text/csv", key=f"csv-{key}")


def _opener(key: str, rows: int, *, is_open: bool) -> None:
    """The button that opens a long table, or closes it."""
    st.button(
        f"First {_FEW} rows" if is_open else f"All {rows:,} rows",
        key=f"{'close' if is_open else 'open'}-{key}",
        icon=f":material/{'unfold_less' if is_open else 'unfold_more'}:",
        type="tertiary",
        on_click=view_state.put,
        args=(f"opened-{key}", not is_open),
    )


def _config(
    column: Column, frame: pd.DataFrame, *, is_pinned: bool, width: int | Literal["small", "large"] | None
) -> object:
    """How a column is written; sorting and CSV use the full numbers."""
    from pandas.api.types import is_integer_dtype, is_numeric_dtype

    said = escape_markdown(column.help) if column.help else None
    if not is_numeric_dtype(frame[column.title]):
        alignment: Literal["left", "right"] = "left" if column.kind == "text" else "right"  # such as NaN among numbers
        return st.column_config.TextColumn(pinned=is_pinned, width=width, help=said, alignment=alignment)
    if column.kind in ("bytes", "error", "time") and width is None:
        width = max(_SCIENTIFIC_PX, _BESIDE_TITLE_PX + _LETTER_PX * len(column.title))
    how = "localized" if is_integer_dtype(frame[column.title]) else _FORMATS[column.kind]
    return st.column_config.NumberColumn(format=how, pinned=is_pinned, width=width, help=said)


def _series(values: Sequence[Any], kind: Kind) -> pd.Series:
    import pandas as pd

    if kind == "text":
        return pd.Series([value and written(value, kind) for value in values], dtype="object")
    if kind != "value":
        return pd.Series(values, dtype="Int64" if kind in ("count", "bytes") else "float64")
    # An element's NaN is a value, which a column of numbers would leave empty.
    return pd.Series(list(map(_value_text, values)) if any(map(math.isnan, values)) else list(values))


def text_file(label: str, text: str, *, name: str, mime: str, key: str, **settings: Any) -> None:
    """A button that downloads a text as the file `name`; `key` and `settings` are the button's."""
    st.download_button(
        label,
        text,
        file_name=name,
        mime=mime,
        icon=":material/download:",
        key=key,
        on_click="ignore",
        **{"type": "tertiary"} | settings,
    )


def _value_text(value: float) -> str:
    return repr(float(value)).replace("nan", "NaN").replace("inf", "Infinity")


def result_json(result: AnalysisResult) -> None:
    """A button that downloads the whole result as JSON, as the command line prints it with `--json`."""
    said = "Every number of this comparison. Infinities and NaN are the strings Infinity, -Infinity and NaN."
    text, name = result.model_dump_json(indent=2), f"{file_stem(result)}.json"
    text_file("Result as JSON", text, name=name, mime="application/json", key="json", help=said, type="secondary")


def file_stem(result: AnalysisResult) -> str:
    """The start of a file name: model, format and method."""
    return f"{model_stem(result.spec)}-{result.spec.dtype}-{result.spec.method.value}"


def model_stem(spec: RunSpec) -> str:
    """The model as a part of a file name."""
    return "".join(character if character.isalnum() else "-" for character in spec.model)[-40:].strip("-")


def _safe_csv(frame: pd.DataFrame) -> str:
    """CSV in which a spreadsheet takes no text cell for a formula."""
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
