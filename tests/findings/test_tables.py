"""The one type of table: columns picked and dropped, rows found, values written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from precision.cli.tables import table_text
from precision.findings.tables import Column, Kind, Table, table_of, written


def made(kinds: dict[str, Kind], rows: Sequence[Sequence[object]]) -> Table:
    return table_of((Column(name, kind) for name, kind in kinds.items()), rows)


LAYERS = made(
    {"layer": "text", "SQNR": "decibels", "bytes": "bytes", "remark": "text"},
    [("head", 37.36, 2048, ""), ("Body\u202e", math.inf, None, ""), ("tail", None, 10, None)],
)


def test_columns_are_picked_in_the_order_asked_for() -> None:
    picked = LAYERS.pick("bytes", "layer")
    assert picked.names == ("bytes", "layer")
    assert picked.rows[0] == (2048, "head")
    assert LAYERS.without("SQNR", "remark").names == ("layer", "bytes")


def test_a_column_goes_only_where_every_row_is_empty() -> None:
    assert LAYERS.without_empty().names == ("layer", "SQNR", "bytes")
    assert LAYERS.without_empty("bytes").names == LAYERS.names
    zeros = made({"layer": "text", "not finite": "count"}, [("head", 0)])
    assert zeros.without_empty() == zeros


def test_rows_are_found_by_letters_of_any_case_in_the_columns_named() -> None:
    assert LAYERS.find("BODY", "layer").rows == (LAYERS.rows[1],)
    assert LAYERS.find("37", "layer").rows == ()
    assert LAYERS.find("", "layer") == LAYERS


def test_a_table_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 2 cells"):
        made({"layer": "text", "bytes": "bytes"}, [("head",)])
    with pytest.raises(ValueError, match="layer, layer"):
        Table((Column("layer"), Column("layer")), ())


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("a\u202eb\nc", "text", "ab c"),
        (None, "decibels", ""),
        (-math.inf, "decibels", "−∞"),
        (math.nan, "error", "NaN"),
        (0.0, "error", "0"),
        (1e-5, "share", "< 0.1 %"),
        (-1.25, "bits", "-1.25"),
        (1500.0, "time", "1.50 s"),
    ],
)
def test_values_are_written_by_the_kind_of_their_column(value: str | float | None, kind: Kind, text: str) -> None:
    assert written(value, kind) == text


def test_the_terminal_shows_the_columns_that_say_something() -> None:
    heading, *lines = table_text(LAYERS, indents=(0, 1)).splitlines()
    assert heading.split("  ")[0] == "LAYER"
    assert "SQNR dB" in heading
    assert "REMARK" not in heading
    assert [line.split() for line in lines] == [["head", "37.4", "2.00", "KiB"], ["Body", "exact"], ["tail", "10", "B"]]
    assert lines[1].startswith("  Body")
    assert table_text(made({"layer": "text"}, [])) == ""
