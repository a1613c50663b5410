"""The way from a format to the next step with the keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors

_MOST_STEPS = 60


def walk_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(_MOST_STEPS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached with {_MOST_STEPS} times Tab.")


def test_the_keyboard_alone_leads_from_a_format_to_the_decision_and_its_next_step(
    dashboard: Dashboard, visitors: Visitors
) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 900}).open("/", model="overflow")
    visit.result("Do not use float16 here")
    page = visit.page
    walk_to(page, visit.picker("Format"))
    page.keyboard.type("bfloat16")
    page.keyboard.press("Enter")
    visit.said_in_link("dtype", "bfloat16")
    visit.result("bfloat16")
    walk_to(page, visit.picker("Format"))
    page.keyboard.type("float16")
    expect(page.get_by_role("option", name="float16 · 16 bits", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    page.keyboard.press("Enter")
    visit.result("Do not use float16 here")
    step = page.locator(".st-key-answer").get_by_role("link").last
    walk_to(page, step)
    page.keyboard.press("Enter")
    visit.result("The first infinity or NaN appears in operator mul")
