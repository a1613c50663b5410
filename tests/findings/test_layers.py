"""The table of a comparison layer by layer."""

from __future__ import annotations

import math

from precision.findings.layers import calls_table, depths_of, labels_of, name_of_own
from precision.results import LayerRow
from tests.charts.odd_reports import corners, report, row


def block(call: int = 1, **own_code: object) -> LayerRow:
    around = {"is_leaf": False, "type": "Block", "call": call, "depth": 1, **own_code}
    return row("block", 2e-3).model_copy(update=around)


def test_own_code_has_a_row_behind_its_module() -> None:
    found = report([block(own_code=corners(1e-3, 2e-3)), row("block.up", 5e-3, local=4e-3)])
    table = calls_table(found)
    assert table.column("layer") == ("block", "block:code", "block.up")
    assert table.column("type") == ("Block", "Block, own code", "Linear")
    assert table.column("local") == (None, 1e-3, 4e-3)
    assert table.column("inherited") == (None, 2e-3, 5e-3)
    assert table.column("relative error") == (2e-3, 3e-3, 5e-3)
    assert math.isclose(table.column("SQNR")[1], -20 * math.log10(3e-3))
    assert depths_of(found) == [1, 2, 2]
    assert labels_of(found) == ["block", "block.up"]
    assert [name_of_own(each) for each in found.rows] == ["block:code", "block.up"]


def test_own_code_that_is_not_measured_says_why() -> None:
    missing = block(own_code_missing="it calls itself.")
    excluded = corners(0.0, 0.0).model_copy(update={"excluded_elements": 1234})
    table = calls_table(report([missing, block(call=2, own_code=excluded)]))
    assert table.column("layer") == ("block · call 1", "block:code · call 1", "block · call 2", "block:code · call 2")
    assert table.column("remark") == ("", "it calls itself.", "", "1,234 elements left out: infinite or NaN")
    assert table.column("relative error")[1] is None
    assert table.column("SQNR")[3] == math.inf
