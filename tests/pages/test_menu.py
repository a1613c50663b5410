"""The line above every page."""

from __future__ import annotations

import pytest

from tests.pages.conftest import PAGES, opened

pytestmark = pytest.mark.usefixtures("running_engine")


def test_every_page_is_in_the_menu_and_the_name_above_it() -> None:
    app = opened("pages/methods.py")
    assert "**Precision Explorer**" in app.main.caption[0].value
    links = [link.proto.page for link in app.get("page_link")]
    assert sorted(links) == sorted("" if page == "pages/overview.py" else page[6:-3] for page in PAGES)
