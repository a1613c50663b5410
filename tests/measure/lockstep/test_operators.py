"""Operators of two models side by side: residual adds, functional softmax, casts that only one side makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.measure.casting.operator_names import operator_name
from precision.measure.lockstep.operators import OperatorRecorder
from precision.results.layers import LayersReport, OperatorDtypes, OperatorRow
from precision.spec import CastMethod
from tests.measure.lockstep.side_by_side import lockstep, operator_names

X = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


class Function(nn.Module):
    """A model that is one function of its input and of a linear layer."""

    def __init__(self, function: Callable[[Tensor, nn.Linear], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.linear = nn.Linear(8, 8)
        self._function = function

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x, self.linear)


def operators(function: Callable[[Tensor, nn.Linear], Tensor], x: Tensor = X, **options: Any) -> LayersReport:
    return lockstep(Function(function), x, operators=True, **options)


def dtypes(report: LayersReport, operator: OperatorRow) -> OperatorDtypes:
    assert operator.candidate_dtypes is not None
    return report.operator_dtypes[operator.candidate_dtypes]


def the(report: LayersReport, name: str) -> OperatorRow:
    (found,) = [operator for operator in report.operators if operator.name == name]
    return found


def rmse(candidate: Tensor, reference: Tensor) -> float:
    return float((candidate.double() - reference.double()).pow(2).mean().sqrt())


def test_what_module_hooks_cannot_see_is_compared() -> None:
    report = operators(lambda x, linear: nn.functional.softmax(x + linear(x), dim=-1) @ x.T)
    assert [(report.rows[each.row].fqn, each.name) for each in report.operators] == [
        ("linear", "linear"),
        ("", "add"),
        ("", "softmax"),
        ("", "matmul"),
    ]
    assert all(each.errors is not None and each.errors.rmse for each in report.operators)
    assert report.operator_calls == 4


def test_an_operators_error_is_that_of_the_two_outputs() -> None:
    report = operators(lambda x, linear: x + linear(x))
    linear = Function(lambda x, linear: x).linear
    with torch.no_grad():
        reference = X + linear(X)
        low = linear.half()
        candidate = X.half() + low(X.half())
    error = (candidate.double() - reference.double()).norm() / reference.double().norm()
    errors = the(report, "add").errors
    assert errors is not None
    assert errors.normalized_l2 == pytest.approx(error.item(), rel=2e-5)


def test_views_and_sizes_are_left_out() -> None:
    report = operators(lambda x, linear: linear(x.view(2, 2, x.size(1)).transpose(0, 1)[0].unsqueeze(0)))
    assert operator_names(report) == ["linear"]


def test_what_only_one_side_did_is_listed_where_it_ran() -> None:
    def casts_in_half(x: Tensor, linear: nn.Linear) -> Any:
        y = linear(x)
        if y.dtype == torch.float16:
            y = torch.clamp(y, -60000, 60000).float()
        return y.relu()

    report = operators(casts_in_half)
    assert operator_names(report) == ["linear", "relu"]
    assert operator_names(report, "candidate") == ["clamp", "float"]
    assert [each.name for each in report.operators] == ["linear", "clamp", "float", "relu"]
    back = operators(lambda x, linear: linear(x) if x.dtype == torch.float16 else linear(x).neg().neg())
    assert operator_names(back, "reference") == ["neg", "neg"]


def test_in_place_operators_do_not_reach_what_was_recorded_before() -> None:
    def overwrites(x: Tensor, linear: nn.Linear) -> Any:
        y = linear(x)
        z = y * 3
        z += 1
        z[0] = 100
        view = z.view(-1)
        view.mul_(0)
        return z

    def plainly(x: Tensor, linear: nn.Linear) -> list[tuple[str, Tensor]]:
        y = linear(x)
        steps = [("mul", y * 3)]
        steps.append(("add_", steps[0][1] + 1))
        return steps

    report = operators(overwrites)
    model = Function(overwrites).linear
    with torch.no_grad():
        exact = plainly(X, model)
        low = plainly(X.half(), model.half())
    for (name, reference), (_, candidate) in zip(exact, low, strict=True):
        errors = the(report, name).errors
        assert errors is not None
        assert errors.rmse == pytest.approx(rmse(candidate, reference), rel=2e-5)
    last = the(report, "mul_").errors
    assert last is not None
    assert last.rmse == 0
    assert report.notes == ()


def test_a_child_that_works_in_place_does_not_reach_its_parents_operators() -> None:
    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.relu(x * 1.1)
            return y

    report = lockstep(Parent(), X, operators=True)
    product = the(report, "mul").errors
    assert product is not None
    assert product.rmse == pytest.approx(rmse(X.half() * 1.1, X * 1.1), rel=2e-5)


def test_out_arguments_are_seen_as_overwritten() -> None:
    def writes(x: Tensor, linear: nn.Linear) -> Any:
        y = x * 2
        return torch.add(x, 1, out=y)

    report = operators(writes)
    product = the(report, "mul").errors
    assert product is not None
    assert product.rmse == pytest.approx(rmse(X.half() * 2, X * 2), rel=2e-5)


@pytest.mark.parametrize(
    ("function", "name", "computed", "output"),
    [
        (lambda x, linear: linear(x), "linear", ("float16",), "float16"),
        (lambda x, linear: x + torch.ones(8), "add", ("float32",), "float32"),
        (lambda x, linear: x * torch.tensor(2.0), "mul", ("float16",), "float16"),
        (lambda x, linear: x * 2.5, "mul", ("float16",), "float16"),
        (lambda x, linear: torch.softmax(x, -1, dtype=torch.float32), "softmax", ("float32",), "float32"),
        (lambda x, linear: x.sum(dtype=torch.float64), "sum", ("float64",), "float64"),
        (lambda x, linear: x.float(), "float", (), "float32"),
        (lambda x, linear: x.to(torch.float32), "to", (), "float32"),
        (lambda x, linear: (x > 0).float(), "gt", ("float16",), "bool"),
        (lambda x, linear: torch.cat([x, x.float()]), "cat", ("float32",), "float32"),
    ],
)
def test_the_dtype_an_operator_computed_in(
    function: Callable[[Tensor, nn.Linear], Tensor], name: str, computed: tuple[str, ...], output: str
) -> None:
    report = operators(function)
    found = dtypes(report, the(report, name))
    assert (found.computed, found.output) == (computed, output)


def test_silent_promotions_are_marked() -> None:
    report = operators(lambda x, linear: (x + torch.ones(8)) * linear(x))
    assert dtypes(report, the(report, "add")).is_promoted
    assert dtypes(report, the(report, "mul")).is_promoted
    assert not dtypes(report, the(report, "linear")).is_promoted


def test_autocasts_decisions_are_seen() -> None:
    def mixes(x: Tensor, linear: nn.Linear) -> Any:
        low = linear(x)
        return torch.softmax(x + low, -1) + nn.functional.layer_norm(low, (8,)) + low.pow(2).sum()

    report = operators(mixes, name="bfloat16", method=CastMethod.AUTOCAST)
    linear = dtypes(report, the(report, "linear"))
    assert linear == OperatorDtypes(inputs=("float32", "float32", "float32"), computed=("bfloat16",), output="bfloat16")
    first = next(each for each in report.operators if each.name == "add")
    assert dtypes(report, first).inputs == ("float32", "bfloat16")
    assert dtypes(report, first).computed == ("float32",)
    assert dtypes(report, the(report, "softmax")).computed == ("float32",)


def test_operators_before_and_after_a_child_are_in_order() -> None:
    report = operators(lambda x, linear: linear(x + 1).relu())
    assert [(report.rows[each.row].fqn, each.name) for each in report.operators] == [
        ("", "add"),
        ("linear", "linear"),
        ("", "relu"),
    ]


def test_rounding_of_a_simulated_format_is_no_operator_of_the_model() -> None:
    report = operators(lambda x, linear: x + linear(x), name="float8_e4m3fn")
    assert [each.name for each in report.operators] == ["linear", "add"]
    assert all(each.only is None for each in report.operators)
    assert report.origins == ()


def test_operators_beyond_the_limit_are_counted() -> None:
    report = operators(lambda x, linear: linear(x) + x + x + x, max_operators=2)
    assert (len(report.operators), report.operator_calls) == (2, 4)
    assert "Only the first 2 of 4 operators are listed." in report.notes


def test_several_outputs_are_compared_together() -> None:
    report = operators(lambda x, linear: torch.aminmax(x).max + x.topk(2).values.sum())
    assert the(report, "aminmax").errors is not None
    top = the(report, "topk").errors
    assert top is not None
    assert top.elements == 8  # the values; the indices are integers


def test_lstm_and_attention_are_one_operator() -> None:
    torch.manual_seed(0)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(8, 8, batch_first=True)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            y, _ = self.lstm(x)
            z, _ = self.attention(y, y, y)
            return z  # type: ignore[no-any-return]

    report = lockstep(Both(), X.unsqueeze(0), operators=True, verify=True)
    assert {"lstm", "multi_head_attention_forward"} <= set(operator_names(report))
    assert report.stopped is None
    assert report.observer is not None
    assert not report.observer.changed


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.add, "add"),
        (Tensor.__add__, "add"),
        (Tensor.__radd__, "add"),
        (Tensor.__iadd__, "add_"),
        (Tensor.__matmul__, "matmul"),
        (Tensor.__getitem__, "getitem"),
        (Tensor.shape.__get__, "shape"),  # type: ignore[attr-defined]
    ],
)
def test_names_of_operators(function: object, name: str) -> None:
    assert operator_name(function) == name


def test_the_recorder_clears_away_what_is_gone() -> None:
    recorder = OperatorRecorder(finds_nonfinite=False)
    recorder.into = []
    with recorder.watching():
        for _ in range(5000):
            torch.ones(1).add(1)
            recorder.into.clear()
    sources = recorder.sources
    assert len(recorder._makers) + len(recorder._kept) + len(sources._tensors) + len(sources._memory) < 10_000


def promoted(report: LayersReport) -> set[str]:
    """Operators of the candidate that widened an input."""
    return converted(report, "is_promoted")


def converted(report: LayersReport, how: str) -> set[str]:
    return {
        operator.name
        for operator in report.operators
        if operator.candidate_dtypes is not None and getattr(report.operator_dtypes[operator.candidate_dtypes], how)
    }


def test_only_what_is_widened_counts_as_promoted() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)
            self.table = torch.ones(8)

        def forward(self, x: Tensor) -> Tensor:
            scaled = self.linear(x) / torch.tensor(2.5)
            return torch.where(scaled > 0, scaled, torch.tensor(-1.0)) + self.table

    report = lockstep(Mixed(), torch.randn(4, 8), name="bfloat16", operators=True)
    assert promoted(report) == {"add"}


def test_autocast_that_narrows_is_no_promotion() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.LayerNorm(8))
    report = lockstep(model, torch.randn(4, 8), name="bfloat16", method=CastMethod.AUTOCAST, operators=True)
    assert promoted(report) == {"layer_norm"}
    assert converted(report, "is_lowered") == {"linear"}
