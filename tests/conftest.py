"""What all tests share, and which of them `make fast` leaves out beside the browser's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # a busy one is no failure
settings.load_profile("any machine")
PATIENT = (
    *(
        "tests/engine/",
        "tests/pages/",
        "tests/cli/",
        "tests/plan/",
        "tests/oracles/",
        "tests/charts/test_regime_chart.py",
    ),
    *(
        f"tests/measure/{place}"
        for place in (
            *("sensitivity/", "regimes/", "routes/", "claims/", "rounding/", "test_memory.py"),
            *("lockstep/test_zoo.py", "lockstep/test_modules.py", "models/test_huggingface.py"),
            *("casting/test_mixed.py", "compare/test_compare.py"),
            *("test_device_speed.py", "machine/test_working_memory.py"),
        )
    ),
)
"""Tests that start processes, run whole pages or models by the dozen, or round millions of values."""


PATIENCE_S = 120.0
"""For what takes a second or a few on an idle machine."""
_PAUSE_S = 0.01


def until(holds: Callable[[], bool], *, again: Callable[[], object] = lambda: time.sleep(_PAUSE_S)) -> None:
    """Return when the condition holds; fail when patience ends.

    Args:
        holds: what is waited for.
        again: done between two looks; by default, a short pause.
    """
    given_up_at = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > given_up_at:
            pytest.fail(f"not within {PATIENCE_S:g} s")
        again()


@pytest.fixture(scope="module", autouse=True)
def brief_timing() -> Iterator[None]:
    """Times of runs in the tests' own process are of a few runs: none of them is judged."""
    from precision.measure.machine import cost  # torch with it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "_BLOCK_S", 1e-4)
        patch.setattr(cost, "_TRIES_S", 1e-3)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow whatever lies in a place that takes patience."""
    for item in items:
        if item.nodeid.startswith(PATIENT):
            item.add_marker(pytest.mark.slow)
