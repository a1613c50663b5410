"""Every verdict flips when the fact that it rests on is changed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.claims.catalogue import CLAIMS
from precision.claims.claim import Claim
from precision.measure.claims.experiments import accuracy, modules, placing, speed
from precision.measure.claims.experiments.speed import MatrixTimes
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
    patch.setattr(placing, "list_devices", lambda: (DeviceInfo(id="meta", name="", memory_bytes=None),))


def made_on_meta(patch: Patch) -> None:
    patch.setattr(nn, "Linear", lambda i, o: _LINEAR(i, o, device="meta"))
    patch.setattr(torch, "zeros", lambda *shape: torch.empty(*shape, device="meta"))


def made_in_float64(patch: Patch) -> None:
    patch.setattr(nn, "Linear", lambda i, o: _LINEAR(i, o, dtype=torch.float64))


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


class NoKernel(Tensor):
    """No operator takes it."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError("not implemented for 'Half'")


def without_kernels(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(NoKernel)


def nothing(_module: nn.Module) -> None:
    """A half() that does nothing."""


FLIPS: Mapping[str, Flip] = {
    "loaded-in-float32": Flip(before="true", after="false", change=made_in_float64),
    "checkpoint-in-float32": Flip(before="depends", after="false", change=loaded_as_stored),
    "named-parameters": Flip(before="true", after="depends", changed=normed),
    "half-casts-parameters": Flip(before="true", after="false", change=half_is(nothing)),
    "cpu-throws": Flip(before="false", after="true", changed=Distances),
    "cpu-kernels": Flip(
        before="false", after="true", change=lambda patch: patch.setattr(Tensor, "half", without_kernels)
    ),
    "gpu-unasked": Flip(before="false", after="true", given=accelerator_called_meta, change=made_on_meta),
    "article-numbers": Flip(before="true", after="false", change=another_seed),
    "small-error": Flip(before="true", after="false", change=half_is(doubled)),
    "no-impact": Flip(before="depends", after="true", change=half_is(nothing)),
    "most-models": Flip(before="depends", after="false", change=half_is(turned)),
    "half-from-transformers": Flip(before="false", after="true", change=lambda patch: patch.delattr(nn.Module, "half")),
    "half-only-transformers": Flip(before="false", after="true", change=half_is(nothing)),
    "to-any-module": Flip(
        before="true", after="false", change=lambda patch: patch.setattr(nn.Module, "to", lambda module, *_: module)
    ),
    "half-tensorflow": Flip(before="false", after="true", change=tensorflow_model),
    "in-place": Flip(before="true", after="depends", change=half_is(lambda module: _HALF(copy.deepcopy(module)))),
    "same-goal": Flip(before="true", after="false", change=half_is(lambda module: module.bfloat16())),
    "quantization": Flip(before="false", after="depends", change=half_is(to_integers)),
    "weights-only": Flip(before="false", after="true", change=half_is(parameters_only), module=normed),
    "to-converts-all": Flip(before="true", after="false", changed=normed),
    "to-casts-more": Flip(before="false", after="true", change=half_is(parameters_only), module=normed),
    "internal-state": Flip(before="false", after="true", change=half_is(with_inputs_cast)),
    "precision-kept": Flip(before="false", after="true", changed=of_ones),
    "interchangeable": Flip(before="false", after="true", change=half_is(parameters_only), module=normed),
    "activations-cast": Flip(before="true", after="depends", changed=lambda: nn.Sequential(_LINEAR(3, 3), Widening())),
    "activations-need-to": Flip(before="false", after="true", change=half_is(with_outputs_widened)),
    "inputs-cast": Flip(before="false", after="true", change=half_is(with_inputs_cast)),
    "outputs-cast": Flip(before="false", after="true", change=half_is(with_outputs_widened)),
    "manual-casting": Flip(before="false", after="true", change=half_is(with_inputs_cast)),
    "half-optimized": Flip(before="false", after="depends", change=half_is(with_outputs_widened)),
    "half-islands": Flip(before="false", after="true", change=half_is(all_but_wo), module=WithIsland),
    "memory-halved": Flip(before="true", after="false", change=half_is(nothing)),
    "half-lighter": Flip(before="false", after="true", change=half_is(lambda module: module.to(torch.float8_e4m3fn))),
    "twice-as-fast": Flip(before="true", after="false", given=times(1.0, 0.6), change=times(1.0, 1.5)),
    "half-faster": Flip(before="false", after="true", given=times(1.0, 1.0, 1.0), change=times(1.0, 1.0, 1.5)),
    "tensor-cores": Flip(before="true", after="false", given=on_a_gpu(1.0, 0.1), change=on_a_gpu(1.0, 0.5)),
    "modules-without-half": Flip(before="true", after="false", change=linear_alone),
    "pitfalls-differ": Flip(before="true", after="false", change=linear_alone),
}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_verdict_flips_with_the_fact_it_rests_on(claim: Claim, monkeypatch: Patch) -> None:
    flip = FLIPS[claim.id]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, changed = flip.module(), (flip.changed or flip.module)()
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    flip.given(monkeypatch)
    before = found(claim.id, module, x)
    assert (before.verdict, before.sentence) == (flip.before, before.sentence)
    flip.change(monkeypatch)
    after = found(claim.id, changed, x)
    assert (after.verdict, after.sentence) == (flip.after, after.sentence)
    assert after.evidence != before.evidence


def test_no_flip_is_of_a_claim_that_is_gone() -> None:
    assert set(FLIPS) == {claim.id for claim in CLAIMS}
    assert len(CLAIMS) >= 20
