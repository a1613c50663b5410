"""One browser and one server for all journeys that need nothing special of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.dashboard import Dashboard, Visitors

_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
_LOGGED_CHARACTERS = 20_000
_MEASURED = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured on the way."""
    if lines := config.stash.get(_MEASURED, []):
        terminalreporter.section("measured, not judged")
        for line in lines:
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the servers of the test logged."""
    report = yield
    if report.failed:
        for name, server in getattr(item, "funcargs", {}).items():
            if isinstance(server, Dashboard):
                report.sections.append((f"log of {name}", server.log.read_text()[-_LOGGED_CHARACTERS:]))
    return report


@pytest.fixture
def measured(pytestconfig: pytest.Config) -> Callable[[str, float], None]:
    """Note some seconds for the summary; how long things take is asserted nowhere."""

    def note(what: str, seconds: float) -> None:
        pytestconfig.stash.setdefault(_MEASURED, []).append(f"{seconds:6.2f} s {what}")

    return note


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file: while Playwright runs, no other test of this process can run an event loop."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("Chromium is needed: `make chromium`, or leave these tests out with --ignore tests/browser.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visitors(browser: Browser) -> Iterator[Visitors]:
    opened = Visitors(browser)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    running = Dashboard(tmp_path_factory.mktemp("dashboard"))
    yield running
    running.end()
