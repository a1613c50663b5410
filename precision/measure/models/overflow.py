"""A little network that leaves float16's range in one of two places, as T5's gated feed-forwards do."""

import torch
from torch import Tensor, nn

from precision.measure.models.built import Built
from precision.models.request import InputRequest

WIDTH = 8
HIDDEN = 16
CLASSES = 4
_BLOCKS = 2
_AMPLIFIER = 200.0
"""Weight of the planted path: feature 0 becomes 200 x in both projections, 40,000 x² in their product."""
_PLANTED = {"product": 2.0, "residual": 1.0, "random": 0.0}
"""Feature 0 by input: 160,000 in the first product; 40,000 twice in the residual stream; nothing."""


class GatedFeedForward(nn.Module):
    """wo(relu(wi_0 x) * wi_1 x), with one path that squares feature 0 and hands it to feature 1."""

    def __init__(self) -> None:
        super().__init__()
        self.wi_0 = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.wi_1 = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.wo = nn.Linear(HIDDEN, WIDTH, bias=False)
        with torch.no_grad():
            self._plant()

    def _plant(self) -> None:
        for projection in (self.wi_0, self.wi_1):
            projection.weight[0] = 0
            projection.weight[0, 0] = _AMPLIFIER
            projection.weight[:, 1] = 0  # or all others would be as large as what the path gives
        self.wo.weight[0] = 0  # feature 0 stays what the input has there
        self.wo.weight[:, 0] = 0
        self.wo.weight[1, 0] = 1

    def forward(self, x: Tensor) -> Tensor:
        """Features `(B, 8)` of features `(B, 8)`."""
        y: Tensor = self.wo(self.wi_0(x).relu() * self.wi_1(x))
        return y


class ResidualBlock(nn.Module):
    """x + feed_forward(x)."""

    def __init__(self) -> None:
        super().__init__()
        self.feed_forward = GatedFeedForward()

    def forward(self, x: Tensor) -> Tensor:
        """Features `(B, 8)` of features `(B, 8)`."""
        y: Tensor = x + self.feed_forward(x)
        return y


class OverflowNet(nn.Module):
    """Two residual blocks and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResidualBlock() for _ in range(_BLOCKS)))
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(B, 4)` of features `(B, 8)`."""
        logits: Tensor = self.head(self.blocks(x))
        return logits


def build(request: InputRequest) -> Built:
    """The network with standard normal features, the first of which decides what overflows."""
    generator = torch.Generator().manual_seed(request.seed)
    x = torch.randn(request.batch or 1, WIDTH, generator=generator)
    x[:, 0] = _PLANTED[request.choice.name]
    return Built(OverflowNet(), (x,))
