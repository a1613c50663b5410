"""Seconds of the page Graph in a real Chromium: until it can be used, from a click to the panel, and until all is open.

    python -m benchmarks.graph [layers]

The models are bert-tiny and a BERT of that many layers (default 100: some 1,200 operators) with random weights, in a
folder that is deleted afterwards. Each is measured once by the server; then its page is opened in fresh windows. The
columns: the median of the waits, and the quickest.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, expect, sync_playwright
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.first_answer import served, window

_ROUNDS = 5
_LAYERS = 100
_MEASURING_MS = 900_000
_OPEN_ALL = """() => {
  const places = [...document.querySelectorAll("*")].map((each) => each.shadowRoot);
  const root = places.find((each) => each?.querySelector(".tree"));
  const began = performance.now();
  root.querySelector(".all").click();
  root.querySelector(".tree").getBoundingClientRect();
  return [performance.now() - began, root.querySelectorAll(".tree .box").length];
}"""


def deep_bert(folder: Path, layers: int) -> str:
    """A model of that many small layers; its id."""
    config = BertConfig(
        vocab_size=120,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return f"hf:{folder}"


def usable(page: Page) -> None:
    """Wait until the graph is drawn."""
    page.locator(".tree .box").first.wait_for()


def measure(browser: Browser, url: str, model: str) -> dict[str, list[float]]:
    """The waits of one model's page, in seconds."""
    random = {} if model == "bert-tiny" else {"input": "random"}
    address = f"{url}/graph?{urlencode({'model': model, 'dtype': 'bfloat16', 'tour': 'off'} | random)}"
    times: dict[str, list[float]] = defaultdict(list)
    with window(browser, address) as page:  # stays open, so that the run is not given up
        expect(page.get_by_text("Reproduce and take home")).to_be_visible(timeout=_MEASURING_MS)
        expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=_MEASURING_MS)
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            with window(browser, address) as other:
                usable(other)
                times["until it can be used"].append(time.perf_counter() - began)
                other.get_by_text("Reproduce and take home").wait_for()
                clicked = time.perf_counter()
                other.locator(".tree .box.module:not(.open)").first.click()
                other.get_by_text("Born here").first.wait_for()
                times["click to panel"].append(time.perf_counter() - clicked)
                milliseconds, boxes = other.evaluate(_OPEN_ALL)
                times[f"all {boxes:,} boxes open"].append(milliseconds / 1000)
    return times


def main() -> None:
    """Print a line for each wait of each model."""
    layers = int(sys.argv[1]) if len(sys.argv) > 1 else _LAYERS
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        deep = deep_bert(Path(folder) / "deep", layers)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with served("app.py", Path(folder)) as (url, _):
            for model in ("bert-tiny", deep):
                for what, seconds in measure(browser, url, model).items():
                    name = model if model == "bert-tiny" else f"BERT of {layers} layers"
                    print(f"{name:20} {what:26} {median(seconds):6.2f} s {min(seconds):6.2f} s", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
