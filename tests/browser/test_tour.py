"""The tour of a first visit: four stops that can be left at once, and that do not come back."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visit, Visitors


def first_visit(visit: Visit) -> Locator:
    """The card of the tour, on Overview."""
    visit.open(model="linear-5-10", tour="on").result("float16")
    card = visit.page.get_by_role("dialog", name="Tour")
    expect(card).to_be_visible(timeout=PATIENCE_MS)
    return card


@pytest.mark.parametrize("size", [(1400, 900), (1280, 720), (390, 844)])
def test_four_stops_by_keyboard_never_cover_the_answer(
    size: tuple[int, int], dashboard: Dashboard, visitors: Visitors
) -> None:
    visit = visitors.visit(dashboard, viewport={"width": size[0], "height": size[1]})
    card = first_visit(visit)
    found = Axe().run(visit.page)
    assert found.violations_count == 0, found.generate_report()
    answer = visit.page.get_by_role("heading", level=1).bounding_box()
    covered = card.bounding_box()
    assert answer
    assert covered
    assert answer["y"] + answer["height"] < covered["y"] < covered["y"] + covered["height"] <= size[1]
    for stop in range(1, 5):
        expect(card).to_contain_text(f"{stop} of 4")
        expect(visit.page.locator(".px-stop")).to_have_count(1)
        card.get_by_role("button").first.press("Enter")
    expect(card).to_be_hidden()
    expect(visit.page.locator(".px-stop")).to_have_count(0)
    assert visit.complaints == []


@pytest.mark.parametrize("how", ["Escape", "Leave"])
def test_it_is_left_at_once_and_never_comes_back(how: str, dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard)
    card = first_visit(visit)
    if how == "Escape":
        visit.page.keyboard.press("Escape")
    else:
        card.get_by_role("button", name="Leave").click()
    expect(card).to_be_hidden()
    visit.open(model="linear-5-10", tour="on", dtype="bfloat16").result("bfloat16")
    visit.page.locator(".px-tour").wait_for(state="attached")
    expect(card).to_be_hidden()


def test_a_shared_link_shows_none(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="linear-5-10", tour="off")
    visit.result("float16")
    visit.page.locator(".px-tour").wait_for(state="attached")
    expect(visit.page.get_by_role("dialog", name="Tour")).to_be_hidden()
