"""A small convolutional network, trained on handwritten digits, with the images it has not seen."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from precision import models
from precision.measure.models.built import Built
from precision.models.request import InputRequest

_STORED = Path(models.__file__).parent / "weights"
WEIGHTS = _STORED / "digits.safetensors"
TEST_SET = _STORED / "digits_test.safetensors"
IMAGE_SIDE = 8
BRIGHTEST = 16
"""Pixels are integers from 0 to this."""


class DigitsNet(nn.Module):
    """Three convolutions with batch norm, two linear layers: images of 8 × 8 pixels to ten logits."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(32 * 4 * 4, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, images: Tensor) -> Tensor:
        """Logits `(B, 10)` of images `(B, 1, 8, 8)` with values between 0 and 1."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def build(request: InputRequest) -> Built:
    """The trained network with held-out images and their labels, or with random pixels."""
    network = DigitsNet()
    network.load_state_dict(load_file(WEIGHTS))
    if request.choice.name == "random":
        generator = torch.Generator().manual_seed(request.seed)
        return Built(network, (torch.rand(request.batch or 1, 1, IMAGE_SIDE, IMAGE_SIDE, generator=generator),))
    images, labels = test_set()
    return Built(network, (images[: request.batch],), labels=labels[: request.batch])


def test_set() -> tuple[Tensor, Tensor]:
    """The held-out images `(N, 1, 8, 8)` float32 between 0 and 1, and their digits `(N,)` int64."""
    stored = load_file(TEST_SET)
    return as_input(stored["images"]), stored["labels"].long()


def as_input(pixels: Tensor) -> Tensor:
    """Images `(N, 1, 8, 8)` float32 of integer pixels `(N, 8, 8)`."""
    return pixels.to(torch.float32).div(BRIGHTEST).unsqueeze(1)
