"""The model as a graph in a real browser: with the mouse, with the keyboard, on a phone."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors


def box(page: Page, name: str) -> Locator:
    return page.locator(f'.tree [role="treeitem"][aria-label^="{name},"]')


def test_it_opens_where_the_first_infinity_is_made_and_a_click_shows_the_layer(
    dashboard: Dashboard, visitors: Visitors
) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 900}).open("/graph", model="overflow")
    visit.result()
    page = visit.page
    made = box(page, "blocks.0.feed_forward:mul")
    expect(made).to_be_in_viewport(timeout=PATIENCE_MS)
    expect(made).to_have_attribute("class", "box operator broken lit")
    assert page.locator(".tree path.line.lit.nonfinite").count() >= 3
    box(page, "blocks.0.feed_forward.wi_0").click()
    visit.said_in_link("node", "blocks.0.feed_forward.wi_0")
    expect(page.get_by_role("heading", name="This layer")).to_be_visible(timeout=PATIENCE_MS)
    expect(box(page, "blocks.0.feed_forward.wi_0")).to_have_attribute("aria-selected", "true")
    picker = page.get_by_test_id("stMain").get_by_role("combobox", name="Layer or operator")
    visit.choose_from(picker, "head")
    visit.said_in_link("node", "head")
    expect(box(page, "head")).to_have_attribute("aria-selected", "true")
    box(page, "blocks.0.feed_forward.wi_0").click()  # the one that was clicked before
    visit.said_in_link("node", "blocks.0.feed_forward.wi_0")


def test_the_keyboard_follows_the_data_folds_and_chooses(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 900}).open("/graph", model="overflow")
    visit.result()
    page = visit.page
    expect(box(page, "blocks.0.feed_forward:mul")).to_be_in_viewport(timeout=PATIENCE_MS)
    box(page, "blocks.0.feed_forward:mul").focus()
    page.keyboard.press("ArrowDown")
    expect(box(page, "blocks.0.feed_forward.wo")).to_be_focused()
    page.keyboard.press("Enter")
    visit.said_in_link("node", "blocks.0.feed_forward.wo")
    expect(box(page, "blocks.0.feed_forward.wo")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    around = box(page, "blocks.0.feed_forward")
    expect(around).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(around).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(box(page, "blocks.0.feed_forward.wo")).to_be_visible()


def test_searching_opens_what_holds_the_match(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 900})
    visit.open("/graph", model="bert-tiny", dtype="bfloat16").result()
    page = visit.page
    page.get_by_role("button", name="Fold all").click(timeout=PATIENCE_MS)
    expect(page.locator(".tree .box")).to_have_count(4)
    find = page.get_by_role("searchbox")
    find.fill("layer.1.attention.self:scaled")
    find.press("Enter")
    expect(box(page, "bert.encoder.layer.1.attention.self:scaled_dot_product_attention")).to_be_in_viewport()
    expect(page.get_by_text("1 of 1", exact=True)).to_be_visible()


def test_a_phone_gets_a_list(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 390, "height": 844}).open("/graph")
    visit.result()
    page = visit.page
    expect(page.get_by_role("button", name="As a flow")).to_be_visible(timeout=PATIENCE_MS)
    lefts = [each.bounding_box() for each in page.locator(".tree .box").all()]
    assert len({round(place["x"]) for place in lefts if place}) == 1
