"""From a question to its answer by clicks alone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors


def test_from_a_broken_format_to_a_remedy_and_to_a_verified_plan(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="overflow", dtype="float16", expert="false")
    visit.result("Do not use float16 here: 16 of 16 output values become infinite or NaN")
    page = visit.page
    page.get_by_role("link", name="Find the operator that breaks it, and what mends it").click()
    visit.result("The first infinity or NaN appears in operator mul in blocks.0.feed_forward")
    expect(page.get_by_text("Remedy, tried: use bfloat16 instead of float16")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("link", name="Find a plan: a format for every layer").click()
    visit.result("Best plan: ")
    visit.press("Verify by a run")
    expect(page.get_by_text("Verified.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("SQNR, measured")).to_be_visible(timeout=PATIENCE_MS)
    visit.menu("Explore")
    page.get_by_role("link", name="Propagation").click()
    visit.result("The first infinity or NaN appears in operator mul")
    visit.press("Use bfloat16 instead, and run again")
    visit.result("most error is added in")
    visit.said_in_link("dtype", "bfloat16")
    assert visit.complaints == []


def test_two_formats_beside_each_other_and_a_pinned_run(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="digits", dtype="float16")
    visit.result("Safe in float16: all 450 test images keep their class")
    visit.press("Pin as baseline")
    visit.choose("Format", "bfloat16")
    visit.result("Safe in bfloat16")
    main = visit.page.get_by_test_id("stMain")
    expect(main.get_by_text("× larger").first).to_be_visible(timeout=PATIENCE_MS)
    main.get_by_role("link", name="Compare").last.click()
    visit.result("bfloat16 against float16: the mean error is")
    expect(main.get_by_role("heading", name="Safe in float16")).to_be_visible(timeout=PATIENCE_MS)
    assert visit.complaints == []
