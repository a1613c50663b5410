"""What is shared from a page is what the page shows."""

from __future__ import annotations

import struct
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visitors

_PNG = b"\x89PNG\r\n\x1a\n"


def test_the_link_opens_the_page_as_it_is_and_the_picture_is_one(
    dashboard: Dashboard, visitors: Visitors, tmp_path: Path
) -> None:
    visit = visitors.visit(dashboard).open("/errors", model="linear-5-10", dtype="bfloat16", chart="signed")
    finding = visit.result("off by")
    visit.press("Share")
    menu = visit.page.get_by_test_id("stPopoverBody")
    link = menu.get_by_test_id("stCode").first
    expect(link).to_contain_text("tour=off", timeout=PATIENCE_MS)
    address = "".join(link.locator("code").inner_text().split())
    expect(menu).to_contain_text("model = model.to(torch.bfloat16)")
    found = Axe().run(visit.page)
    assert found.violations_count == 0, found.generate_report()
    with visit.page.expect_download() as download:
        menu.get_by_role("button", name="Save a picture of the answer").click()
    download.value.save_as(tmp_path / "answer.png")
    picture = (tmp_path / "answer.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert picture.startswith(_PNG)
    assert width == 1200
    assert height > 200
    assert visit.complaints == []

    another = visitors.visit(dashboard)
    another.page.goto(address)
    assert another.result("off by") == finding
    assert another.link()["chart"] == "signed"
