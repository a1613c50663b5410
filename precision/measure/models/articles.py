"""The two little models of the articles that the dashboard grew from."""

import torch
from torch import Tensor, nn

from precision.measure.models.built import Built
from precision.models.request import InputRequest


class TinyNet(nn.Module):
    """An embedding of two tokens, two blocks of linear layer and layer norm, and a head; all of width 2."""

    def __init__(self) -> None:
        # The order of construction is the order in which random weights are drawn: it decides their values.
        super().__init__()
        self.token_embedding = nn.Embedding(2, 2)
        self.linear_1 = nn.Linear(2, 2)
        self.layernorm_1 = nn.LayerNorm(2)
        self.linear_2 = nn.Linear(2, 2)
        self.layernorm_2 = nn.LayerNorm(2)
        self.head = nn.Linear(2, 2)

    def forward(self, token_ids: Tensor) -> Tensor:
        """Logits `(B, L, 2)` of token ids `(B, L)`."""
        hidden = self.layernorm_1(self.linear_1(self.token_embedding(token_ids)))
        hidden = self.layernorm_2(self.linear_2(hidden))
        logits: Tensor = self.head(hidden)
        return logits


class CustomLinear(nn.Module):
    """One linear layer from 5 features to 10."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Features `(B, 10)` of features `(B, 5)`."""
        features: Tensor = self.fc(x)
        return features


def build_tinynet(request: InputRequest) -> Built:
    """TinyNet with token ids: both tokens at both positions, or random ones."""
    model = TinyNet()
    if request.choice.name == "random":
        size = (request.batch or 1, request.length or 1)
        generator = torch.Generator().manual_seed(request.seed)
        token_ids = torch.randint(0, model.token_embedding.num_embeddings, size, generator=generator)
    else:
        token_ids = torch.tensor([[0, 1], [1, 0]])
    return Built(model, (token_ids,))


def build_linear(request: InputRequest) -> Built:
    """The custom module with standard normal features."""
    generator = torch.Generator().manual_seed(request.seed)
    return Built(CustomLinear(), (torch.randn(request.batch or 1, 5, generator=generator),))
