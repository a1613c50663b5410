"""Which modules run in float16 on a device, or let themselves be cast to it."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from precision.measure.claims.shown.attempt import raised
from precision.measure.claims.shown.calls import CALLS, Call
from precision.measure.claims.shown.small_bert import quantized_bert


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


QUANTIZED = "BERT quantized by Transformers"
_ROW, _IMAGE, _STEPS = (4, 8), (2, 4, 8, 8), (2, 5, 8)
MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
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
    QUANTIZED: (quantized_bert, _STEPS),
}
"""How each is made, and the shape of its input."""
_TAKES = {QUANTIZED: "inputs_embeds"}
"""The name of the input, where it is not the first."""


def failing_modules(device: torch.device) -> dict[str, dict[str, str | None]]:
    """What each module that runs in float32 raised after either call, given float16 inputs; None where it ran."""
    works = [name for name in MODULES if _raised(name, lambda module: module, torch.float32, device) is None]
    return {name: {said: _raised(name, call, torch.float16, device) for said, call in CALLS.items()} for name in works}


def _raised(name: str, call: Call, dtype: torch.dtype, device: torch.device) -> str | None:
    make, shape = MODULES[name]

    def run() -> object:
        module = make().to(device).eval()
        call(module)
        x = torch.rand(shape, dtype=torch.float32).to(device, dtype)
        with torch.no_grad():
            return module(**{_TAKES[name]: x}) if name in _TAKES else module(x)

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # casting complex weights warns: what that breaks is seen when it runs
        return raised(run)
