"""The page Methods: every document of `docs/methods`, and the links to it."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.pages.conftest import PAGES, opened

PAGE = "pages/methods.py"
DOCUMENTS = {path.stem: path.read_text(encoding="utf-8") for path in Path("docs/methods").glob("*.md")}

pytestmark = pytest.mark.usefixtures("running_engine")


def topics(text: str) -> set[str]:
    """The documents that a text's links to the page ask for."""
    addresses = re.findall(r"\]\((\./methods\?[^)]+)\)", text)
    return {topic for address in addresses for topic in parse_qs(urlsplit(address).query)["topic"]}


@pytest.mark.parametrize("topic", sorted(set(DOCUMENTS) - {"README"}))
def test_a_document_is_shown_and_what_it_mentions_opens_on_the_page(topic: str) -> None:
    app = opened(PAGE, {"topic": topic})
    assert not app.warning
    shown = app.main.markdown[0].value
    mentioned = [button.label.removeprefix("→ ") for button in app.main.button]
    assert f"# {app.title[0].value}" == DOCUMENTS[topic].splitlines()[0]
    assert "## Source" in shown
    assert ".md)" not in shown
    assert "](./" not in shown
    assert set(mentioned) <= set(DOCUMENTS)
    if mentioned:
        app.button(key=f"open-{mentioned[0]}").click().run()
        assert f"# {app.title[0].value}" == DOCUMENTS[mentioned[0]].splitlines()[0]
        assert app.query_params["topic"] == mentioned[0]


def test_without_a_topic_all_are_listed() -> None:
    assert {button.label.removeprefix("→ ") for button in opened(PAGE).main.button} == set(DOCUMENTS) - {"README"}


@pytest.mark.parametrize("page", [page for page in PAGES if page != PAGE])
def test_how_to_read_a_page_leads_to_its_method(page: str) -> None:
    (named,) = (topics(block.value) for block in opened(page).main.markdown if "How it is measured" in block.value)
    assert named
    assert named <= set(DOCUMENTS)
