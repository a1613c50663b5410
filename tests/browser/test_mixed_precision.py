"""From a sensitivity to a plan: the slider, a click on the line, a run, the code."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors


def test_a_plan_is_chosen_by_slider_and_by_click_then_verified(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 1600})
    visit.open("/mixed_precision", model="linear-5-10", native="true").result("Best plan")
    slider = visit.page.get_by_role("slider")
    slider.focus()
    slider.press("End")
    visit.said_in_link("most_bytes", "100")
    visit.settled()
    assert visit.numbers()["SQNR, predicted"] == "exact"
    line = visit.page.get_by_test_id("stPlotlyChart").nth(1).locator(".scatterlayer .trace").first
    cheapest = line.locator(".point").first
    expect(cheapest).to_be_visible(timeout=PATIENCE_MS)
    cheapest.scroll_into_view_if_needed()
    box = cheapest.bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.page.wait_for_url(lambda url: "most_bytes" not in url)  # the slider's first value
    visit.settled()
    assert visit.numbers()["Stored bytes"] == "120 B"
    visit.press("Verify by a run")
    expect(visit.page.get_by_text(re.compile(r"Verified\. Measured"))).to_be_visible(timeout=PATIENCE_MS)
    visit.page.get_by_text("Take the plan home").click()
    expect(visit.page.get_by_text("def lower_layers(model):")).to_be_visible(timeout=PATIENCE_MS)
    assert visit.complaints == []
