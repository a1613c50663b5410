"""Models that raise, hang or part: what was compared is kept, and the place is named."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn

from precision.errors import JobCancelledError
from precision.measure.lockstep import turns
from precision.results.layers import LayersReport
from tests.measure.lockstep.side_by_side import lockstep, row_named
from tests.zoo.awkward_models import Float32Mask

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Fails(nn.Module):
    """Raises in one dtype."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == self._dtype:
            raise ValueError("not in this dtype")
        return x


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("lockstep")}


@pytest.mark.parametrize("operators", [False, True])
@pytest.mark.parametrize(("dtype", "side"), [(torch.float16, "candidate"), (torch.float32, "reference")])
def test_an_exception_gives_a_partial_report(dtype: torch.dtype, side: str, operators: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), Fails(dtype)), nn.Linear(3, 3))
    report = lockstep(model, X, operators=operators, verify=True)
    assert report.stopped is not None
    assert (report.stopped.side, report.stopped.fqn) == (side, "1.1")
    assert report.stopped.message.startswith(f"The {side} failed in 1.1 (Fails): not in this dtype")
    assert report.stopped.keep == ("1.1" if side == "candidate" else None)
    assert report.observer is None
    assert [(row.fqn, row.finished) for row in report.rows] == [
        ("", None),
        ("0", 0),
        ("1", None),
        ("1.0", 1),
        ("1.1", None),
    ]
    assert row_named(report, "0").errors is not None
    assert not threads()
    assert LayersReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize("operators", [False, True])
def test_a_dtype_mismatch_names_the_operator_and_the_tensor_that_stayed(operators: bool) -> None:
    report = lockstep(Float32Mask(), X, operators=operators)
    assert report.stopped is not None
    assert (report.stopped.fqn, report.stopped.operator) == ("inner.1", "linear")
    (mixed,) = report.stopped.mixed
    assert mixed.startswith("argument 1 (float32, made so by")
    assert "Two dtypes meet here" in report.stopped.message
    assert report.stopped.keep == "inner.1"
    assert row_named(report, "inner.0").errors is not None


def test_operators_before_the_failure_are_kept() -> None:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fails = Fails(torch.float16)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.fails((x + 1) * 2)
            return y - 1

    report = lockstep(Body(), X, operators=True)
    assert [operator.name for operator in report.operators] == ["add", "mul"]
    assert all(operator.only is None for operator in report.operators)


def test_an_error_that_the_model_catches_ends_nothing() -> None:
    class Catches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fails, self.last = Fails(torch.float16), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            try:
                x = self.fails(x)
            except ValueError:
                x = x * 1
            y: Tensor = self.last(x)
            return y

    report = lockstep(nn.Sequential(Catches(), nn.ReLU()), X, operators=True, verify=True)
    assert report.stopped is None
    assert report.observer is not None
    assert not report.observer.changed
    (divergence,) = report.divergences
    assert divergence.resumed
    assert (divergence.fqn, divergence.reference_next) == ("0", "0.fails")
    assert row_named(report, "1").errors is not None


