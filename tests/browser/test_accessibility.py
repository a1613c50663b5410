"""Faults that axe finds, and use on a phone."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.dashboard import PAGES, PATIENCE_MS, Dashboard, Visit, Visitors

PHONE = 390
DESK = 1280
SECTIONS = {"Routes": "stDataFrame", "Claims": "stExpander", "Autocast": "stDataFrame"}
"""Of Casting, with what each consists of."""
VIEWS = (
    *((path, {}) for path in PAGES if path != "/casting"),
    *(("/casting", {"section": section}) for section in SECTIONS),
)


def opened(visit: Visit, path: str, link: dict[str, str]) -> None:
    """A page with all that it shows drawn."""
    if path == "/sweep":  # runs nothing by itself
        visit.open(path, formats="bfloat16").result()
        visit.page.get_by_role("button", name="Run 1 format").click()
    else:
        visit.open(path, **link).result()
    if path == "/methods":  # text alone
        return
    if link:  # a section of Casting, without a chart
        expect(visit.page.get_by_test_id(SECTIONS[link["section"]]).first).to_be_visible(timeout=PATIENCE_MS)
        return
    if path == "/graph":
        visit.page.locator(".tree .box", has_text="linear_1").click(timeout=PATIENCE_MS)  # opens its panel
    charts = visit.page.get_by_test_id("stPlotlyChart")
    expect(charts.first.locator(".main-svg").first).to_be_visible(timeout=PATIENCE_MS)
    for chart in charts.all():
        expect(chart.locator(".main-svg").first).to_be_attached(timeout=PATIENCE_MS)


@pytest.mark.parametrize(("scheme", "width"), [("light", DESK), ("dark", PHONE)])
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    scheme: Literal["light", "dark"], width: int, dashboard: Dashboard, visitors: Visitors
) -> None:
    visit = visitors.visit(dashboard, color_scheme=scheme, viewport={"width": width, "height": 900})
    for path, link in VIEWS:
        opened(visit, path, link)
        found = Axe().run(visit.page)
        assert found.violations_count == 0, f"{path} {link}\n{found.generate_report()}"
        for scrolls in ("html", '[data-testid="stMain"]'):
            wide = visit.page.locator(scrolls).evaluate("box => box.scrollWidth - box.clientWidth")
            assert wide <= 0, f"{path} {link}: {scrolls} is {wide} px wider than the window"
    assert visit.complaints == []  # nor does a page break the server's policy


def test_the_sidebar_can_be_used_on_a_phone(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": PHONE, "height": 844}, has_touch=True, is_mobile=True)
    visit.open().result("Check float16 first")
    expect(visit.picker("Format")).not_to_be_in_viewport()
    visit.page.get_by_test_id("stExpandSidebarButton").tap()
    visit.choose("Format", "bfloat16")
    visit.page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").tap()
    expect(visit.picker("Format")).not_to_be_in_viewport()
    expect(visit.page.get_by_role("heading", level=1)).to_be_in_viewport()
    visit.result("Check bfloat16 first")
