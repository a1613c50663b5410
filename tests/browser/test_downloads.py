"""What can be taken home."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import NoReturn

from playwright.sync_api import Download, Locator

from tests.browser.dashboard import Dashboard, Visit, Visitors

PNG = b"\x89PNG\r\n\x1a\n"


def saved(visit: Visit, button: Locator) -> Download:
    with visit.page.expect_download() as download:
        button.click()
    return download.value


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def test_the_result_is_json_with_the_spec_and_its_infinities(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/", dtype="float32")
    visit.result("Safe in float32")
    visit.page.get_by_text("Reproduce and take home").click()
    download = saved(visit, visit.page.get_by_role("button", name="Result as JSON"))
    assert download.suggested_filename == "tinynet-float32-to.json"
    result = json.loads(Path(download.path()).read_text(), parse_constant=refuse)
    assert result["spec"]["model"] == "tinynet"
    assert result["spec"]["dtype"] == "float32"
    assert result["comparison"]["overall"]["max_abs_error"] == 0
    assert result["comparison"]["overall"]["sqnr_db"] == "Infinity"


def test_the_tables_are_csv(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/layers")
    visit.result()
    download = saved(visit, visit.page.get_by_role("button", name="Table as CSV"))
    assert download.suggested_filename == "tinynet-float16-to-tensors.csv"
    with Path(download.path()).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11
    assert {row["after"] for row in rows} == {"float16"}


def test_a_chart_saves_as_png(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/errors")
    visit.result()
    chart = visit.page.get_by_test_id("stPlotlyChart").first
    chart.locator(".main-svg").first.hover()
    download = saved(visit, chart.locator(".modebar-btn[data-title*='png' i]"))
    assert download.suggested_filename == "tinynet-float16-absolute-error.png"
    assert Path(download.path()).read_bytes().startswith(PNG)
