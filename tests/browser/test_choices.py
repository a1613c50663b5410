"""Choosing in the sidebar, and the address that carries the choice."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.browser.dashboard import Dashboard, Visitors


def test_the_address_reproduces_the_choice_and_its_result(
    dashboard: Dashboard, visitors: Visitors, measured: Callable[[str, float], None]
) -> None:
    visit = visitors.visit(dashboard).open()
    assert visit.result().startswith("TinyNet in float16")
    in_float16 = visit.numbers()
    assert in_float16["Max absolute error"] == "2.259e-4"

    visit.choose("Format", "bfloat16")
    chosen_at = time.monotonic()
    assert visit.result("in bfloat16").startswith("TinyNet in bfloat16")
    measured("from choosing another format until its result", time.monotonic() - chosen_at)
    visit.said_in_link("dtype", "bfloat16")
    in_bfloat16, job = visit.numbers(), visit.link()["job"]
    assert in_bfloat16["Max absolute error"] != in_float16["Max absolute error"]

    visit.page.reload()
    visit.result("in bfloat16")
    assert visit.numbers() == in_bfloat16
    assert visit.link() == {"model": "tinynet", "dtype": "bfloat16", "job": job}

    colleague = visitors.visit(dashboard)
    colleague.page.goto(visit.page.url)
    colleague.result("in bfloat16")
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
