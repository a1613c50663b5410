"""Dark and light, one click away."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visit, Visitors
from tests.conftest import until

BUTTON = "Switch between light and dark"


def wears(visit: Visit, scheme: str) -> None:
    """Wait until the page has the colours of a theme."""
    app = visit.page.locator('[data-testid="stApp"]')
    expect(app).to_have_css("color-scheme", scheme, timeout=PATIENCE_MS)


def letters(visit: Visit) -> str:
    """The colour of the words in the first chart."""
    tick = visit.page.locator('[data-testid="stPlotlyChart"] .xtick text').first
    expect(tick).to_be_visible(timeout=PATIENCE_MS)
    colour: str = tick.evaluate("it => getComputedStyle(it).fill")
    return colour


def test_one_click_changes_page_and_charts_and_lasts_on_all_pages(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, color_scheme="light").open("/errors", model="linear-5-10")
    visit.result("off by")
    wears(visit, "light")
    before = letters(visit)
    visit.page.get_by_role("button", name=BUTTON).click()
    wears(visit, "dark")
    until(lambda: letters(visit) != before)
    visit.open("/ranges", model="linear-5-10").result("fit")
    wears(visit, "dark")
    visit.page.get_by_role("button", name=BUTTON).press("Enter")
    wears(visit, "light")
    visit.page.reload()
    visit.result("fit")
    wears(visit, "light")
    assert visit.complaints == []


def test_a_choice_in_streamlits_own_menu_lasts_on_all_pages(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, color_scheme="light").open("/methods")
    visit.result("Methods")
    expect(visit.page.get_by_role("button", name=BUTTON)).to_be_visible(timeout=PATIENCE_MS)
    visit.page.get_by_role("button", name="Main menu").click()
    visit.page.get_by_role("menuitemradio", name="Dark").click()
    wears(visit, "dark")
    visit.open("/number_formats").result("is stored as")
    wears(visit, "dark")
