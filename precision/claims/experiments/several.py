"""What float16 decides in models of several kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from precision.casting import methods as casting
from precision.casting.forward import seeded
from precision.claims.experiments.running import FLOAT16, FLOAT32
from precision.claims.finding import Finding, count, true_if
from precision.errors import ForwardError
from precision.metrics.outputs import flatten
from precision.models.loading import load
from precision.spec import CastMethod, RunSpec
from precision.units import count_text

MODELS = ("linear-5-10", "digits", "bert-tiny", "gpt2-tiny", "t5-tiny", "vit-tiny", "resnet-tiny")
"""Built-in models whose first output is class scores, small enough to be run in passing."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One model's samples, and those whose first class is another after `half()`; all of them where it does not run."""

    title: str
    trained: bool
    samples: int
    changed: int


def decided(device: torch.device, on_model: Callable[[float], None]) -> tuple[Decided, ...]:
    """Run every one of `MODELS` on its own input, in float32 and after `half()`."""
    seen = []
    for at, name in enumerate(MODELS):
        on_model(at / len(MODELS))
        loaded = load(RunSpec(model=name))
        models = (
            casting.reference(loaded.module, FLOAT32, device=device),
            casting.cast(loaded.module, FLOAT16, method=CastMethod.HALF, device=device),
        )
        classes = []
        for model in models:
            try:
                with seeded(device):
                    classes.append(flatten(model(loaded.args, loaded.kwargs)).leaves[0].tensor.argmax(-1))
            except ForwardError:
                classes.append(torch.full_like(classes[0], -1))
        changed = int((classes[0] != classes[1]).sum())
        seen.append(
            Decided(
                title=loaded.description.title,
                trained=loaded.description.weights != "random",
                samples=classes[0].numel(),
                changed=changed,
            )
        )
    return tuple(seen)


def most_models(seen: Sequence[Decided]) -> Finding:
    """Whether in more than half of the models no sample is decided otherwise."""
    kept = sum(not model.changed for model in seen)
    evidence = tuple(count(f"{model.title}: other first class", model.changed, of=model.samples) for model in seen)
    trained = sum(model.trained for model in seen)
    models = f"{count_text(len(seen), 'small model')} no sample tried gets another first class"
    sentence = f"In {kept:,} of {models}. {len(seen) - trained:,} of them have random weights: these only indicate it."
    return Finding(true_if(2 * kept > len(seen)), sentence, evidence)
