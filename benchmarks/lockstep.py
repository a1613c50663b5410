"""What comparing layer by layer costs, on an encoder of BERT-base's size, batch 8 × 128 tokens.

    python -m benchmarks.lockstep [seconds for each format]

Printed for float16 and bfloat16: the time of a module-level lockstep run over that of the two plain forwards of the
same round (median of the rounds' ratios), and the same of torch.ao.ns on the same layers; then, each in a process of
its own, the peak of resident memory beyond the sum of both models' own peaks, beside the largest activation and beside
keeping all of them. Weights are random: time and memory are those of a trained model.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.ao.ns import _numeric_suite as numeric_suite
from torch.ao.ns.fx.utils import compute_cosine_similarity, compute_normalized_l2_error, compute_sqnr
from transformers import BertConfig, BertModel

from benchmarks.rounds import interleaved_s, median_ratio
from precision.formats import NumericFormat, format_named
from precision.measure.casting import methods as casting
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import is_leaf
from precision.measure.lockstep.director import Options
from precision.measure.lockstep.run import run_lockstep
from precision.spec import CastMethod
from precision.text.units import bytes_text

BATCH, TOKENS = 8, 128
FORMATS = ("float16", "bfloat16")
SECONDS = 60.0
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Freed tensors leave resident memory at once."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Both models and their input."""

    reference: CastModel
    candidate: CastModel
    ids: Tensor
    fmt: NumericFormat

    def plain(self, model: CastModel) -> object:
        """One forward as it is."""
        return model.prepared((self.ids,))()

    def lockstep(self) -> object:
        """Both, compared at every module."""
        return run_lockstep(self.reference, self.candidate, (self.ids,), options=Options(fmt=self.fmt))

    def keep_all(self) -> object:
        """Every module's output of both models, kept."""
        kept: list[object] = []
        for model in (self.reference, self.candidate):
            run = model.prepared((self.ids,))
            for module in run.module.modules():
                module.register_forward_hook(lambda _module, _args, output: kept.append(output))
            kept.append(run())
        return kept

    def numeric_suite(self) -> list[Tensor]:
        """torch.ao.ns on linear layers, norms and activations: outputs kept, then three metrics of each."""
        models = [model.prepared((self.ids,)).module for model in (self.reference, self.candidate)]
        kinds = {type(module) for module in models[0].modules() if is_leaf(module)}
        with torch.no_grad():
            found = numeric_suite.compare_model_outputs(*models, self.ids, allow_list=kinds)
        metrics = (compute_sqnr, compute_normalized_l2_error, compute_cosine_similarity)
        return [
            metric(r.float(), y.float())
            for pair in found.values()
            for r, y in zip(pair["float"], pair["quantized"], strict=True)
            for metric in metrics
        ]


def subject(name: str) -> Subject:
    """A fresh encoder in float32, and its cast to the format of that name."""
    torch.manual_seed(0)
    model = BertModel(BertConfig())
    fmt, cpu = format_named(name), torch.device("cpu")
    return Subject(
        reference=casting.reference(model, format_named("float32"), device=cpu),
        candidate=casting.cast(model, fmt, method=CastMethod.TO, device=cpu),
        ids=torch.randint(0, 30_000, (BATCH, TOKENS)),
        fmt=fmt,
    )


def print_times(name: str, seconds: float) -> None:
    """Part (a), and the other tool: each in rounds of its own, because what one keeps in memory slows the other."""
    it = subject(name)
    report = run_lockstep(it.reference, it.candidate, (it.ids,), options=Options(fmt=it.fmt))
    print(f"\n{name}: {report.compared_elements:,} elements of {report.calls} calls compared", end=", ")
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    extra_s = _print_ratio(it, name, "lockstep", it.lockstep, seconds=seconds / 2)
    print(f"{'comparing':16} {1e9 * extra_s / report.compared_elements:7.2f} ns per element")
    try:
        it.numeric_suite()
    except Exception as error:  # noqa: BLE001 - whatever another tool raises is its answer
        print(f"torch.ao.ns does not run here: {type(error).__name__}: {str(error).splitlines()[0]}")
        return
    _print_ratio(it, name, "torch.ao.ns", it.numeric_suite, seconds=seconds / 2)


def _print_ratio(it: Subject, name: str, what: str, run: Callable[[], object], *, seconds: float) -> float:
    """Times of both models alone and of `run`, in turns; returns what it takes beyond both, in seconds."""
    alone: dict[str, Callable[[], object]] = {
        "float32 alone": lambda: it.plain(it.reference),
        f"{name} alone": lambda: it.plain(it.candidate),
    }
    times = interleaved_s({**alone, what: run}, seconds=seconds)
    plain = [a + b for a, b in zip(times["float32 alone"], times[f"{name} alone"], strict=True)]
    for each, taken in times.items():
        print(f"{each:16} {median(taken):7.2f} s   {median_ratio(taken, plain):5.2f} × both alone, {len(plain)} rounds")
    return median(a - b for a, b in zip(times[what], plain, strict=True))


def print_memory(name: str) -> None:
    """Part (b); in a process of its own."""
    it = subject(name)
    runs: dict[str, Callable[[], object]] = {
        "float32 alone": lambda: it.plain(it.reference),
        f"{name} alone": lambda: it.plain(it.candidate),
        "lockstep": it.lockstep,
        "keeping all": it.keep_all,
    }
    for run in runs.values():
        run()
    peaks = {what: _peak_bytes(run) for what, run in runs.items()}
    alone = peaks["float32 alone"] + peaks[f"{name} alone"]
    sizes = _activation_bytes(it)
    print(f"\n{name}: peak of resident memory during a run")
    for what, peak in peaks.items():
        beyond = f"   {'+' if peak >= alone else '-'}{bytes_text(abs(peak - alone))} beyond both alone"
        print(f"{what:16} {bytes_text(peak):>9}{beyond if what in ('lockstep', 'keeping all') else ''}")
    print(f"largest activation {bytes_text(max(sizes))}, all of float32's {bytes_text(sum(sizes))}")


def _peak_bytes(run: Callable[[], object]) -> int:
    """How far resident memory rises while `run` runs. Linux only."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status_bytes("VmRSS")
    run()
    return _status_bytes("VmHWM") - before


def _status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _activation_bytes(it: Subject) -> list[int]:
    """Of every tensor that a module of the reference returns, once each."""
    sizes: dict[int, tuple[Tensor, int]] = {}

    def note(_module: nn.Module, _args: object, output: object) -> None:
        for tensor in torch.utils._pytree.tree_leaves(output):
            if isinstance(tensor, Tensor):
                sizes[id(tensor)] = tensor, tensor.nbytes

    run = it.reference.prepared((it.ids,))
    for module in run.module.modules():
        module.register_forward_hook(note)
    run()
    return [size for _, size in sizes.values()]


def main() -> None:
    """Print both parts for each format."""
    if sys.argv[1:2] == ["--memory"]:
        print_memory(sys.argv[2])
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    for name in FORMATS:
        print_times(name, seconds)
    for name in FORMATS:
        command = [sys.executable, "-m", "benchmarks.lockstep", "--memory", name]
        subprocess.run(command, env={**os.environ, **_MALLOC}, check=True)  # noqa: S603 - this module itself


if __name__ == "__main__":
    main()
