"""Where operators' inputs come from, against autograd's own graph; and what autograd cannot see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from precision.measure.lockstep.operator_calls import OperatorCall
from precision.measure.lockstep.operators import OperatorRecorder
from precision.measure.lockstep.values import tensors_in
from precision.measure.models.loading import load
from precision.results.layers import UNKNOWN, LayersReport
from precision.spec import RunSpec
from tests.measure.lockstep.side_by_side import lockstep

X = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))


class Function(nn.Module):
    """A model that is one function of its input and of a linear layer."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.linear = nn.Linear(8, 8)
        self._function = function

    def forward(self, x: Tensor, **others: Tensor) -> Any:
        return self._function(x, self.linear, **others)


class Recurrent(nn.Module):
    """A state that goes round."""

    def __init__(self) -> None:
        super().__init__()
        self.whole, self.cell = nn.LSTM(8, 8, num_layers=2), nn.GRUCell(8, 8)

    def forward(self, x: Tensor) -> Any:
        y, (state, _) = self.whole(x)
        hidden = state[0]
        for step in y.unbind(0):
            hidden = self.cell(step, hidden)
        return hidden + y.sum(0)


class _Watched(TorchFunctionMode):
    """Keeps the node of autograd's graph that made each result."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[list[Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.nodes.append([each.grad_fn for each in tensors_in(result) if each.grad_fn is not None])
        return result


class _Calls(list[OperatorCall]):
    """The operators recorded, and which of the functions that were watched each was."""

    def __init__(self, watched: _Watched) -> None:
        super().__init__()
        self._watched = watched
        self.places: list[int] = []

    def append(self, call: OperatorCall) -> None:
        self.places.append(len(self._watched.nodes))  # it is noted when the function has returned
        super().append(call)


def edges(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[set[Any], set[Any]]:
    """Pairs of operators, the second of which reads what the first made: by the recorder, and by autograd."""
    recorder, watched = OperatorRecorder(finds_nonfinite=True, module=module), _Watched()
    recorder.sources.begin(module, args, kwargs)
    calls = recorder.into = _Calls(watched)
    with recorder.watching(), watched:
        module(*args, **kwargs)
    made_by = {node: at for at, place in enumerate(calls.places) for node in watched.nodes[place]}
    truth = {(made_by[other], at) for node, at in made_by.items() for other in _behind(node, made_by, at)}
    differentiable = set(made_by.values())
    ours = {(source, at) for at, call in enumerate(calls) for source in call.sources if isinstance(source, int)}
    return {(a, b) for a, b in ours if {a, b} <= differentiable}, truth


def _behind(node: Any, made_by: Mapping[Any, int], at: int) -> Iterator[Any]:
    """The nearest nodes on every way back that belong to other operators."""
    left = [next_ for next_, _ in node.next_functions]
    seen = set()
    while left:
        each = left.pop()
        if each is None or each in seen:
            continue
        seen.add(each)
        if made_by.get(each, at) != at:
            yield each
        else:
            left += [next_ for next_, _ in each.next_functions]


def residual(x: Tensor, linear: nn.Linear) -> Any:
    return x + linear(torch.nn.functional.gelu(linear(x)))


def views(x: Tensor, linear: nn.Linear) -> Any:
    first, second = linear(x).view(4, 2, 4).transpose(0, 1).unbind(0)
    return torch.cat([first.exp(), second[:, ::2].T.sin().T.repeat(1, 2)], dim=-1) @ linear(x)[:1].expand(8, 8)


def in_place(x: Tensor, linear: nn.Linear) -> Any:
    y = linear(x)
    y += x
    z = y.mul(2)
    z[:, 0] = y.exp()[:, 1]
    z.relu_()
    return z.sum(-1) + y.sum(-1)


def several_outputs(x: Tensor, linear: nn.Linear) -> Any:
    values, _ = linear(x).topk(3)
    mean, spread = torch.var_mean(linear(x), dim=-1)
    return values.sum(-1) + mean * spread


Built = tuple[nn.Module, tuple[Any, ...], Mapping[str, Any]]


def _of_function(function: Callable[..., Any]) -> Built:
    return Function(function), (X,), {}


def _of_catalogue(name: str) -> Built:
    loaded = load(RunSpec(model=name))
    return loaded.module, loaded.args, loaded.kwargs


MODELS: dict[str, Callable[[], Built]] = {
    **{each.__name__: partial(_of_function, each) for each in (residual, views, in_place, several_outputs)},
    "recurrent": lambda: (Recurrent(), (X,), {}),
    "attention": lambda: (nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), (X,), {}),
    "convolutions": lambda: (
        nn.Sequential(nn.Conv1d(4, 4, 3), nn.ReLU(), nn.Flatten(0), nn.Softmax(dim=0)),
        (X,),
        {},
    ),
    **{name: partial(_of_catalogue, name) for name in ("tinynet", "digits", "bert-tiny", "vit-tiny")},
}


@pytest.mark.parametrize("name", list(MODELS))
def test_edges_between_differentiable_operators_are_those_of_autograd(name: str) -> None:
    module, args, kwargs = MODELS[name]()
    with torch.enable_grad():
        for parameter in module.parameters():
            parameter.requires_grad_()
        ours, truth = edges(module, args, kwargs)
    assert truth
    assert ours == truth


def flow(report: LayersReport) -> dict[str, list[str]]:
    """The names of what each operator reads from, by its own; operators whose name is there once."""
    return {
        operator.name: [report.operators[each].name if isinstance(each, int) else each for each in operator.sources]
        for operator in report.operators
    }


def test_inputs_are_called_as_forward_calls_them_and_outputs_by_their_paths() -> None:
    def function(x: Tensor, linear: nn.Linear, *, mask: Tensor) -> dict[str, Tensor]:
        return {"logits": linear(x).masked_fill(mask, 0.0), "given": x}

    mask = torch.zeros(4, 8, dtype=torch.bool)
    report = lockstep(Function(function), X, kwargs={"mask": mask}, operators=True)
    assert flow(report) == {"linear": ["x"], "masked_fill": ["linear", "mask"]}
    assert {out.path: out.sources for out in report.output_sources} == {"logits": (1,), "given": ("x",)}


def test_what_the_model_stores_is_no_source_and_what_nobody_saw_is_unknown() -> None:
    elsewhere = torch.ones(8)

    class Stores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift: Tensor
            self.scale = nn.Parameter(torch.ones(8))
            self.register_buffer("shift", torch.ones(8))
            self.plain = [torch.ones(8)]

        def forward(self, x: Tensor) -> Any:
            return (x * self.scale.view(1, 8) + self.shift - self.plain[0]).div(elsewhere)

    report = lockstep(Stores(), X, name="float32", operators=True)
    assert flow(report) == {"mul": ["x"], "add": ["mul"], "sub": ["add"], "div": ["sub", UNKNOWN]}


def test_simulated_formats_hide_nothing() -> None:
    report = lockstep(
        nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)),
        X,
        name="float8_e4m3fn",
        operators=True,
    )
    assert [operator.sources for operator in report.operators] == [("input",), (0,), (1,)]


def test_what_only_one_side_does_is_in_the_flow() -> None:
    def casts_in_half(x: Tensor, linear: nn.Linear) -> Any:
        y = linear(x)
        return (y.float().abs() if y.dtype == torch.float16 else y).relu()

    report = lockstep(Function(casts_in_half), X, operators=True)
    assert flow(report) == {"linear": ["x"], "float": ["linear"], "abs": ["float"], "relu": ["abs"]}


def test_a_tensor_is_known_by_its_memory_after_it_was_detached() -> None:
    report = lockstep(Function(lambda x, linear: linear(x).data.exp()), X, operators=True)
    assert flow(report)["exp"] == ["linear"]
