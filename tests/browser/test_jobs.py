"""Runs that take long, are given up, or lose their worker."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable

from playwright.sync_api import expect

from precision.measure.lockstep.director import FIRST_PARTIAL_S
from tests.browser.dashboard import MINUTES_OF_WORK, PATIENCE_MS, Dashboard, Visit, Visitors
from tests.conftest import until

RUNNING = re.compile("Running the float32 reference")
MODULE = re.compile(r"· (bert\S*) ·")


def named(visit: Visit) -> str:
    """The module at which both sides have just met."""
    found = MODULE.search(visit.progress(MODULE))
    return found[1] if found else ""


def test_cancel_gives_the_device_to_the_next_run(
    dashboard: Dashboard, visitors: Visitors, measured: Callable[[str, float], None]
) -> None:
    visit = visitors.visit(dashboard).open("/", **MINUTES_OF_WORK, seed="51")
    visit.progress(RUNNING)
    visit.press("Cancel")
    cancelled_at = time.monotonic()
    visit.choose("Model", "TinyNet")
    visit.result("Check bfloat16 first")
    measured("from Cancel until the result of the next run", time.monotonic() - cancelled_at)
    assert visit.link()["seed"] == "51"


def test_a_cancelled_run_says_so_and_can_be_run_again(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/", **MINUTES_OF_WORK, seed="52")
    visit.progress(RUNNING)
    visit.press("Cancel")
    visit.alert("The run was cancelled")
    visit.press("Run again")
    visit.progress(re.compile("Loading|Running"))


def test_layers_compared_before_a_cancel_stay_visible_and_are_called_partial(
    dashboard: Dashboard, visitors: Visitors
) -> None:
    visit = visitors.visit(dashboard).open("/propagation", model="bert-base", dtype="bfloat16", batch="8", length="256")
    named(visit)
    named_at = time.monotonic()
    until(lambda: time.monotonic() > named_at + FIRST_PARTIAL_S)
    reached = named(visit)
    until(lambda: named(visit) != reached)
    visit.press("Cancel")
    assert "partial" in visit.alert("The run was cancelled")
    assert "error is added in bert" in visit.result()
    expect(visit.page.get_by_text(re.compile(r"\d+ of \d+ rows\."))).to_be_visible(timeout=PATIENCE_MS)
    expect(visit.page.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=PATIENCE_MS)
    expect(visit.page.get_by_role("button", name="Run again", exact=True)).to_be_visible(timeout=PATIENCE_MS)


def test_a_browser_that_is_closed_frees_the_device(
    dashboard: Dashboard, visitors: Visitors, measured: Callable[[str, float], None]
) -> None:
    leaving = visitors.visit(dashboard).open("/", **MINUTES_OF_WORK, seed="53")
    leaving.progress(RUNNING)
    leaving.close()
    left_at = time.monotonic()
    visitors.visit(dashboard).open("/", seed="53").result("Check float16 first")
    measured("from closing a browser until the result of another's run", time.monotonic() - left_at)


def test_a_killed_worker_ends_one_run_and_nothing_else(dashboard: Dashboard, visitors: Visitors) -> None:
    bystander = visitors.visit(dashboard).open("/", seed="54")
    finding, job = bystander.result("Check float16 first"), bystander.link()["job"]
    numbers = bystander.numbers()
    victim = visitors.visit(dashboard).open("/", **MINUTES_OF_WORK, seed="54")
    victim.progress(RUNNING)
    busiest = max(dashboard.workers(), key=lambda worker: worker.cpu_percent(interval=0.5))
    busiest.send_signal(signal.SIGKILL)

    assert "crashed (signal 9" in victim.alert("crashed")
    expect(victim.page.get_by_role("button", name="Run again", exact=True)).to_be_visible(timeout=PATIENCE_MS)

    assert bystander.result() == finding
    assert bystander.numbers() == numbers
    assert bystander.link()["job"] == job
    bystander.page.get_by_text("Input, seed and reference").click()
    bystander.page.get_by_role("spinbutton", name="Seed").fill("55")
    bystander.page.get_by_role("spinbutton", name="Seed").press("Enter")
    bystander.said_in_link("seed", "55")
    bystander.result("Check float16 first")
    assert bystander.link()["job"] != job
    until(lambda: bystander.numbers()["Max absolute error"] != numbers["Max absolute error"])
