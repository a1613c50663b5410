"""Every verdict flips when the fact that it rests on is changed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from precision.claims.catalogue import CLAIMS
from precision.measure.claims.experiments import accuracy, origins, speed
from precision.measure.claims.experiments.speed import MatrixTimes
from precision.measure.claims.shown import loading, modules, operators
from precision.measure.models.loading import load
from precision.results import ClaimWord, DeviceInfo, Timing
from tests.measure.claims.subjects import Distances, Widening, WithIsland, found

Patch = pytest.MonkeyPatch
_LINEAR, _HALF = nn.Linear, nn.Module.half


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flip:
    """A fact and its opposite, and what the verdicts on them must be."""

    before: ClaimWord
    after: ClaimWord
    given: Callable[[Patch], object] = lambda _patch: None
    """Holds in both."""
    change: Callable[[Patch], object] = lambda _patch: None
    module: Callable[[], nn.Module] = lambda: nn.Sequential(_LINEAR(3, 3), nn.LayerNorm(3))
    changed: Callable[[], nn.Module] | None = None
    """The model afterwards, where the fact is the model's."""


def half_is(then: Callable[[nn.Module], object]) -> Callable[[Patch], None]:
    """Replace `nn.Module.half`; what it returns is the module where `then` returns None."""

    def replaced(module: nn.Module) -> object:
        result = then(module)
        return module if result is None else result

    return lambda patch: patch.setattr(nn.Module, "half", replaced)


