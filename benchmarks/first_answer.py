"""Seconds until a person sees something: from the server's start, from a link, and from a click.

    python -m benchmarks.first_answer [rounds]

In each round a Streamlit app with three boxes is started, then the dashboard, each with a fresh server and a fresh
window of a real Chromium, so that a busy machine disturbs both alike. From the server's start: until a headline can be
read, and until the first decision. Then, on the running server: until the decision from a link that opens a new window,
and from a click on another model. The columns: the median and the quickest of the rounds, and the median of the ratio
to the three boxes' headline of the same round.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.rounds import median_ratio
from precision.models.catalogue import describe

ROUNDS = 5
THREE_BOXES = """\
import streamlit as st
st.title("Three boxes")
for name in ("Model", "Format", "Device"):
    st.selectbox(name, ["one", "two", "three"])
"""
THREE = "three boxes, headline"
_PATIENCE_MS = 120_000
_UNDER_WAY = re.compile(r"^Comparing ")
"""The headline of a comparison that goes on."""


@contextmanager
def served(script: str | Path, folder: Path) -> Iterator[tuple[str, float]]:
    """The address of a fresh server that answers, and when it was started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    began = time.perf_counter()
    process = psutil.Popen(
        [*command, "--server.headless", "true"],
        env={**os.environ, "PRECISION_DATA": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(url):
            time.sleep(0.02)
        yield url, began
    finally:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        for survivor in psutil.wait_procs(family, timeout=15)[1]:
            survivor.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as answer:  # noqa: S310 - own server
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def window(browser: Browser, address: str) -> Iterator[Page]:
    """A fresh one, that has begun to open the address."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    page.goto(address, wait_until="commit")
    yield page
    context.close()


def until_decided(page: Page, before: str = "") -> str:
    """Wait for the headline of an answer, another one than before; what it says."""
    headline = page.locator("h1").first
    headline.wait_for()
    while _UNDER_WAY.match(text := headline.inner_text()) or text == before:
        page.wait_for_timeout(10)
    return text


def until_idle(page: Page) -> None:
    """Wait until the run is timed."""
    expect(page.get_by_text("Speed: being measured.")).to_have_count(0, timeout=_PATIENCE_MS)


def choose_model(page: Page, model: str) -> float:
    """Choose it in the sidebar; when it was clicked."""
    page.get_by_test_id("stSidebar").get_by_role("combobox").first.click()
    option = page.get_by_role("option", name=describe(model).title.partition(" (")[0])
    expect(option).to_be_visible()
    began = time.perf_counter()
    option.click()
    return began


def one_round(browser: Browser, folder: Path, times: dict[str, list[float]]) -> None:
    """Both servers, one after the other."""
    three = folder / "three.py"
    three.write_text(THREE_BOXES)
    with served(three, folder) as (url, began), window(browser, url) as page:
        page.locator("h1").first.wait_for()
        times[THREE].append(time.perf_counter() - began)
    with served("app.py", folder) as (url, began):
        with window(browser, url) as page:
            page.locator("h1").first.wait_for()
            times["headline"].append(time.perf_counter() - began)
            until_decided(page)
            times["first result"].append(time.perf_counter() - began)
            until_idle(page)
        opened = time.perf_counter()
        with window(browser, f"{url}/?model=digits&dtype=float16") as page:
            until_decided(page)
            times["digits in float16, link"].append(time.perf_counter() - opened)
            until_idle(page)
        # The seed makes a new run of what is measured already.
        with window(browser, f"{url}/?model=tinynet&seed=1") as page:
            answer = until_decided(page)
            for model in ("digits", "bert-tiny", "minilm"):
                until_idle(page)
                clicked = choose_model(page, model)
                answer = until_decided(page, answer)
                times[f"{model}, click"].append(time.perf_counter() - clicked)


def main() -> None:
    """Print one line for each wait."""
    times: dict[str, list[float]] = defaultdict(list)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                one_round(browser, Path(folder), times)
        browser.close()
    print(f"{len(times[THREE])} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':26} {'median':>8} {'quickest':>9} {'× three boxes':>14}")
    for name, seconds in times.items():
        ratio = median_ratio(seconds, times[THREE])
        print(f"{name:26} {median(seconds):6.2f} s {min(seconds):7.2f} s {ratio:14.2f}")


if __name__ == "__main__":
    main()