def test_a_side_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LEAVE_S", 0.05)
    go_on = threading.Event()

    class Hangs(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.dtype == torch.float16:
                go_on.wait(30)
            return x

    report = lockstep(nn.Sequential(nn.Linear(3, 3), Hangs(), nn.ReLU()), X, timeout_s=0.2)
    assert report.stopped is not None
    assert (report.stopped.side, report.stopped.fqn) == ("candidate", "1")
    assert "did not get past 1 within 200 ms" in report.stopped.message
    assert any("thread is still in 1" in note for note in report.notes)
    assert row_named(report, "0").errors is not None
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("lockstep"):
            thread.join(10)
    assert not threads()


def test_a_message_of_memory_says_what_to_do() -> None:
    class Hungry(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.dtype == torch.float16:
                raise MemoryError("too much")
            return x

    report = lockstep(nn.Sequential(Hungry()), X)
    assert report.stopped is not None
    assert report.stopped.message == (
        "Out of memory. Choose a smaller batch, a shorter input or a smaller model. (too much)"
    )


class Routed(nn.Module):
    """Calls other modules in half precision, as a router whose scores change would."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(3, 3), nn.ReLU()) for _ in range(3))
        self.after = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.experts[0](x)
        chosen = 1 if x.dtype == torch.float16 else 2
        for _ in range(chosen):
            x = self.experts[chosen](x)
        y: Tensor = self.after(x * 1.5)
        return y


@pytest.mark.parametrize("operators", [False, True])
def test_models_that_part_are_compared_again_after_the_call_around(operators: bool) -> None:
    report = lockstep(nn.Sequential(Routed(), nn.ReLU()), X, operators=operators, decompose=True, verify=True)
    (divergence,) = report.divergences
    assert (divergence.fqn, divergence.call, divergence.resumed) == ("0", 1, True)
    assert (divergence.reference_next, divergence.candidate_next) == ("0.experts.2", "0.experts.1")
    assert set(divergence.reference_skipped) == {"0.experts.2", "0.experts.2.0", "0.experts.2.1", "0.after"}
    assert set(divergence.candidate_skipped) == {"0.experts.1", "0.experts.1.0", "0.experts.1.1", "0.after"}
    assert [row.fqn for row in report.rows] == ["", "0", "0.experts.0", "0.experts.0.0", "0.experts.0.1", "1"]
    assert all(report.errors_of(place) is not None for place in range(len(report.rows)))
    assert report.stopped is None
    assert report.observer is not None
    assert not report.observer.changed


def test_one_side_may_call_more_often() -> None:
    class Loops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            for _ in range(2 if x.dtype == torch.float32 else 4):
                x = self.cell(x)
            y: Tensor = self.head(x)
            return y

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loops = Loops()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.loops(self.loops(x))
            return y

    report = lockstep(Twice(), X, operators=True, verify=True)
    assert report.stopped is None
    assert [(row.fqn, row.call) for row in report.rows][:4] == [
        ("", 1),
        ("loops", 1),
        ("loops.cell", 1),
        ("loops.cell", 2),
    ]
    assert len(report.divergences) == 2
    assert all(divergence.resumed for divergence in report.divergences)
    assert row_named(report, "loops", 2).errors is not None


def test_a_side_that_fails_while_the_other_runs_ahead_is_named() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(3, 3), Fails(torch.float16)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.one(x) if x.dtype == torch.float32 else self.other(x)
            return y

    report = lockstep(nn.Sequential(Parts()), X, operators=True)
    assert report.stopped is not None
    assert report.stopped.fqn == "0.other"
    assert "0.other" in [row.fqn for row in report.rows]


def test_a_deep_copy_that_is_the_same_object_runs_on_both_sides() -> None:
    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def __deepcopy__(self, memo: dict[int, object]) -> Same:
            return self

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(x.float())
            return y

    report = lockstep(Same(), X, name="float32")
    assert report.stopped is None
    assert len(report.rows) == 2


class HangsLater(nn.Module):
    """Returns at once from the calls of both models, and waits in those after; its copies share what it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.calls: list[int] = []

    def __deepcopy__(self, memo: dict[int, object]) -> HangsLater:
        other = HangsLater()
        other.go_on, other.calls = self.go_on, self.calls
        return other

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(1)
        if len(self.calls) > 2:
            self.go_on.wait(30)
        return x * 2


def test_a_layer_that_hangs_when_it_is_evaluated_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LEAVE_S", 0.05)
    later = HangsLater()
    report = lockstep(nn.Sequential(nn.Linear(3, 3), later), X, decompose=True, timeout_s=0.2)
    assert report.stopped is not None
    assert "within 200 ms" in report.stopped.message
    assert row_named(report, "0").corners is not None
    later.go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("lockstep"):
            thread.join(10)
    assert not threads()


def test_cancelling_while_a_layer_is_evaluated_again_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_POLL_S", 0.02)
    monkeypatch.setattr(turns, "_LEAVE_S", 0.05)
    later = HangsLater()

    def cancel(name: str, fraction: float) -> None:
        if len(later.calls) > 2:
            raise JobCancelledError("enough")

    with pytest.raises(JobCancelledError, match="enough"):
        lockstep(later, X, decompose=True, on_call=cancel)
    later.go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("lockstep"):
            thread.join(10)
    assert not threads()
