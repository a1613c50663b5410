"""The first visit to a server that has just started."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors

NAVIGATION = {
    "Explore": ["Layers", "Errors", "Propagation", "Ranges"],
    "Decide": ["Sweep", "Mixed precision", "Casting", "Stress test"],
    "Learn": ["Number formats", "Methods"],
}


def test_a_deep_link_may_be_the_very_first_request(
    tmp_path: Path, visitors: Visitors, measured: Callable[[str, float], None]
) -> None:
    fresh = Dashboard(tmp_path)
    try:
        visit = visitors.visit(fresh).open("/errors", model=None)
        expect(visit.picker("Model")).to_be_visible(timeout=PATIENCE_MS)
        measured("from the start of the server until its first page can be used", time.monotonic() - fresh.started_at)
        assert "The outputs are off by" in visit.result()
        measured("from the start of the server until its first result", time.monotonic() - fresh.started_at)
        for path, finding in (
            ("/layers", "tensors change"),
            ("/", "Safe in bfloat16: all 450 test images keep their class"),
            ("/errors", "off by"),
        ):
            assert finding in visit.open(path, model=None).result()
            expect(visit.picker("Model")).to_be_visible(timeout=PATIENCE_MS)
            expect(visit.menu().get_by_role("link", name="Overview")).to_be_visible()
            for group, titles in NAVIGATION.items():
                visit.menu(group)
                expect(visit.page.get_by_test_id("stPopoverBody").get_by_role("link")).to_contain_text(titles)
                visit.page.keyboard.press("Escape")
            assert "page not found" not in visit.page.locator("body").inner_text().casefold()
        assert visit.complaints == []
        assert visit.elsewhere() == []
    finally:
        survivors = fresh.end()
    assert survivors == []


def test_small_answers_do_not_wait_for_the_last_one_to_be_acknowledged(dashboard: Dashboard) -> None:
    connection = http.client.HTTPConnection(dashboard.url.removeprefix("http://"))
    times_s = []
    for _ in range(21):
        started_at = time.monotonic()
        connection.request("GET", "/_stcore/host-config")
        connection.getresponse().read()
        times_s.append(time.monotonic() - started_at)
    assert statistics.median(times_s) < 0.03


@pytest.mark.parametrize("page", ["Layers", "Errors"])
def test_the_navigation_keeps_the_choice(page: str, dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/", dtype="bfloat16", seed="3")
    visit.result("bfloat16")
    job = visit.link()["job"]
    visit.menu("Explore")
    visit.page.get_by_test_id("stPopoverBody").get_by_role("link", name=page).click()
    visit.page.wait_for_url(f"**/{page.lower()}?**")
    visit.said_in_link("job", job)
    visit.result()
    assert visit.link() == {"model": "tinynet", "dtype": "bfloat16", "seed": "3", "job": job}
