"""What `make fast` leaves out beside the browser."""

from __future__ import annotations

import pytest

PATIENT = (
    *("tests/engine/", "tests/pages/", "tests/test_cli", "tests/test_imports.py"),
    *("tests/lockstep/test_zoo.py", "tests/lockstep/test_modules.py", "tests/models/test_huggingface.py"),
    *("tests/test_rounding.py", "tests/test_scaled_rounding.py", "tests/casting/test_mixed.py"),
    *("tests/sensitivity/", "tests/plan/", "tests/regimes/", "tests/routes/", "tests/claims/"),
    "tests/charts/test_regime_chart.py",
    *("tests/test_device_speed.py", "tests/test_memory.py", "tests/test_working_memory.py", "tests/test_compare.py"),
)
"""Tests that start processes, run whole pages or models by the dozen, or round millions of values."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow whatever lies in a place that takes patience."""
    for item in items:
        if item.nodeid.startswith(PATIENT):
            item.add_marker(pytest.mark.slow)
