"""Links that cannot be followed, by accident or by design."""

from __future__ import annotations

import re

import pytest

from tests.browser.dashboard import PAGES, Dashboard, Visit, Visitors

HOSTILE = "![x](http://127.0.0.1:9/x.png)<img src=x onerror=alert(1)>"


def shows_no_trace(visit: Visit) -> bool:
    text = visit.page.locator("body").inner_text()
    return "Traceback" not in text and "Error:" not in text


@pytest.mark.parametrize(
    ("path", "link", "message"),
    [
        *((path, {"dtype": "float13"}, "Unknown format 'float13'") for path in PAGES),
        ("/", {"model": "nope"}, "Unknown model 'nope'"),
        ("/", {"batch": "99999"}, "4096"),
    ],
    ids=[*PAGES, "model", "batch"],
)
def test_a_malformed_link_is_explained_and_one_click_leads_on(
    path: str, link: dict[str, str], message: str, dashboard: Dashboard, visitors: Visitors
) -> None:
    visit = visitors.visit(dashboard).open(path, **link)
    visit.alert(message)
    assert shows_no_trace(visit)
    visit.press("Show the default instead")
    visit.said_in_link("model", "digits")
    visit.said_in_link("dtype", "bfloat16")
    visit.result(re.compile("^(?!This link)"))
    assert "batch" not in visit.link()


def test_an_address_may_be_a_title_of_the_menu(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open()
    visit.result("Check float16 first")
    for path, finding in (
        ("/Propagation", "error is added"),
        ("/Number_formats", "is stored as"),
        ("/Overview", "Check bfloat16 first"),
        ("/Stress_test", "bfloat16"),
        ("/Inputs", "bfloat16"),  # its former title
        ("/inputs", "bfloat16"),
    ):
        visit.open(path, dtype="bfloat16").result(finding)
        assert visit.link()["dtype"] == "bfloat16"
        assert "page not found" not in visit.page.locator("body").inner_text().casefold()


def test_a_device_that_is_not_here_is_named_and_another_can_be_picked(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/", device="cuda:9")
    visit.alert("Unknown device 'cuda:9'")
    assert shows_no_trace(visit)
    visit.choose("Device", "cpu")
    visit.result("Check float16 first")


def test_a_hostile_name_is_shown_as_text(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/", model=f"hf:{HOSTILE}")
    assert HOSTILE in visit.alert("neither an existing folder nor a hub id")
    for path in PAGES:
        visit.open(path, model=HOSTILE)
        assert HOSTILE in visit.alert("Unknown model")
    assert visit.complaints == []
    assert visit.elsewhere() == []
    assert not [url for url in visit.requests if url.endswith("/x")]
