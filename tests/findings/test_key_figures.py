"""The numbers to read first."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import precision as px


class Detector(nn.Module):
    """Scores, boxes, and the places of the best scores."""

    def __init__(self) -> None:
        super().__init__()
        self.scores, self.boxes = nn.Linear(16, 1), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        scores = self.scores(x)[:, 0]
        return {"scores": scores, "boxes": self.boxes(x), "order": scores.argsort()}


def test_whole_numbers_that_differ_are_counted_and_pooled_figures_say_so() -> None:
    torch.manual_seed(0)
    model, x = Detector().eval(), torch.randn(300, 16)
    figures = px.compare(model, x, dtype="bfloat16", progress=False).figures()
    with torch.no_grad():
        order = model(x)["order"]
        differ = int((order != model.bfloat16()(x.bfloat16())["order"]).sum())
    assert differ > 0
    assert f"{differ} of 300 differ" in figures["Whole numbers"]
    assert "all 2 outputs together" in figures["SQNR"]


def test_a_single_output_says_nothing_of_others() -> None:
    figures = px.compare(nn.Linear(4, 4), torch.randn(8, 4), dtype="bfloat16", progress=False).figures()
    assert "together" not in figures["SQNR"]
    assert "Whole numbers" not in figures
