"""From the routes to the claims, as they are tried, to the code of one."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors


def test_claims_grow_to_the_whole_list_and_show_their_code(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/casting", model="linear-5-10")
    visit.result("Linear")
    visit.page.get_by_text("Claims", exact=True).click()
    visit.said_in_link("section", "Claims")
    visit.result("24 claims do not hold here")
    visit.page.get_by_text("Which dtype do parameters have by default?").click()
    expect(visit.page.get_by_text("torch.get_default_dtype()").first).to_be_visible(timeout=PATIENCE_MS)
    assert visit.complaints == []
