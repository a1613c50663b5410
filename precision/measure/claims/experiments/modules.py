"""Which modules run in float16 on a device, or let themselves be cast to it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from precision.measure.claims.experiments.attempt import raised
from precision.measure.claims.experiments.finding import Finding, count, fact, listed, true_if
from precision.measure.claims.experiments.providers import quantized_bert
from precision.measure.claims.experiments.storage import CALLS, Call


class _Twice(nn.Module):
    """A module that takes two inputs, both of them the same."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.inner(x, x)
        return output


class _CTC(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        targets = torch.ones(2, 3, dtype=torch.int64, device=x.device)
        steps, labels = torch.tensor([5, 5]), torch.tensor([3, 3])
        return functional.ctc_loss(x.log_softmax(-1), targets, steps, labels)


class _Complex(nn.Module):
    """A linear layer with complex weights, which a real input meets as complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 4, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.view_as_real(x.to(torch.complex64) @ self.weight)


def _quantized() -> nn.Module:
    """A BERT whose linear layers Transformers loaded as torchao's int8."""
    try:
        made: nn.Module = quantized_bert()
    except ImportError as error:
        raise NotImplementedError("torchao is not installed") from error
    return made


QUANTIZED = "BERT quantized by Transformers"
_ROW, _IMAGE, _STEPS = (4, 8), (2, 4, 8, 8), (2, 5, 8)
MODULES: Mapping[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "Linear": (lambda: nn.Linear(8, 4), _ROW),
    "Bilinear": (lambda: _Twice(nn.Bilinear(8, 8, 4)), _ROW),
    "Conv1d": (lambda: nn.Conv1d(5, 4, 3), _STEPS),
    "Conv2d": (lambda: nn.Conv2d(4, 4, 3), _IMAGE),
    "Conv3d": (lambda: nn.Conv3d(2, 4, 3), (2, 4, 8, 8)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 4, 3), _IMAGE),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), _IMAGE),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True), _IMAGE),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), _IMAGE),
    "LayerNorm": (lambda: nn.LayerNorm(8), _ROW),
    "RMSNorm": (lambda: nn.RMSNorm(8), _ROW),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2), _IMAGE),
    "RNN": (lambda: nn.RNN(8, 4), _STEPS),
    "LSTM": (lambda: nn.LSTM(8, 4), _STEPS),
    "GRU": (lambda: nn.GRU(8, 4), _STEPS),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(8, 2, 16), _STEPS),
    "TransformerDecoderLayer": (lambda: _Twice(nn.TransformerDecoderLayer(8, 2, 16)), _STEPS),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), _IMAGE),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), _IMAGE),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(2), _IMAGE),
    "AdaptiveMaxPool3d": (lambda: nn.AdaptiveMaxPool3d(2), _IMAGE),
    "LPPool2d": (lambda: nn.LPPool2d(2, 2), _IMAGE),
    "FractionalMaxPool2d": (lambda: nn.FractionalMaxPool2d(2, output_size=3), _IMAGE),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), _IMAGE),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d(1), _IMAGE),
    "Unfold": (lambda: nn.Unfold(2), _IMAGE),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), _IMAGE),
    "PReLU": (nn.PReLU, _ROW),
    "GELU": (nn.GELU, _ROW),
    "Softmax": (lambda: nn.Softmax(-1), _ROW),
    "Dropout": (nn.Dropout, _ROW),
    "CosineSimilarity": (lambda: _Twice(nn.CosineSimilarity()), _ROW),
    "PairwiseDistance": (lambda: _Twice(nn.PairwiseDistance()), _ROW),
    "MSELoss": (lambda: _Twice(nn.MSELoss()), _ROW),
    "BCEWithLogitsLoss": (lambda: _Twice(nn.BCEWithLogitsLoss()), _ROW),
    "KLDivLoss": (lambda: _Twice(nn.KLDivLoss(reduction="batchmean")), _ROW),
    "CTCLoss": (_CTC, (5, 2, 8)),
    "complex Linear": (_Complex, _ROW),
    QUANTIZED: (_quantized, _STEPS),
}
"""How each is made, and the shape of its input."""
_TAKES = {QUANTIZED: "inputs_embeds"}
"""The name of the input, where it is not the first."""


@dataclass(frozen=True, kw_only=True)
class ModuleFacts:
    """Modules that run in float32, tried after either call."""

    tried: tuple[str, ...]
    half: Mapping[str, str]
    """What each of those raised that do not run after `half()`."""
    to: Mapping[str, str]


def module_facts(device: torch.device) -> ModuleFacts:
    """Run every module in float32, and those that do after either call, on float16 inputs."""
    failed: dict[str, dict[str, str]] = {name: {} for name in CALLS}
    works = [name for name in MODULES if _module_raised(name, lambda module: module, torch.float32, device) is None]
    for call_name, call in CALLS.items():
        for name in works:
            message = _module_raised(name, call, torch.float16, device)
            if message is not None:
                failed[call_name][name] = message
    return ModuleFacts(tried=tuple(works), half=failed["half"], to=failed["to"])


def _module_raised(name: str, call: Call, dtype: torch.dtype, device: torch.device) -> str | None:
    make, shape = MODULES[name]

    def run() -> object:
        module = make().to(device).eval()
        call(module)
        x = torch.rand(shape, dtype=torch.float32).to(device, dtype)
        with torch.no_grad():
            return module(**{_TAKES[name]: x}) if name in _TAKES else module(x)

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of casting complex weights: that is seen in what it breaks
        return raised(run)


def modules_without_half(seen: ModuleFacts) -> Finding:
    """Whether some module does not run after `half()`."""
    evidence = (
        count("Modules that run after half()", len(seen.tried) - len(seen.half), of=len(seen.tried)),
        fact("These run", ", ".join(name for name in seen.tried if name not in seen.half) or "none"),
        *(fact(name, message) for name, message in seen.half.items()),
    )
    sentence = f"These do not run: {listed(list(seen.half))}." if seen.half else f"All {len(seen.tried):,} tried run."
    return Finding(true_if(bool(seen.half)), sentence, evidence)


def pitfalls_differ(seen: ModuleFacts) -> Finding:
    """Whether other modules fail after `half()` than after `to()`."""
    only_half = [name for name in seen.half if name not in seen.to]
    only_to = [name for name in seen.to if name not in seen.half]
    evidence = (
        fact("Fail after both", listed([name for name in seen.half if name in seen.to])),
        fact("Fail after half() only", listed(only_half)),
        fact("Fail after to(torch.float16) only", listed(only_to)),
    )
    if not only_half and not only_to:
        return Finding("false", f"Both fail on the same modules: {listed(list(seen.half))}.", evidence)
    sentence = f"After half() alone: {listed(only_half)}. After to(torch.float16) alone: {listed(only_to)}."
    return Finding("true" if only_half and only_to else "depends", sentence, evidence)
