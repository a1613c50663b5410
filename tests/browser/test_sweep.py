"""A sweep in a real browser: its link, and a reload."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors

FINDING = re.compile("bfloat16 .*keeps? what matters")


def test_a_sweep_survives_a_reload_and_is_seen_by_whoever_has_its_link(
    dashboard: Dashboard, visitors: Visitors
) -> None:
    link = {"model": "linear-5-10", "formats": "bfloat16"}
    visit = visitors.visit(dashboard).open("/sweep", **link)
    visit.press("Run 1 format")
    finding = visit.result(FINDING)
    visit.said_in_link("run", "yes")

    visit.page.reload()
    assert visit.result(FINDING) == finding
    expect(visit.page.get_by_role("button", name=re.compile("^Run "))).to_have_count(0, timeout=PATIENCE_MS)

    another = visitors.visit(dashboard)
    another.page.goto(visit.page.url)
    assert another.result(FINDING) == finding
    assert another.link()["run"] == "yes"
    assert another.complaints == []


def test_a_sweep_holds_where_the_browser_draws_its_lists_late(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard)
    with visit.without_scripts("Multiselect"):
        visit.open("/sweep", model="linear-5-10", run="yes").result(re.compile("of 9 formats"))
    for picked in ("float16", "cpu"):
        expect(visit.page.get_by_test_id("stMultiSelect").get_by_text(picked, exact=True)).to_be_visible(
            timeout=PATIENCE_MS
        )
    visit.result(re.compile("of 9 formats"))
    assert visit.link()["run"] == "yes"
