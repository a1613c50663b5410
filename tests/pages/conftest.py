"""The pages with their real engine, one for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.job import engine
from precision.engine import Engine
from tests.conftest import PATIENCE_S

APP = str(Path(__file__).parents[2] / "app.py")
COMPARISON_PAGES = ("pages/overview.py", "pages/layers.py", "pages/errors.py", "pages/compare.py")
PAGES = (
    *COMPARISON_PAGES,
    *(
        "pages/graph.py",
        "pages/propagation.py",
        "pages/ranges.py",
        "pages/sweep.py",
        "pages/mixed_precision.py",
        "pages/regimes.py",
    ),
    *("pages/casting.py", "pages/number_formats.py", "pages/methods.py"),
)


@pytest.fixture(scope="session")
def running_engine() -> Iterator[Engine]:
    """The engine of the web process, as the pages start it."""
    started = engine()
    yield started
    started.close()
    engine.clear()


def opened(
    page: str = "pages/overview.py", link: Mapping[str, str | list[str]] | None = None, *, settle: bool = True
) -> AppTest:
    """A page opened cold by its link, of TinyNet and for experts unless it says otherwise; when its run has ended."""
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in ({"model": "tinynet", "expert": "true", "tour": "off"} | dict(link or {})).items():
        app.query_params[name] = value
    app.switch_page(page).run()
    return settled(app) if settle else app


def settled(app: AppTest) -> AppTest:
    """The page once its job has ended; AppTest has no browser that would ask again."""
    for job in app.session_state["jobs"].values():
        engine().wait(job, timeout_s=PATIENCE_S)
        app.run()
    return app
