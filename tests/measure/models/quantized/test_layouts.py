"""Each layout against the package that defines it, on stored examples of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from precision.measure.models.quantized import bitsandbytes, compressed_tensors, fp8_blocks, gptq
from precision.measure.models.quantized.declared import Declared, declared

MADE = Path(__file__).parent / "made_by_others"
EXPECTED = "expected"


def made(name: str) -> tuple[dict[str, Tensor], Tensor]:
    parts = load_file(MADE / f"{name}.safetensors")
    return parts, parts.pop(EXPECTED)


def by_compressed_tensors(**weights: object) -> Declared:
    return declared(
        "config.json",
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        },
    )


@pytest.mark.parametrize(
    ("name", "weights", "stored_as"),
    [
        ("int4-group", {"num_bits": 4}, "int4"),
        ("int4-group-zeros", {"num_bits": 4}, "int4"),
        ("int4-channel-odd", {"num_bits": 4}, "int4"),
        ("int2-group", {"num_bits": 2}, "int2"),
        ("int8-channel-packed", {"num_bits": 8}, "int8"),
        ("int8-channel", {"num_bits": 8}, "int8"),
        ("int8-zeros", {"num_bits": 8}, "int8"),
        ("float8-tensor", {"num_bits": 8, "type": "float"}, "float8_e4m3fn"),
        ("float8-channel", {"num_bits": 8, "type": "float"}, "float8_e4m3fn"),
        ("nvfp4", {"num_bits": 4, "type": "float", "group_size": 16}, "nvfp4"),
        ("mxfp4", {"num_bits": 4, "type": "float", "group_size": 32}, "mxfp4_e2m1"),
        ("mxfp8", {"num_bits": 8, "type": "float", "group_size": 32}, "mxfp8_e4m3"),
        ("float8-block", {"num_bits": 8, "type": "float", "block_structure": [4, 8]}, "float8_e4m3fn"),
    ],
)
def test_compressed_tensors(name: str, weights: dict[str, object], stored_as: str) -> None:
    parts, expected = made(name)
    weight, kind = compressed_tensors.dequantized(parts, by_compressed_tensors(**weights))
    assert (weight.dtype, kind) == (torch.float32, stored_as)
    # The package multiplies in the dtype of the scales; the product in float32 rounds to the same.
    assert torch.equal(weight.to(expected.dtype), expected)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("order", ["", "-order"])
def test_gptq(bits: int, order: str) -> None:
    parts, expected = made(f"gptq-{bits}{order}")
    how = declared("config.json", {"quant_method": "gptq", "bits": bits, "group_size": 16})
    weight, kind = gptq.dequantized(parts, how)
    assert kind == f"int{bits}"
    assert torch.equal(weight, expected)
    if not order:
        del parts["g_idx"]
        assert torch.equal(gptq.dequantized(parts, how)[0], expected)


def test_the_second_version_of_gptq_stores_zero_points_as_they_are() -> None:
    parts, expected = made("gptq-4")
    # Adding one to each of eight neighbours, without a carry where it is the largest.
    parts["qzeros"] = ((parts["qzeros"] & 0x77777777) + 0x11111111) ^ (
        parts["qzeros"] & torch.tensor(-0x77777778, dtype=torch.int32)
    )
    how = declared("config.json", {"quant_method": "gptq", "bits": 4, "group_size": 16, "checkpoint_format": "gptq_v2"})
    assert torch.equal(gptq.dequantized(parts, how)[0], expected)


def test_awq() -> None:
    parts, expected = made("awq")
    how = declared("config.json", {"quant_method": "awq", "bits": 4, "group_size": 8, "version": "GEMM"})
    weight, kind = gptq.dequantized(parts, how)
    assert kind == "int4"
    assert torch.equal(weight.to(expected.dtype), expected)


@pytest.mark.parametrize("name", ["nf4", "nf4-nested", "fp4", "fp4-nested", "llm-int8"])
def test_bitsandbytes(name: str) -> None:
    parts, expected = made(name)
    weight, kind = bitsandbytes.dequantized(parts, declared("config.json", {"load_in_4bit": True}))
    assert kind == {"llm-int8": "int8"}.get(name, name[:3])
    assert torch.equal(weight[-len(expected) :].to(expected.dtype), expected)


def test_float8_in_blocks() -> None:
    parts, expected = made("fp8-blocks")
    how = declared("config.json", {"quant_method": "fp8", "weight_block_size": [4, 8]})
    weight, kind = fp8_blocks.dequantized(parts, how)
    assert kind == "float8_e4m3fn"
    assert torch.equal(weight, expected)


INT4 = by_compressed_tensors(num_bits=4)
GPTQ = declared("config.json", {"quant_method": "gptq", "bits": 4, "group_size": 16})
BLOCKS = declared("config.json", {"quant_method": "fp8", "weight_block_size": [4, 8]})


@pytest.mark.parametrize(
    ("layout", "how", "name", "changes", "message"),
    [
        (compressed_tensors, INT4, "int4-group", {"weight_shape": torch.tensor([12, 2**40])}, "do not hold"),
        (compressed_tensors, INT4, "int4-group", {"weight_shape": torch.tensor([13, 64])}, "12 rows are stored"),
        (compressed_tensors, INT4, "int4-group", {"weight_shape": torch.tensor([12])}, "unpack"),
        (compressed_tensors, INT4, "int4-group", {"weight_shape": torch.tensor([-12, -64])}, "do not hold"),
        (compressed_tensors, INT4, "int4-group", {"weight_packed": torch.zeros(12, 8)}, "do not hold 64 integers"),
        (compressed_tensors, INT4, "int4-group", {"weight_scale": torch.ones(12, 5)}, "do not belong to a weight"),
        (compressed_tensors, INT4, "int4-group", {"weight_scale": torch.ones(12, 0)}, "do not belong to a weight"),
        (compressed_tensors, INT4, "int4-group", {"weight_g_idx": torch.tensor([0])}, "does not name a group for each"),
        (compressed_tensors, INT4, "int4-group", {"weight_g_idx": torch.arange(64) - 1}, "does not name a group"),
        (compressed_tensors, INT4, "nvfp4", {"weight_packed": torch.zeros(32, dtype=torch.uint8)}, "has 1 dimensions"),
        (compressed_tensors, INT4, "nvfp4", {"weight_global_scale": torch.ones(3)}, "is not one number"),
        (compressed_tensors, INT4, "int8-channel", {"weight": torch.zeros(6, 10)}, "a weight of torch.float32"),
        (gptq, GPTQ, "gptq-4", {"scales": torch.ones(4, 33)}, "do not hold 33 integers"),
        (gptq, GPTQ, "gptq-4", {"scales": torch.ones(5, 32)}, "do not belong to"),
        (
            gptq,
            GPTQ,
            "gptq-4",
            {"scales": torch.ones(5, 32), "qzeros": torch.zeros(5, 4, dtype=torch.int32)},
            "(64, 32) values do not belong to (5, 32) scales",
        ),
        (gptq, GPTQ, "gptq-4", {"g_idx": torch.tensor([0])}, "does not name a group"),
        (fp8_blocks, BLOCKS, "fp8-blocks", {"weight": torch.zeros(10, 12)}, "a weight of torch.float32"),
        (fp8_blocks, BLOCKS, "fp8-blocks", {"weight_scale_inv": torch.ones(2, 2)}, "do not belong to a weight"),
        (bitsandbytes, BLOCKS, "nf4", {"weight": torch.zeros(62, dtype=torch.uint8)}, "62 bytes are stored"),
        (bitsandbytes, BLOCKS, "nf4", {"weight.absmax": torch.ones(3)}, "3 scales do not belong to 126 elements"),
        (bitsandbytes, BLOCKS, "nf4", {"weight.quant_map": torch.ones(15)}, "63 bytes are stored"),
        (bitsandbytes, BLOCKS, "nf4-nested", {"weight.nested_quant_map": torch.ones(255)}, "nested scales are"),
        (bitsandbytes, BLOCKS, "llm-int8", {"SCB": torch.ones(1)}, "has (1,) scales"),
    ],
)
def test_parts_that_do_not_belong_together(
    layout: Any, how: Declared, name: str, changes: dict[str, Tensor], message: str
) -> None:
    parts, _ = made(name)
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - whatever is said
        layout.dequantized({**parts, **changes}, how)
    assert message in str(raised.value)
