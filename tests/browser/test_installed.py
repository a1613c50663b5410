"""The dashboard of the installed package, started in an empty folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.dashboard import Dashboard, Visitors
from tests.package.installing import Installed


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder: Path = tmp_path_factory.mktemp("installed")
    installed = Installed(folder)
    running = Dashboard(folder, command=[installed.command, "run", "--port"], cwd=installed.empty)
    yield running
    assert running.end() == []


def test_it_serves_pages_and_runs_jobs_in_the_theme_of_the_checkout(dashboard: Dashboard, visitors: Visitors) -> None:
    visit = visitors.visit(dashboard).open("/", dtype="float16")
    assert "Check float16 first" in visit.result()
    assert visit.elsewhere() == []
    assert visit.complaints == []
    active = visit.page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).color")
    assert active == "rgb(16, 17, 20)"  # textColor of .streamlit/config.toml
