"""Parts that cannot be taken apart or watched: TorchScript and fused kernels."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import precision as px
from precision.errors import UnsupportedError
from precision.measure.casting.forward import error_text


def scripted() -> nn.Module:
    torch.manual_seed(4)
    script: nn.Module = torch.jit.script(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4)))
    return script


@pytest.mark.parametrize("model", [scripted(), nn.Sequential(scripted())], ids=["whole", "part"])
def test_torchscript_gives_clear_results_or_a_clear_refusal(model: nn.Module) -> None:
    x = torch.randn(5, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        px.memory(model, progress=False)
        try:
            result = px.sensitivity(model, x, progress=False).result
        except UnsupportedError as error:
            said = str(error)
        else:
            assert result.report is None, "without layers nothing is predicted"
            said = result.failure.message if result.failure else ""
    assert "TorchScript" in said
    with pytest.raises(UnsupportedError, match="TorchScript module"):
        px.training(model, x, progress=False)


@pytest.mark.parametrize("model", [scripted(), nn.Sequential(scripted())], ids=["whole", "part"])
def test_ranges_say_that_the_inside_of_torchscript_cannot_be_watched(model: nn.Module) -> None:
    said = " ".join(px.ranges(model, torch.randn(5, 8), progress=False).result.warnings)
    assert "2 modules with weights cannot be watched" in said
    assert "TorchScript" in said
    assert "never ran" not in said


class Encoder(nn.Module):
    """Its encoder runs as a fused kernel that autocast does not know, unless hooks switch it off."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)

    def forward(self, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.encoder(x, src_key_padding_mask=padding)
        return y


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_candidate_that_fails_without_observation_is_said_so() -> None:
    padding = torch.zeros(3, 10, dtype=torch.bool)
    padding[1, 6:] = True
    run = px.layers(Encoder(), (torch.randn(3, 10, 32), padding), dtype="bfloat16", method="autocast", progress=False)
    assert run.result.report is not None
    assert any("Without observation the candidate fails" in note for note in run.result.report.notes)


def test_the_last_line_of_a_long_message_stays() -> None:
    trace = "\n".join(["The following operation failed in the interpreter.", *["  at some layer"] * 60, "no such size"])
    assert error_text(RuntimeError(trace)).endswith("… no such size.")
    assert 'Torch says: "mat1 and mat2 must have the same dtype' in error_text(
        RuntimeError(f"{trace}\nmat1 and mat2 must have the same dtype, got Float and Half")
    )
