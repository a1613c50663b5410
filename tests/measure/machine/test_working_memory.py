"""Working memory: what is allocated inside is found, what was there before is not."""

from __future__ import annotations

import pytest
import torch

from precision.measure.machine import working_memory as measured_by
from precision.measure.machine.working_memory import how_measured, working_memory
from precision.spec import RunSpec
from tests.runs import compare

CPU = torch.device("cpu")
TELLS = measured_by._begin_resident() is not None
needs_system = pytest.mark.skipif(not TELLS, reason="this system does not tell the peak of resident memory")


@needs_system
def test_what_is_allocated_and_freed_inside_is_found() -> None:
    with working_memory(CPU) as found:
        torch.ones(16 << 20)
    assert found.most_bytes is not None
    assert 60 << 20 <= found.most_bytes < 96 << 20  # the system counts pages in batches


@needs_system
def test_what_was_there_before_is_not_counted() -> None:
    before = torch.ones(32 << 20)
    with working_memory(CPU) as found:
        torch.ones(1)
    assert before.numel()
    assert found.most_bytes is not None
    assert found.most_bytes < 32 << 20


def test_where_nothing_tells_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured_by, "_begin_resident", lambda: None)
    monkeypatch.setattr(measured_by, "_resident", lambda: None)
    with working_memory(CPU) as found:
        torch.ones(1)
    assert found.most_bytes is None
    assert how_measured(CPU).startswith("Not measured")


@needs_system
def test_a_comparison_has_the_working_memory_of_both() -> None:
    memory = compare(RunSpec(model="digits")).memory
    assert memory is not None
    assert memory.reference_bytes is not None
    assert memory.candidate_bytes is not None
    assert "resident" in memory.how
