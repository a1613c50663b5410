"""Servers that allow little: runs that need more are stopped, and said why."""

from __future__ import annotations

from pathlib import Path

from tests.browser.dashboard import MINUTES_OF_WORK, Dashboard, Visitors


def test_a_run_past_the_memory_limit_names_it_and_takes_nothing_else(tmp_path: Path, visitors: Visitors) -> None:
    small = Dashboard(tmp_path, PRECISION_MEMORY_LIMIT="1GiB")
    try:
        visit = visitors.visit(small).open("/", model="bert-base", dtype="bfloat16")
        assert "1.0 GiB" in visit.alert("memory limit")
        visit.choose("Model", "TinyNet")
        visit.result("Check bfloat16 first")
    finally:
        small.end()


def test_a_run_past_the_time_limit_names_it_and_keeps_what_it_measured(tmp_path: Path, visitors: Visitors) -> None:
    hasty = Dashboard(tmp_path, PRECISION_TIME_LIMIT="20")
    try:
        visit = visitors.visit(hasty).open("/layers", **MINUTES_OF_WORK)
        visit.alert("Stopped at its limit of 20 s")
        assert "tensors change" in visit.result()
        visit.choose("Model", "TinyNet")
        visit.result("11 of 11 tensors change")
    finally:
        hasty.end()
