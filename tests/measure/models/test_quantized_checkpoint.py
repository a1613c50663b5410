"""Quantized checkpoints, loaded whole; the numbers of each layout are tested in `quantized/`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

from precision.errors import InputError, UnsupportedError
from precision.measure.models.loading import load, skeleton
from precision.spec import RunSpec

HIDDEN, INNER, WORDS = 16, 32, 50


def _int8(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    scale = (weight.abs().amax(1, keepdim=True) / 127).bfloat16()
    values = (weight / scale.float()).round().clamp(-128, 127).to(torch.int8)
    return {"weight": values, "weight_scale": scale}, values.float() * scale.float()


def _llm_int8(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    largest = weight.abs().amax(1)
    values = (weight / largest.unsqueeze(1) * 127).round().to(torch.int8)
    return {"weight": values, "SCB": largest}, values.float() * largest.unsqueeze(1) * (1 / 127)


def _float8(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    values = weight.to(torch.float8_e4m3fn)
    scale = torch.full((-(-weight.shape[0] // 8), weight.shape[1] // 8), 0.5)
    return {"weight": values, "weight_scale_inv": scale}, values.float() * 0.5


COMPRESSED = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "int"}, "input_activations": {"num_bits": 8}}},
}
LAYOUTS: dict[str, tuple[dict[str, Any], Callable[[Tensor], tuple[dict[str, Tensor], Tensor]], str]] = {
    "compressed-tensors": (COMPRESSED, _int8, "int8"),
    "bitsandbytes": ({"quant_method": "bitsandbytes", "load_in_8bit": True}, _llm_int8, "int8"),
    "fp8": ({"quant_method": "fp8", "weight_block_size": [8, 8]}, _float8, "float8_e4m3fn"),
}


def llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=32,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def experts() -> Qwen3MoeForCausalLM:
    """A model that keeps its experts' weights in one tensor, and stores each on its own."""
    torch.manual_seed(0)
    config = Qwen3MoeConfig(
        vocab_size=WORDS, hidden_size=HIDDEN, intermediate_size=INNER, moe_intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, num_experts=4, num_experts_per_tok=2,
    )  # fmt: skip
    return Qwen3MoeForCausalLM(config)


def quantize(folder: Path, layout: str, model: Any = None) -> dict[str, Tensor]:
    """A small Llama, or another model, its linear layers quantized on disk; what their weights are worth."""
    settings, quantized, _ = LAYOUTS[layout]
    (model or llama()).save_pretrained(folder)
    stored: dict[str, Tensor] = {}
    worth: dict[str, Tensor] = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        if name.endswith("proj.weight"):
            parts, worth[name] = quantized(weight)
            stored |= {f"{name.removesuffix('weight')}{part}": tensor for part, tensor in parts.items()}
        else:
            stored[name] = weight.bfloat16()
            worth[name] = stored[name].float()
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**text, "quantization_config": settings}))
    return worth


def spec(folder: Path) -> RunSpec:
    return RunSpec(model=f"hf:{folder}", input="random", batch=2, length=5)


@pytest.mark.parametrize("made", [llama, experts])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_computes_what_its_stored_weights_are_worth(tmp_path: Path, layout: str, made: Callable[[], Any]) -> None:
    worth = quantize(tmp_path / "quantized", layout, made())
    model = load(spec(tmp_path / "quantized"))
    assert not hasattr(model.module.config, "quantization_config")
    made().save_pretrained(tmp_path / "plain")
    save_file(worth, tmp_path / "plain" / "model.safetensors", metadata={"format": "pt"})
    oracle: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "plain", dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(model.module(**model.kwargs).logits, oracle(**model.kwargs).logits)
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_stored_is_said(tmp_path: Path, layout: str) -> None:
    quantize(tmp_path, layout)
    built = load(spec(tmp_path))
    stored = {each.name: each for each in built.stored}
    weight = stored["model.layers.0.self_attn.q_proj.weight"]
    assert (weight.format, weight.elements) == (LAYOUTS[layout][2], HIDDEN * HIDDEN)
    assert weight.bits == {"compressed-tensors": 9.0, "bitsandbytes": 10.0, "fp8": 8.5}[layout]
    assert stored["model.norm.weight"].format == "bfloat16"
    assert sum(each.stored_bytes for each in built.stored) == sum(
        tensor.nbytes for tensor in load_file(tmp_path / "model.safetensors").values()
    )
    assert any(f"tensors as {LAYOUTS[layout][2]}, in" in warning for warning in built.warnings)
    assert any("activations quantized too" in each for each in built.warnings) == (layout != "bitsandbytes")
    assert not any("random values" in warning for warning in built.warnings)


def test_without_its_weights_it_is_the_unquantized_model(tmp_path: Path) -> None:
    quantize(tmp_path, "compressed-tensors")
    (tmp_path / "model.safetensors").unlink()
    names = dict(skeleton(f"hf:{tmp_path}").named_parameters())
    assert names["model.layers.0.mlp.up_proj.weight"].shape == (INNER, HIDDEN)


def changed(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    stored = load_file(folder / "model.safetensors")
    change(stored)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


Q = "model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda stored: stored.pop(f"{Q}.weight"),
            "cannot be read as compressed-tensors: its part 'weight' is missing",
        ),
        (lambda stored: stored.pop(f"{Q}.weight_scale"), r"stores model.*q_proj\.weight as I8, where the model has"),
        (lambda stored: stored.update({f"{Q}.weight_scale": torch.ones(3, 1)}), "do not belong to a weight of shape"),
        (lambda stored: stored.update({"model.x.weight_packed": torch.ones(1)}), "of which a part is missing"),
        (
            lambda stored: stored.update(
                {f"{Q}.weight": torch.zeros(9, 16).to(torch.int8), f"{Q}.weight_scale": torch.ones(9, 1)}
            ),
            "its weights cannot be loaded",
        ),
    ],
)
def test_a_weight_that_cannot_be_read_is_named(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    quantize(tmp_path, "compressed-tensors")
    changed(tmp_path, change)
    with pytest.raises(InputError, match=message):
        load(spec(tmp_path))


def test_more_parameters_than_all_words_could_hold(tmp_path: Path) -> None:
    quantize(tmp_path, "compressed-tensors")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "vocab_size": 100_000}))
    with pytest.raises(InputError, match="They do not belong together"):
        load(spec(tmp_path))


def test_layers_that_quantizers_transpose(causal: Path) -> None:
    config = json.loads((causal / "config.json").read_text())
    (causal / "config.json").write_text(json.dumps({**config, "quantization_config": LAYOUTS["bitsandbytes"][0]}))
    with pytest.raises(UnsupportedError, match="a GPT2LMHeadModel has layers with transposed weights"):
        load(spec(causal))
