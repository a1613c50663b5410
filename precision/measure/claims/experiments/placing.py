"""On which device a model is that nobody placed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from precision.measure.claims.experiments.finding import Finding, fact, listed, true_if
from precision.measure.machine.devices import list_devices


@dataclass(frozen=True, kw_only=True)
class PlacingFacts:
    """A float16 layer made without a word on the device."""

    accelerators: tuple[str, ...]
    weight: str
    """Device of its weight."""
    output: str
    """Device of its output, for an input made the same way."""


def placing_facts() -> PlacingFacts:
    """Make a layer and an input, run them, and see where they are."""
    layer = nn.Linear(2, 2).half()
    with torch.no_grad():
        output = layer(torch.zeros(1, 2).half())
    return PlacingFacts(
        accelerators=tuple(device.id for device in list_devices() if device.id != "cpu"),
        weight=str(layer.weight.device),
        output=str(output.device),
    )


def gpu_unasked(seen: PlacingFacts) -> Finding:
    """Whether the layer is on an accelerator."""
    evidence = (
        fact("Accelerators", listed(seen.accelerators)),
        fact("Weight", seen.weight),
        fact("Output", seen.output),
    )
    if not seen.accelerators:
        return Finding("not testable here", "This machine has no accelerator.", evidence)
    sentence = f"The layer is on {seen.weight} and its output on {seen.output}."
    return Finding(true_if(seen.output in seen.accelerators), sentence, evidence)
