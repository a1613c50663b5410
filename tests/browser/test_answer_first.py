"""The answer on Overview: before the times, with the result before until then, and with its next step."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors


def test_errors_are_shown_before_times_and_until_then_the_result_before(
    dashboard: Dashboard, visitors: Visitors, measured: Callable[[str, float], None]
) -> None:
    visit = visitors.visit(dashboard).open("/", model="bert-base", dtype="float16", seed="61")
    visit.result("float16")
    expect(visit.page.get_by_test_id("stProgress")).to_have_count(0, timeout=PATIENCE_MS)
    visit.choose("Format", "bfloat16")
    chosen_at = time.monotonic()
    before = visit.page.locator(".st-key-under-way").get_by_text("the result before")
    expect(before).to_contain_text("BERT base classifier in float16", timeout=PATIENCE_MS)
    headings = visit.page.get_by_role("heading", level=1)
    expect(headings.filter(has_text=re.compile(r" float16 .*: "))).to_be_visible()
    expect(headings.filter(has_text=re.compile(r" bfloat16.*: "))).to_be_visible(timeout=PATIENCE_MS)
    measured("from choosing a format of a large model until its errors", time.monotonic() - chosen_at)
    expect(visit.page.get_by_text("Speed: being measured.")).to_be_visible(timeout=PATIENCE_MS)
    expect(visit.page.get_by_test_id("stProgress")).to_have_count(0, timeout=PATIENCE_MS)
    measured("from choosing a format of a large model until its times", time.monotonic() - chosen_at)
    expect(visit.page.get_by_text("Speed: being measured.")).to_have_count(0, timeout=PATIENCE_MS)


def test_too_few_samples_are_one_click_from_enough(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="linear-5-10", dtype="float16")
    visit.result("Check float16 first: all 8 samples")
    visit.press("Run with 73 samples")
    visit.result("Safe in float16: all 73 samples keep their class")
    visit.said_in_link("batch", "73")


def test_a_click_on_a_layers_dtypes_shows_its_tensors(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="digits", dtype="bfloat16")
    visit.result("Safe in bfloat16")
    strip = visit.page.get_by_test_id("stPlotlyChart").filter(has_text="before")
    expect(visit.page.get_by_test_id("stProgress")).to_have_count(0, timeout=PATIENCE_MS)
    strip.locator(".barlayer .point path").first.click(force=True)
    visit.said_in_link("find", "features.0.")
    expect(visit.page.get_by_text("2 of 25 tensors.")).to_be_visible(timeout=PATIENCE_MS)
    visit.page.get_by_role("link", name="All that is known of features.0").click()
    visit.said_in_link("layer", "features.0")
    expect(visit.page.get_by_role("heading", name="One layer")).to_be_visible(timeout=PATIENCE_MS)


def test_a_click_on_a_box_opens_it_before_and_after_the_cast(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard, viewport={"width": 1280, "height": 1600})
    visit.open("/layers", model="digits", dtype="bfloat16").result("22 of 25 tensors change")
    tree = visit.page.locator(".st-key-chart-module-tree")
    expect(tree.get_by_text("before the cast: 122 KiB")).to_be_visible(timeout=PATIENCE_MS)
    visit.settled()
    tree.locator(".slice").filter(has_text="classifier").first.click(force=True)
    visit.said_in_link("within", "classifier")
    for half in ("before the cast: 65.4 KiB", "after the cast: 32.7 KiB"):
        expect(tree.get_by_text(half)).to_be_visible(timeout=PATIENCE_MS)
    visit.press("model ›")
    expect(tree.get_by_text("after the cast: 60.8 KiB")).to_be_visible(timeout=PATIENCE_MS)


def test_samples_of_a_real_input_are_shown(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="digits", dtype="float8_e5m2")
    visit.result("6 of 450 test images change their class")
    cards = visit.page.get_by_role("listitem").filter(has=visit.page.get_by_role("img"))
    expect(cards).to_have_count(10, timeout=PATIENCE_MS)
    expect(cards.first).to_contain_text("→")
    assert visit.elsewhere() == []


def test_a_language_models_changed_tokens_are_marked(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="austen", dtype="float8_e4m3fn", batch="4")
    visit.result(re.compile("tokens change their first choice"))
    cards = visit.page.get_by_role("listitem").filter(has_text="of 64 first choices changed")
    expect(cards).to_have_count(4, timeout=PATIENCE_MS)
    expect(cards.first.locator("mark").first).to_be_visible()
    expect(cards.first).to_contain_text("→")
    assert visit.elsewhere() == []
