"""Cost and quality of sensitivities by adjoint probes, beside exact ones, on an encoder of BERT-base's size.

    python -m benchmarks.sensitivity [--layers 12] [--batch 8] [--tokens 128] [--every 1] [--depths 6,12,24]

Printed for each format: correlation of the logarithms of the probes' squared errors with those of runs in which that
layer alone is lowered, their median ratio, and the error of the whole cast, predicted over measured. Then the cost of
both in plain forward passes, by processor time, and that of the probes at other depths. With `--every 4` every fourth
layer is run alone, and the cost of all is counted from these. Weights are random.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, log
from statistics import correlation, median

import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from benchmarks.rounds import interleaved_s
from precision.formats import any_format_named, format_named
from precision.measure.casting import methods as casting
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import seeded
from precision.measure.casting.precisions import Precisions
from precision.measure.sensitivity.adjoint import adjoint_of
from precision.measure.sensitivity.exact import finite_elements, run_squared_error
from precision.measure.sensitivity.layers import floating_tensors, layer_modules
from precision.measure.sensitivity.local import LocalError, LocalErrors
from precision.measure.sensitivity.lowered import crossed_layers, lowered_layers

FORMATS = ("bfloat16", "float16", "float8_e4m3fn", "int8", "mxfp4")
SECONDS = 5.0
"""Of plain forward passes, before and after."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An encoder and its input."""

    model: BertModel
    reference: CastModel
    ids: Tensor

    def forward_s(self) -> float:
        """Median seconds of a plain forward pass."""
        return median(
            interleaved_s({"forward": self.reference.prepared((self.ids,))}, seconds=SECONDS, clock=time.process_time)[
                "forward"
            ]
        )

    def outputs(self) -> tuple[Tensor, ...]:
        """The reference's."""
        with seeded(self.reference.device):
            return floating_tensors(self.reference.prepared((self.ids,))())

    def cast(self, name: str) -> CastModel:
        """Every layer in a format."""
        return self.precisions.planned(dict.fromkeys(self.layers, any_format_named(name)))

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The fqns of its layers."""
        return tuple(layer_modules(self.reference.stored, self.precisions.reference_flow))

    @cached_property
    def precisions(self) -> Precisions:
        """The encoder in several formats."""
        return Precisions(self.model, self.reference, format_named("float32"), (self.ids,))


def subject(layers: int, batch: int, tokens: int) -> Subject:
    """A fresh encoder in float32, without the pooler."""
    torch.manual_seed(0)
    model = BertModel(BertConfig(num_hidden_layers=layers), add_pooling_layer=False)
    ids = torch.randint(0, 30_000, (batch, tokens))
    reference = casting.reference(model, format_named("float32"), device=torch.device("cpu"))
    return Subject(model=model, reference=reference, ids=ids)


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The probes' answers, and the seconds of the whole."""

    errors: Mapping[str, Mapping[str, LocalError]]
    casts: Mapping[str, CastModel]
    seconds: Mapping[str, float]


def probe(it: Subject) -> Probed:
    """Every layer in every format."""
    seconds: dict[str, float] = defaultdict(float)
    began = time.process_time()
    adjoint = adjoint_of(it.reference, (it.ids,), {}, layers=it.layers, on_pass=lambda _done: None)
    seconds["probes"] = time.process_time() - began
    errors, casts = {}, {}
    for name in FORMATS:
        began = time.process_time()
        casts[name] = it.cast(name)
        seconds["casting"] += time.process_time() - began
        began = time.process_time()
        errors[name] = LocalErrors(
            reference=it.reference,
            lowered=lowered_layers(it.precisions, it.layers, any_format_named(name)),
            crossed=crossed_layers(it.precisions, it.layers, any_format_named(name)),
            fmt=any_format_named(name),
            adjoint=adjoint,
            on_layer=lambda _fqn: None,
        ).run((it.ids,), {})
        seconds["local errors"] += time.process_time() - began
    print(f"{adjoint.backward_passes} backward passes, {adjoint.probes} probes")
    return Probed(errors=errors, casts=casts, seconds=seconds)


def print_quality(it: Subject, probed: Probed, every: int) -> float:
    """One line a format; returns the mean seconds of a run with one layer lowered."""
    expected = it.outputs()
    elements = finite_elements(expected)
    runs: list[float] = []
    for name in FORMATS:
        errors = probed.errors[name]
        pairs = []
        for fqn in list(errors)[::every]:
            began = time.process_time()
            alone = it.precisions.planned({fqn: any_format_named(name)})
            exact = run_squared_error(alone.prepared((it.ids,)), expected=expected, read=floating_tensors)
            runs.append(time.process_time() - began)
            estimate = errors[fqn].estimate()
            if exact and estimate and estimate.value:
                pairs.append((log(estimate.value / elements), log(exact)))
        handed = [error.estimate(handed=True) for error in errors.values()]
        together = sum(estimate.value for estimate in handed if estimate) if all(handed) else None
        measured = run_squared_error(probed.casts[name].prepared((it.ids,)), expected=expected, read=floating_tensors)
        ratio = (together / elements / measured) ** 0.5 if together and measured else float("nan")
        print(
            f"{name:14} {len(pairs):4} layers  log-correlation {_log_correlation(pairs):.4f}  "
            f"median ratio {exp(median(a - b for a, b in pairs)):5.3f}  whole cast, predicted / measured {ratio:5.3f}",
            flush=True,
        )
    return sum(runs) / len(runs)


def _log_correlation(pairs: list[tuple[float, float]]) -> float:
    return correlation(*zip(*pairs, strict=True)) if len(pairs) > 1 else float("nan")


def print_cost(probed: Probed, forward_s: float, what: str) -> float:
    """The probes' cost in forward passes, and its parts."""
    parts = ", ".join(f"{name} {taken / forward_s:.1f}" for name, taken in probed.seconds.items())
    total = sum(probed.seconds.values()) / forward_s
    print(f"{what}: {total:.1f} forward passes ({parts}); one takes {1000 * forward_s:.0f} ms", flush=True)
    return total


def main() -> None:
    """Quality and cost at one depth, then the cost at others."""
    parser = argparse.ArgumentParser(description="Sensitivity by probes beside exact sweeps.")
    for option, value in (("layers", 12), ("batch", 8), ("tokens", 128), ("every", 1)):
        parser.add_argument(f"--{option}", type=int, default=value)
    parser.add_argument("--depths", default="6,12,24")
    chosen = parser.parse_args()
    it = subject(chosen.layers, chosen.batch, chosen.tokens)
    count = len(it.layers)
    print(
        f"{chosen.layers} blocks, {count} layers, {chosen.batch} × {chosen.tokens} tokens, {len(FORMATS)} formats, "
        f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    forward_s = it.forward_s()
    probed = probe(it)
    total = print_cost(probed, median([forward_s, it.forward_s()]), "probes")
    run_s = print_quality(it, probed, chosen.every)
    forward_s = median([forward_s, it.forward_s()])
    exact = run_s * count * len(FORMATS) / forward_s
    print(f"exact sweep: {count * len(FORMATS)} runs, {exact:.0f} forward passes: {exact / total:.0f} × the probes")
    for depth in map(int, filter(None, chosen.depths.split(","))):
        other = subject(depth, chosen.batch, chosen.tokens)
        forward_s = other.forward_s()
        print_cost(probe(other), median([forward_s, other.forward_s()]), f"{depth} blocks")


if __name__ == "__main__":
    main()
