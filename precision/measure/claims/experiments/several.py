"""What float16 decides in models of several kinds."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from precision.errors import ForwardError
from precision.measure.casting import methods as casting
from precision.measure.casting.forward import seeded
from precision.measure.claims.facts.running import FLOAT16, FLOAT32
from precision.measure.claims.finding import Finding
from precision.measure.claims.subject import Subject
from precision.measure.metrics.outputs import flatten
from precision.measure.models.loading import load
from precision.results import Evidence
from precision.results.intervals import wilson
from precision.spec import CastMethod, RunSpec
from precision.text.units import count_text, share_text

MODELS = ("linear-5-10", "digits", "bert-tiny", "gpt2-tiny", "t5-tiny", "vit-tiny", "resnet-tiny")
"""Built-in models whose first output is class scores, small enough to be run in passing."""
_TELLS = 0.01
"""Share of changed samples that has to be ruled out."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """One model's samples, and how many change class after `half()`: all of them where it does not run."""

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
        classes = []
        for model in (
            casting.reference(loaded.module, FLOAT32, device=device),
            casting.cast(loaded.module, FLOAT16, method=CastMethod.HALF, device=device),
        ):
            try:
                with seeded(device):
                    classes.append(flatten(model(loaded.args, loaded.kwargs)).leaves[0].tensor.argmax(-1))
            except ForwardError:
                classes.append(torch.full_like(classes[0], -1))
        seen.append(
            Decided(
                title=loaded.description.title,
                trained=loaded.description.weights != "random",
                samples=classes[0].numel(),
                changed=int((classes[0] != classes[1]).sum()),
            )
        )
    return tuple(seen)


def most_models(on: Subject) -> Finding:
    """Whether in more than half of the models every sample keeps its class.

    It depends where too few of them are trained and have samples enough to tell a change of one in a hundred.
    """
    seen = decided(on.device, on.on_share)
    kept = [model for model in seen if not model.changed]
    tell = [model for model in kept if model.trained and _at_most(model) <= _TELLS]
    evidence = tuple(_evidence(model) for model in seen)
    sentence = f"In {len(kept):,} of {count_text(len(seen), 'small model')} every sample tried keeps its class"
    if 2 * len(kept) <= len(seen):
        return Finding("false", f"{sentence}.", evidence)
    if 2 * len(tell) > len(seen):
        return Finding("true", f"{sentence}.", evidence)
    few = f"{len(tell):,} of them {'is' if len(tell) == 1 else 'are'} trained and {'has' if len(tell) == 1 else 'have'}"
    return Finding("depends", f"{sentence}, but only {few} enough samples to tell.", evidence)


def _evidence(model: Decided) -> Evidence:
    text = f"{model.changed:,} of {model.samples:,}, at most {share_text(_at_most(model))} (95 % confidence)"
    return Evidence(label=f"{model.title}: samples that change class", text=text, number=model.changed)


def _at_most(model: Decided) -> float:
    """The largest share of samples that may change class, given what was seen."""
    interval = wilson(model.changed, model.samples)
    return interval.high if interval else 1.0