def parameters_only(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.data = parameter.data.half()


def to_integers(module: nn.Module) -> None:
    for child in module.modules():
        for name, parameter in [*child.named_parameters(recurse=False)]:
            setattr(child, name, nn.Parameter(parameter.detach().char(), requires_grad=False))


def all_but_wo(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        parameter.data = parameter.data if name.startswith("wo.") else parameter.data.half()


def doubled(module: nn.Module) -> None:
    _HALF(module)
    for parameter in module.parameters():
        parameter.data = parameter.data * 2


def turned(module: nn.Module) -> None:
    """Every sum changes its sign, and so does what is largest."""
    _HALF(module)
    for child in module.modules():
        child.register_forward_hook(lambda _module, _inputs, output: -output if torch.is_tensor(output) else output)


def with_outputs_widened(module: nn.Module) -> None:
    _HALF(module)
    for child in module.modules():
        child.register_forward_hook(lambda _module, _inputs, output: output.float())
        child.register_forward_pre_hook(lambda _module, inputs: tuple(x.half() for x in inputs))


def with_inputs_cast(module: nn.Module) -> None:
    _HALF(module)
    module.register_forward_pre_hook(lambda _module, inputs: tuple(x.half() for x in inputs))


def timing(seconds: float) -> Timing:
    return Timing(median_s=seconds, iqr_s=seconds / 100, blocks=9, runs=9, threads=1, warnings=())


def times(*seconds: float) -> Callable[[Patch], None]:
    """Have every clock show these times, in order."""

    def patched(patch: Patch) -> None:
        for place in ("precision.measure.claims.experiments.speed", "precision.measure.compare.compare"):
            patch.setattr(f"{place}.time_side_by_side", lambda *_args, **_kwargs: tuple(map(timing, seconds)))

    return patched


def on_a_gpu(float32_s: float, float16_s: float) -> Callable[[Patch], None]:
    seen = MatrixTimes(float32=timing(float32_s), float16=timing(float16_s), capability=(9, 0))
    return lambda patch: patch.setattr(speed, "matrix_times", lambda *_: seen)


def accelerator_called_meta(patch: Patch) -> None:
    patch.setattr(origins, "list_devices", lambda: (DeviceInfo(id="meta", name="", memory_bytes=None),))


def made_on_meta(patch: Patch) -> None:
    patch.setattr(nn, "Linear", lambda i, o: _LINEAR(i, o, device="meta"))
    patch.setattr(torch, "zeros", lambda *shape: torch.empty(*shape, device="meta"))


def made_in_float64(patch: Patch) -> None:
    patch.setattr(loading, "nn", SimpleNamespace(Linear=lambda i, o: _LINEAR(i, o, dtype=torch.float64)))


def loaded_as_stored(patch: Patch) -> None:
    usual: Any = nn.Module.load_state_dict
    patch.setattr(nn.Module, "load_state_dict", lambda module, state: usual(module, state, assign=True))


def another_seed(patch: Patch) -> None:
    patch.setattr(accuracy, "load", lambda spec: load(spec.model_copy(update={"seed": 1})))


def tensorflow_model(patch: Patch) -> None:
    # By name: transformers replaces its own module in sys.modules while it is used.
    patch.setattr("transformers.TFSmallModel", type("TFSmallModel", (), {"half": None}), raising=False)


def linear_alone(patch: Patch) -> None:
    patch.setattr(modules, "MODULES", {"Linear": modules.MODULES["Linear"]})


def normed() -> nn.Module:
    return nn.Sequential(_LINEAR(3, 3), nn.BatchNorm1d(3))


def of_ones() -> nn.Module:
    layer = _LINEAR(3, 3)
    for parameter in layer.parameters():
        nn.init.ones_(parameter)
    return layer


def of_zeros() -> nn.Module:
    layer = _LINEAR(3, 3)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def nothing(_module: nn.Module) -> None:
    """A half() that does nothing."""


FLIPS: Mapping[str, Flip] = {
    "loaded-in-float32": Flip(before="depends", after="false", change=made_in_float64),
    "named-parameters": Flip(before="true", after="depends", changed=normed),
    "half-casts-parameters": Flip(before="true", after="false", change=half_is(nothing)),
    "cpu-throws": Flip(before="false", after="true", changed=Distances),
    "gpu-unasked": Flip(before="false", after="true", given=accelerator_called_meta, change=made_on_meta),
    "article-numbers": Flip(before="true", after="false", change=another_seed),
    "small-error": Flip(before="true", after="false", given=times(1.0, 1.0), change=half_is(doubled)),
    "no-impact": Flip(before="depends", after="true", given=times(1.0, 1.0), changed=of_zeros),
    "most-models": Flip(before="depends", after="false", change=half_is(turned)),
    "half-from-transformers": Flip(before="false", after="depends", change=tensorflow_model),
    "half-only-transformers": Flip(before="false", after="true", change=half_is(nothing)),
    "quantization": Flip(before="false", after="depends", change=half_is(to_integers)),
    "to-casts-more": Flip(before="false", after="true", change=half_is(parameters_only), module=normed),
    "internal-state": Flip(before="false", after="true", change=half_is(with_inputs_cast)),
    "interchangeable": Flip(before="false", after="true", change=half_is(with_outputs_widened)),
    "activations-cast": Flip(before="true", after="depends", changed=lambda: nn.Sequential(_LINEAR(3, 3), Widening())),
    "inputs-cast": Flip(before="false", after="true", change=half_is(with_inputs_cast)),
    "outputs-cast": Flip(before="false", after="true", change=half_is(with_outputs_widened), changed=of_ones),
    "half-optimized": Flip(before="false", after="true", change=half_is(all_but_wo), module=WithIsland),
    "memory-halved": Flip(before="true", after="false", change=half_is(nothing)),
    "twice-as-fast": Flip(before="true", after="false", given=times(1.0, 0.6), change=times(1.0, 1.5)),
    "half-faster": Flip(before="false", after="depends", given=times(1.0, 1.0, 1.0), change=times(1.0, 1.0, 1.5)),
    "tensor-cores": Flip(before="true", after="false", given=on_a_gpu(1.0, 0.1), change=on_a_gpu(1.0, 0.5)),
    "modules-without-half": Flip(before="true", after="false", change=linear_alone),
}
"""One fact of each claim that decides it."""
PARTS: Mapping[str, tuple[str, Flip]] = {
    "a checkpoint keeps its dtype": (
        "loaded-in-float32",
        Flip(before="depends", after="depends", change=loaded_as_stored),
    ),
    "a call returns a copy": (
        "half-casts-parameters",
        Flip(before="true", after="false", change=half_is(lambda module: _HALF(copy.deepcopy(module)))),
    ),
    "other values": (
        "half-casts-parameters",
        Flip(before="true", after="false", change=half_is(lambda module: module.bfloat16())),
    ),
    "no operator has a kernel": (
        "cpu-throws",
        Flip(
            before="false",
            after="true",
            change=lambda patch: patch.setattr(operators, "OPERATORS", {"cdist": operators.OPERATORS["cdist"]}),
        ),
    ),
    "PyTorch has no half()": (
        "half-from-transformers",
        Flip(before="false", after="depends", change=lambda patch: patch.delattr(nn.Module, "half")),
    ),
    "to() casts nothing": (
        "half-only-transformers",
        Flip(
            before="false",
            after="false",
            change=lambda patch: patch.setattr(nn.Module, "to", lambda module, *_: module),
        ),
    ),
    "not all is float16 after to()": ("to-casts-more", Flip(before="false", after="false", changed=normed)),
    "parameters that float16 holds": ("outputs-cast", Flip(before="false", after="depends", changed=of_ones)),
    "outputs differ, in the same dtypes": (
        "interchangeable",
        Flip(before="false", after="depends", change=half_is(doubled)),
    ),
    "other operators run": (
        "half-optimized",
        Flip(before="false", after="depends", change=half_is(with_outputs_widened)),
    ),
    "half() is lighter": (
        "half-faster",
        Flip(
            before="false",
            after="depends",
            given=times(1.0, 1.0, 1.0),
            change=half_is(lambda module: module.to(torch.float8_e4m3fn)),
        ),
    ),
}
"""Further facts, which change a verdict or are told in the sentence."""


@pytest.mark.parametrize("claim", FLIPS)
def test_a_verdict_flips_with_the_fact_it_rests_on(claim: str, monkeypatch: Patch) -> None:
    flip = FLIPS[claim]
    assert flip.before != flip.after
    _flipped(claim, flip, monkeypatch)


@pytest.mark.parametrize("part", PARTS)
def test_every_statement_of_a_claim_is_looked_at(part: str, monkeypatch: Patch) -> None:
    _flipped(*PARTS[part], monkeypatch)


def _flipped(claim: str, flip: Flip, patch: Patch) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, changed = flip.module(), (flip.changed or flip.module)()
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    flip.given(patch)
    before = found(claim, module, x)
    assert (before.verdict, before.sentence) == (flip.before, before.sentence)
    flip.change(patch)
    after = found(claim, changed, x)
    assert (after.verdict, after.sentence) == (flip.after, after.sentence)
    assert after.sentence != before.sentence
    assert after.evidence != before.evidence


def test_every_claim_has_a_flip() -> None:
    assert set(FLIPS) == {claim.id for claim in CLAIMS}
