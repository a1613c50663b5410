"""The cards of a language model's texts: what is marked, and what is said of it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from pages.ui.job import engine
from precision.results import CompareResult
from tests.pages.conftest import opened

pytestmark = pytest.mark.usefixtures("running_engine")


def test_every_changed_choice_is_marked_and_said() -> None:
    app = opened(link={"model": "austen", "dtype": "float8_e4m3fn", "batch": "3"})
    assert not app.exception
    assert "first choice" in app.title[0].value
    result = engine().job(app.session_state["jobs"]["compare"]).result
    assert isinstance(result, CompareResult)
    (drawn,) = (each.proto.body for each in app.get("html") if "px-samples" in each.proto.body)
    cards = drawn.split('<div role="listitem"')[1:]
    assert len(cards) == len(result.samples) == 3
    for card, sample in zip(cards, result.samples, strict=True):
        changed = [token for token in sample.tokens if token.choices]
        marked = [unescape(text) for text in re.findall("<mark>(.*?)</mark>", card)]
        assert [text.strip() for text in marked] == [token.text.strip() or "…" for token in changed]
        assert f"<p>{len(changed)} of 64 first choices changed</p>" in card
        whole = unescape(re.sub("</?mark>", "", re.findall("<p>(.*?)</p>", card)[0]))
        assert whole.removesuffix(" …") == "".join(token.text for token in sample.tokens)
        lines = re.findall("<p>(… .*?)</p>", card)
        assert len(lines) == min(len(changed), 4)
        for line, token in zip(lines, changed, strict=False):
            assert all(choice.strip() in unescape(line) for choice in token.choices or ())
    said = [caption.value for caption in app.caption if caption.value.startswith("Marked: ")]
    assert len(said) == 1
    assert "float8" in said[0]
