"""From a point of the chart to its layer, and from a layer that the format does not suit to one that is kept."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors


def test_a_click_on_a_point_opens_its_layer(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 1200}).open("/propagation")
    assert "most error is added in linear_1" in visit.result()
    chart = visit.page.locator(".st-key-chart-error-along-depth")
    point = chart.locator(".scatterlayer .trace").first.locator(".point").first
    expect(point).to_be_visible(timeout=PATIENCE_MS)
    box = point.bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    visit.said_in_link("layer", "token_embedding")
    visit.settled()
    visit.choose_from(visit.page.get_by_test_id("stMain").get_by_role("combobox", name="Layer call"), "head")
    visit.said_in_link("layer", "head")


def test_one_click_keeps_a_layer_and_a_link_reproduces_it(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 1200}).open("/propagation", layer="linear_1")
    visit.result()
    visit.press("Keep linear_1 in the reference's precision, and run again")
    visit.said_in_link("keep", "linear_1")
    expect(visit.page.get_by_text("kept in float32: linear_1")).to_be_visible(timeout=PATIENCE_MS)
    again = visitors.visit(dashboard).open("/", keep="linear_1")
    again.result()
    expect(again.page.get_by_text("kept in float32: linear_1")).to_be_visible(timeout=PATIENCE_MS)
