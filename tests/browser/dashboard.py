"""The dashboard as its users have it: a server of its own, and a browser that visits it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

import psutil
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Route,
    TimeoutError,
    expect,
)

from tests.conftest import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
PAGES = (
    *("/", "/graph", "/layers", "/errors", "/propagation", "/ranges", "/compare", "/sweep", "/mixed_precision"),
    *("/regimes", "/casting", "/number_formats", "/methods"),
)
PATIENCE_MS = PATIENCE_S * 1000
MINUTES_OF_WORK = {"model": "bert-base", "dtype": "bfloat16", "batch": "64", "length": "512"}
"""A run that is still running when the next one wants its worker."""

_FROM_CHECKOUT = (sys.executable, "-m", "streamlit", "run", "app.py", "--server.port")
_NOWHERE = "http://127.0.0.1:9"
_ENDS_WITHIN_S = 15.0
_ADDRESS_WITHIN_MS = 20_000.0
_FOR_EXPERTS = {"expert": "true", "tour": "off"}
_OPENS_WITHIN_MS, _TRIES = 10_000.0, 3
_UNDER_WAY = re.compile("^(Comparing|Counting the values of|Measuring how much|Trying) ")
"""The heading of a page whose run goes on."""
_OWN_PROBE = re.compile(f"({'|'.join(PAGES[1:])})/_stcore/(health|host-config)$")
"""Where Streamlit's page asks first when it was opened by a deep link; the 404 tells it where the server's root is."""


class Dashboard:
    """A server with its worker processes; `end` it.

    Args:
        folder: for its data and its log.
        command: that starts it; the port is added.
        cwd: where.
        settings: environment variables.
    """

    def __init__(
        self, folder: Path, *, command: Sequence[str] = _FROM_CHECKOUT, cwd: Path = ROOT, **settings: str
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "server.log"
        self.started_at = time.monotonic()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PRECISION_", "STREAMLIT_"))}
        with self.log.open("wb") as log:
            self._process = psutil.Popen(
                [*command, str(port)],
                cwd=cwd,
                env=clean
                | {"PRECISION_DATA": str(folder / "data"), "PRECISION_MODEL_ROOTS": "/", "HF_ENDPOINT": _NOWHERE}
                | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which ends the server
            )
        until(self._healthy)

    def _healthy(self) -> bool:
        if not self._process.is_running():
            pytest.fail(f"the server ended while it was starting:\n{self.log.read_text()}")
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:  # noqa: S310  # own server
                return bool(answer.status == 200)
        except OSError:
            return False

    def workers(self) -> list[psutil.Process]:
        """The processes that run jobs: forked from the fork server, which is a child of the web server."""
        family = self._process.children(recursive=True)
        return [process for process in family if process.ppid() != self._process.pid]

    def memory_bytes(self) -> int:
        """What the web process itself holds."""
        held: int = self._process.memory_info().rss
        return held

    def end(self) -> list[psutil.Process]:
        """Stop the server as a service manager does; the processes that outlive it, which are then killed."""
        family = [self._process, *self._process.children(recursive=True)]
        self._process.terminate()
        survivors: list[psutil.Process] = psutil.wait_procs(family, timeout=_ENDS_WITHIN_S)[1]
        for process in survivors:
            process.kill()
        return survivors


class Visit:
    """One person's browser window, and all it asked for and complained about.

    Args:
        context: a browser context of its own; `close` it.
        url: of the dashboard.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self._url = url
        self.requests: list[str] = []
        self.complaints: list[str] = []
        context.on("request", self._asked)
        context.on("console", self._said)
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.set_default_timeout(PATIENCE_MS)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _OWN_PROBE.search(message.location["url"]):
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def elsewhere(self) -> list[str]:
        """What was requested from any other place than the dashboard."""
        own = (f"{self._url}/", "data:", f"blob:{self._url}/")
        return [url for url in self.requests if not url.startswith(own)]

    def open(self, path: str = "/", *, model: str | None = "tinynet", **link: str) -> Self:
        """Go to a page by its link, for experts unless it says otherwise; None leaves the model out."""
        query = _FOR_EXPERTS | ({} if model is None else {"model": model}) | link
        self.page.goto(f"{self._url}{path}?{urlencode(query)}" if query else f"{self._url}{path}")
        return self

    @contextmanager
    def without_scripts(self, names: str) -> Iterator[None]:
        """Until its end, the browser waits for some of the scripts that Streamlit's page loads when it needs them."""
        waiting: list[Route] = []
        pattern = f"**/{names}.*.js"
        self.page.route(pattern, lambda script: waiting.append(script))  # noqa: PLW0108  # Playwright takes no builtin
        yield
        assert waiting
        for script in waiting:
            script.continue_()
        self.page.unroute(pattern)

    def settled(self) -> Self:
        """Wait until the page's script has run; a progress bar may still move."""
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        return self

    def menu(self, group: str | None = None) -> Locator:
        """The line above the page, with one of its groups opened."""
        line = self.page.locator(".st-key-menu")
        if group:
            line.get_by_role("button", name=group).click()
        return line

    def sidebar(self) -> Locator:
        return self.page.get_by_test_id("stSidebar")

    def picker(self, label: str) -> Locator:
        """One of the sidebar's lists."""
        return self.sidebar().get_by_role("combobox", name=label, exact=True)

    def result(self, text: str | re.Pattern[str] = "") -> str:
        """The page's finding, once there is one that contains `text`."""
        expect(self.page.locator(".st-key-under-way")).to_have_count(0, timeout=PATIENCE_MS)
        heading = self.page.get_by_role("heading", level=1).filter(has_text=text or None, has_not_text=_UNDER_WAY)
        expect(heading).to_have_count(1, timeout=PATIENCE_MS)  # the former page's stands beside it for a moment
        expect(heading).to_be_visible(timeout=PATIENCE_MS)
        self.settled()
        return heading.inner_text()

    def numbers(self) -> dict[str, str]:
        """The metrics of the overview, once the run has ended."""
        expect(self.page.get_by_test_id("stProgress")).to_have_count(0, timeout=PATIENCE_MS)
        self.settled()
        shown = self.page.get_by_test_id("stMetric")
        expect(shown.first).to_be_visible(timeout=PATIENCE_MS)  # the browser loads their code when it meets the first
        return {
            box.get_by_test_id("stMetricLabel").inner_text(): box.get_by_test_id("stMetricValue").inner_text()
            for box in shown.all()
        }

    def alert(self, text: str | re.Pattern[str]) -> str:
        """The message that contains `text`, once it is there."""
        message = self.page.get_by_test_id("stAlert").filter(has_text=text)
        expect(message).to_be_visible(timeout=PATIENCE_MS)
        self.settled()
        return message.inner_text()

    def progress(self, text: str | re.Pattern[str]) -> str:
        """The progress text, once it contains `text`."""
        shown = self.page.get_by_test_id("stProgress").filter(has_text=text)
        expect(shown).to_be_visible(timeout=PATIENCE_MS)
        return shown.inner_text()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def choose(self, picker: str, option: str) -> None:
        """Pick an option of one of the sidebar's lists."""
        self.choose_from(self.picker(picker), option)

    def choose_from(self, box: Locator, option: str) -> None:
        """Pick an option of a list; it is opened again where the page was being drawn anew and closed it."""
        choice = self.page.get_by_role("option", name=option)
        for _ in range(_TRIES):
            box.click()
            try:
                choice.wait_for(timeout=_OPENS_WITHIN_MS)
            except TimeoutError:
                continue
            break
        choice.click()

    def link(self) -> dict[str, str]:
        """What the address says, besides what `open` does."""
        said = parse_qs(urlsplit(self.page.url).query)
        return {name: values[0] for name, values in said.items() if name not in _FOR_EXPERTS}

    def said_in_link(self, name: str, value: str) -> None:
        """Wait until the address says so."""
        self.page.wait_for_url(
            lambda url: parse_qs(urlsplit(url).query).get(name) == [value], timeout=_ADDRESS_WITHIN_MS
        )

    def close(self) -> None:
        self._context.close()


class Visitors:
    """Opens visits, and closes those that are left.

    Args:
        browser: running.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._visits: list[Visit] = []

    def visit(self, dashboard: Dashboard, **context: object) -> Visit:
        """A new browser context with one page; `context` holds Playwright's options, such as `color_scheme`."""
        options = {"viewport": {"width": 1280, "height": 900}} | context
        visit = Visit(self._browser.new_context(**options), dashboard.url)  # type: ignore[arg-type]
        self._visits.append(visit)
        return visit

    def close(self) -> None:
        for visit in self._visits:
            visit.close()
