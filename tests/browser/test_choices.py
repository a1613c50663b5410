"""Choosing in the sidebar, and the address that carries the choice."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors


def test_the_address_reproduces_the_choice_and_its_result(
    dashboard: Dashboard, visitors: Visitors, measured: Callable[[str, float], None]
) -> None:
    visit = visitors.visit(dashboard).open()
    assert "Check float16 first" in visit.result()
    in_float16 = visit.numbers()
    assert in_float16["Max absolute error"] == "2.26e-4"

    visit.choose("Format", "bfloat16")
    chosen_at = time.monotonic()
    assert visit.result("Check bfloat16 first")
    measured("from choosing another format until its result", time.monotonic() - chosen_at)
    visit.said_in_link("dtype", "bfloat16")
    in_bfloat16, job = visit.numbers(), visit.link()["job"]
    assert in_bfloat16["Max absolute error"] != in_float16["Max absolute error"]

    visit.page.reload()
    visit.result("Check bfloat16 first")
    assert visit.numbers() == in_bfloat16
    assert visit.link() == {"model": "tinynet", "dtype": "bfloat16", "job": job}

    colleague = visitors.visit(dashboard)
    colleague.page.goto(visit.page.url)
    colleague.result("Check bfloat16 first")
    assert colleague.numbers() == in_bfloat16
    assert colleague.link()["job"] == job


def test_the_address_keeps_how_a_page_is_looked_at(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/errors")
    visit.result()
    visit.page.get_by_text("ulp", exact=True).click()
    visit.said_in_link("chart", "ulp")
    visit.page.reload()
    visit.result()
    assert visit.page.get_by_role("radio", name="ulp").is_checked()


def test_the_address_keeps_which_tensors_are_shown(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/layers")
    visit.result()
    visit.page.get_by_text("unchanged", exact=True).click()
    visit.page.get_by_text("0 of 11 tensors.").wait_for()
    visit.said_in_link("show", "unchanged")
    visit.page.reload()
    visit.result()
    visit.page.get_by_text("0 of 11 tensors.").wait_for()


def test_a_link_holds_where_the_browser_draws_the_pickers_late(dashboard: Dashboard, visitors: Visitors) -> None:
    link = {"model": "linear-5-10", "dtype": "bfloat16", "seed": "7", "batch": "3"}
    visit = visitors.visit(dashboard)
    with visit.without_scripts("{Selectbox,NumberInput}"):
        visit.open("/casting", section="Claims", **link).result("24 claims do not hold here")
    expect(visit.picker("Model")).to_have_value("Linear 5 → 10 · random", timeout=PATIENCE_MS)
    visit.page.get_by_text("Autocast", exact=True).click()
    visit.result("Autocast lowers")
    shown = visit.link()
    assert {name: shown.get(name) for name in link} == link


def test_a_model_without_a_batch_may_follow_one_with(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open(model="linear-5-10", batch="3")
    visit.result("Check float16 first: all 3 samples")
    visit.choose("Model", "TinyNet")
    visit.result("Check float16 first")
    for dtype in ("bfloat16", "float64", "bfloat16"):
        visit.choose("Format", f"{dtype} ·")
        visit.result(re.compile(f"(Check|Safe in) {dtype}"))
    assert "batch" not in visit.link()
