"""Every model of the tests by name, so that another process builds the same. None of it imports the product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tests.field.cases import choices, crossings, dtypes, guards, masks, outputs, silent
from tests.oracles.models import MODELS, PARTS, built
from tests.zoo.cases import ZOO

Case = tuple[nn.Module, tuple[Tensor, ...]]


def _on(build: Callable[[], nn.Module], *shape: int) -> Callable[[], Case]:
    return lambda: (build(), (torch.randn(*shape),))


FIELD: Mapping[str, Callable[[], Case]] = {
    "positions": choices.cumsum_positions,
    "router": choices.moe_router,
    "in-place ReLU": crossings.inplace_relu,
    "denoiser": crossings.denoiser,
    "meets float32": crossings.meets_float,
    "float32 in forward": dtypes.float_in_forward,
    "rotary angles": dtypes.rope_autocast,
    **{f"guard {name}": lambda name=name: guards.lost_guard(name) for name in guards.GUARDS},  # type: ignore[misc]
    "normalised zero rows": guards.normalized_zero_rows,
    "softmax by hand": guards.softmax_by_hand,
    "cast mask": lambda: masks.cast_mask(padded_left=True),
    "NaN in the reference": masks.nan_reference,
    "detector": _on(outputs.Detector, 20, 16),
    "voice": _on(outputs.Voice, 2, 20, 64),
    "sampler": _on(outputs.Sampler, 32, 64),
    "picker": _on(outputs.Picker, 40, 16),
    "small bias": _on(outputs.small_bias, 4, 3, 8, 8),
    "embedding with a factor": silent.embed_scale,
    "large features": silent.fp8_overflow,
}
"""Small models that show what people report, each with an input."""


def build(name: str) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """A model in eval mode and what it is called with, by `zoo:`, `field:`, `model:`, `part:` or `file:` and a name."""
    kind, _, which = name.partition(":")
    if kind == "field":
        torch.manual_seed(0)
        module, args = FIELD[which]()
        return module.eval(), args, {}
    if kind == "file":
        module, args, kwargs = torch.load(which, weights_only=False)
        return module, args, kwargs
    return built(ZOO[which] if kind == "zoo" else {"model": MODELS, "part": PARTS}[kind][which]())
