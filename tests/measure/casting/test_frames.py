"""Modules in several precisions, over the zoo: all of them low is the cast itself, none the reference."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.errors import ForwardError
from precision.findings.frames import places_of
from precision.formats import format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import map_tensors
from precision.measure.casting.methods import cast, reference
from precision.measure.casting.precisions import Precisions
from precision.plan.exported_code import exported_code
from precision.spec import CastMethod
from precision.spec.keep import Kept
from tests.zoo.cases import ZOO

CPU = torch.device("cpu")
WIDE = format_named("float32")


def precisions_of(module: nn.Module, *args: object, **kwargs: object) -> Precisions:
    return Precisions(module, reference(module, WIDE, device=CPU), WIDE, args, kwargs)


def places(precisions: Precisions, name: str) -> tuple[str, ...]:
    precisions.planned({"": format_named(name)})
    return places_of(precisions.flows.values())


def values(output: object) -> list[Tensor]:
    """All tensors of an output, in float64 where they are floating-point."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        wide = torch.view_as_real(tensor.to(torch.complex128)) if tensor.is_complex() else tensor.to_dense()
        found.append(wide.double() if wide.is_floating_point() else wide)
        return tensor

    map_tensors(output, note)
    return found


def is_same(one: object, other: object) -> bool:
    pairs = zip(values(one), values(other), strict=True)
    return all(torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(0), b.nan_to_num(0)) for a, b in pairs)


def output_of(model: CastModel, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Any:
    return model(args, kwargs)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", ZOO)
def test_all_places_low_is_the_cast_and_none_the_reference(kind: str, name: str) -> None:
    torch.manual_seed(0)
    exhibit = ZOO[kind]
    module, args, kwargs, fmt = exhibit.build(), exhibit.inputs, exhibit.kwargs, format_named(name)
    precisions = precisions_of(module, *args, **kwargs)
    named = places(precisions, name)
    whole = replace(cast(module, fmt, method=CastMethod.TO, device=CPU), fused=False)
    assert is_same(precisions.planned({})(args, kwargs), precisions.reference(args, kwargs))
    try:
        expected = whole(args, kwargs)
    except ForwardError:
        raised = precisions.flows[name].raised
        assert raised
        precisions.planned({fqn: fmt for fqn in named if fqn not in raised})(args, kwargs)
        with pytest.raises(ForwardError):
            precisions.planned(dict.fromkeys(named, fmt))(args, kwargs)
        return
    assert is_same(precisions.planned(dict.fromkeys(named, fmt))(args, kwargs), expected)
    for fqn in named if name == "bfloat16" else ():
        precisions.planned({fqn: fmt})(args, kwargs)
        precisions.planned({other: fmt for other in named if other != fqn})(args, kwargs)


@pytest.mark.parametrize("kind", ZOO)
def test_exported_code_computes_what_ran(kind: str) -> None:
    torch.manual_seed(0)
    exhibit = ZOO[kind]
    module, args, kwargs = exhibit.build(), exhibit.inputs, dict(exhibit.kwargs)
    precisions = precisions_of(module, *args, **kwargs)
    named = places(precisions, "bfloat16")
    names = {fqn: ("bfloat16", "float16")[at % 2] for at, fqn in enumerate(named)}
    model = precisions.planned({fqn: format_named(name) for fqn, name in names.items()})
    with suppress(ForwardError):
        expected = model(args, kwargs)
        code: dict[str, Any] = {}
        exec(compile(exported_code("float32", names, precisions.flows), "exported", "exec"), code)  # noqa: S102
        given, named_inputs = map_tensors((args, kwargs), lambda tensor: tensor.detach().clone())
        with torch.no_grad():
            torch.manual_seed(0)  # as every run is seeded
            assert is_same(code["lower_layers"](module)(*given, **named_inputs), expected)


class Views(nn.Module):
    """Writes to one part of its input, and reads it through another."""

    def forward(self, whole: Tensor, part: Tensor) -> Tensor:
        part.mul_(2)
        return whole.sum(-1)


class Around(nn.Module):
    """Hands on two views of one tensor, and uses it afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.views = Views()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x * 1.0
        return self.views(x, x[:, ::2]), x


def test_what_a_module_writes_reaches_its_caller_and_nothing_else_is_rounded() -> None:
    x = torch.tensor([[1.001, 1.001, 3.0, 1.001]])
    total, written = output_of(precisions_of(Around(), x).planned({"views": format_named("bfloat16")}), (x,), {})
    assert written.tolist() == [[2.0, pytest.approx(1.001), 6.0, pytest.approx(1.001)]]
    assert total.tolist() == [10.0]


def test_a_module_that_makes_no_values_rounds_none() -> None:
    x = torch.tensor([[1.001]])
    model = nn.Sequential(nn.Flatten(), nn.Identity(), nn.Dropout())
    low = precisions_of(model, x).planned(dict.fromkeys(("0", "1", "2"), format_named("bfloat16")))
    assert torch.equal(output_of(low, (x,), {}), x)


class Router(nn.Module):
    """Two scores that are equal in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.gate.weight.copy_(torch.tensor([[1.0], [1.001]]))

    def forward(self, x: Tensor) -> Tensor:
        chosen: Tensor = self.gate(x).argmax(-1)
        return chosen


@pytest.mark.parametrize(("part", "chosen"), [("gate", 0), ("gate:wide", 1)])
def test_what_stays_wide_is_not_rounded(part: str, chosen: int) -> None:
    x, fmt = torch.ones(1, 1), format_named("bfloat16")
    precisions = precisions_of(Router(), x)
    candidate = cast(precisions.module, fmt, method=CastMethod.TO, device=CPU)
    kept = precisions.kept(candidate, fmt, CastMethod.TO, [Kept.parse(part)])
    assert output_of(kept, (x,), {}).tolist() == [chosen]


class Doubled(nn.Module):
    """A layer, and an operator after it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.layer.weight.fill_(1.0)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x) * 1.001 - 1
        return y


@pytest.mark.parametrize(("part", "expected"), [("layer", 0.0), ("block:code", 0.001)])
def test_a_modules_own_operators_can_be_kept_without_the_modules_inside(part: str, expected: float) -> None:
    model = nn.Sequential()
    model.add_module("block", Doubled())
    x, fmt = torch.ones(1, 1), format_named("bfloat16")
    precisions = precisions_of(model, x)
    candidate = cast(model, fmt, method=CastMethod.TO, device=CPU)
    kept = precisions.kept(candidate, fmt, CastMethod.TO, [Kept.parse(part.replace("layer", "block.layer"))])
    assert dict(kept.stored.named_parameters())["block.layer.weight"].dtype == (
        torch.float32 if part == "layer" else torch.bfloat16
    )
    assert output_of(kept, (x,), {}).item() == pytest.approx(expected, rel=0.01)
