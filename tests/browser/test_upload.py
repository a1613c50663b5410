"""A checkpoint and samples of one's own, from a browser to a result; and what the server takes of anybody else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import transformers
from PIL import Image
from playwright.sync_api import Locator, expect

from tests.browser.dashboard import PATIENCE_MS, Dashboard, Visit, Visitors
from tests.browser.test_shield import OWN, answer
from tests.conftest import until

MODEL, DATA = ".st-key-upload-model", ".st-key-upload-data"
_LARGE_BYTES = 2**30
_MOST_GROWTH_BYTES = 96 * 2**20
_ADDRESS = re.compile(r"/upload/([\w-]+)")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An image classifier as transformers saves it: a cat is class 0, all else is class 1."""
    folder = tmp_path / "classifier"
    kind: Any = transformers
    config = kind.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        id2label={0: "cat", 1: "cup"}, label2id={"cat": 0, "cup": 1},
    )  # fmt: skip
    kind.ViTForImageClassification(config).save_pretrained(folder)
    kind.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def box(visit: Visit, which: str) -> Locator:
    """The box of the sidebar that takes files."""
    return visit.sidebar().locator(which)


def opened(visit: Visit) -> Visit:
    """The sidebar's box for a checkpoint."""
    visit.open("/", model=None).result()
    visit.choose("Model", "Upload a checkpoint")
    expect(box(visit, MODEL)).to_be_visible(timeout=PATIENCE_MS)
    return visit


def folders(dashboard: Dashboard) -> list[Path]:
    """What is kept of all uploads."""
    return sorted((dashboard.log.parent / "data" / "uploads").glob("*/*"))


def test_a_folder_and_labelled_pictures_give_an_accuracy(
    dashboard: Dashboard, visitors: Visitors, checkpoint: Path, tmp_path: Path
) -> None:
    visit = opened(visitors.visit(dashboard))
    box(visit, f"{MODEL} .px-folder input").set_input_files(checkpoint)
    assert "3 samples" in visit.result("3 samples")
    assert visit.link()["model"].startswith("upload:")
    expect(box(visit, f"{MODEL} .px-said")).to_contain_text("model.safetensors")
    for name in ("cat/one.png", "cat/two.png", "cup/three.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (48, 40), (len(name) * 15, 60, 200)).save(tmp_path / "set" / name)
    visit.sidebar().get_by_text("Input, seed and reference").click()
    box(visit, f"{DATA} .px-folder input").set_input_files(tmp_path / "set")
    visit.page.wait_for_url(re.compile("data=upload"), timeout=PATIENCE_MS)
    visit.result()
    expect(visit.page.get_by_text("Accuracy").first).to_be_visible(timeout=PATIENCE_MS)
    assert visit.complaints == []
    assert visit.elsewhere() == []


def test_what_is_refused_is_said_in_the_box(dashboard: Dashboard, visitors: Visitors, tmp_path: Path) -> None:
    visit = opened(visitors.visit(dashboard))
    (tmp_path / "pytorch_model.bin").write_bytes(b"code")
    before = folders(dashboard)
    box(visit, f"{MODEL} .px-files input").set_input_files(tmp_path / "pytorch_model.bin")
    expect(box(visit, f"{MODEL} .px-said")).to_contain_text("may hold code, which is never run here")
    assert folders(dashboard) == before


def test_a_large_file_goes_to_disk_and_can_be_cancelled(
    dashboard: Dashboard, visitors: Visitors, tmp_path: Path
) -> None:
    large = tmp_path / "model.safetensors"
    with large.open("wb") as file:
        file.truncate(_LARGE_BYTES)
    visit = opened(visitors.visit(dashboard))
    before = most = dashboard.memory_bytes()
    box(visit, f"{MODEL} .px-files input").set_input_files(large)
    expect(box(visit, f"{MODEL} .px-said")).to_contain_text("of 1.0 GiB", timeout=PATIENCE_MS)

    def kept_bytes() -> int:
        nonlocal most
        most = max(most, dashboard.memory_bytes())
        visit.page.wait_for_timeout(50)
        return sum(file.stat().st_size for file in folders(dashboard) if file.name == large.name)

    until(lambda: kept_bytes() > _LARGE_BYTES // 4)
    box(visit, f"{MODEL} .px-cancel").click()
    expect(box(visit, f"{MODEL} .px-said")).to_contain_text("Cancelled. Nothing was kept.")
    until(lambda: kept_bytes() < _LARGE_BYTES // 4)
    assert most - before < _MOST_GROWTH_BYTES


def test_a_large_file_arrives_whole(dashboard: Dashboard, visitors: Visitors, tmp_path: Path) -> None:
    large = tmp_path / "model.safetensors"
    with large.open("wb") as file:
        file.truncate(_LARGE_BYTES)
    visit = opened(visitors.visit(dashboard))
    before = dashboard.memory_bytes()
    box(visit, f"{MODEL} .px-files input").set_input_files(large)
    expect(visit.page.get_by_text("No config.json")).to_be_visible(timeout=PATIENCE_MS)
    assert any(file.stat().st_size == _LARGE_BYTES for file in folders(dashboard))
    assert dashboard.memory_bytes() - before < _MOST_GROWTH_BYTES
    large.write_bytes(b"")
    box(visit, f"{MODEL} .px-files input").set_input_files(large)
    until(lambda: not any(file.stat().st_size == _LARGE_BYTES for file in folders(dashboard)))


def test_a_stranger_sends_nothing(dashboard: Dashboard) -> None:
    announced = (*OWN, f"Content-Length: {50 * 2**20}")
    for request in ("POST /upload/guessed", "PUT /upload/guessed/guessed/0", "DELETE /upload/guessed/guessed"):
        status, _ = answer(dashboard, request, announced if request.startswith("PUT") else OWN)
        assert status in (400, 404)


def test_no_more_is_taken_than_was_announced(dashboard: Dashboard, visitors: Visitors, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    visit = opened(visitors.visit(dashboard))
    box(visit, f"{MODEL} .px-files input").set_input_files(tmp_path / "config.json")
    expect(box(visit, f"{MODEL} .px-said")).to_contain_text("config.json · 2 B")
    ticket = next(match[1] for url in visit.requests if (match := _ADDRESS.search(url)))
    status, text = answer(dashboard, f"POST /upload/{ticket}", (*OWN, "Content-Length: 19"), b'[["config.json",4]]')
    assert status == 200
    key = text.rpartition('"key":"')[2].partition('"')[0]
    there = len(folders(dashboard))
    for body in (b"12345", b"123"):
        status, _ = answer(dashboard, f"PUT /upload/{ticket}/{key}/0", (*OWN, f"Content-Length: {len(body)}"), body)
        assert status in (400, 404)
    assert len(folders(dashboard)) == there
