from __future__ import annotations

import pytest

from precision.errors import InputError
from precision.measure.models.quantized.declared import declared


def compressed(**settings: object) -> dict[str, object]:
    group = {"weights": {"num_bits": 4, "type": "int"}}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}, **settings}


def of_weights(**weights: object) -> dict[str, object]:
    return compressed(config_groups={"group_0": {"weights": weights}})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("gptq", "has a quantization_config that is none"),
        ({"bits": 4}, "stored by 'a method without a name', which is not read. Read are compressed-tensors"),
        *(({"quant_method": name}, f"stored by '{name}', which is not read") for name in ("torchao", "hqq", "quark")),
        *(({"quant_method": name}, f"stored by '{name}', which is not read") for name in ("mxfp4", "gguf", "modelopt")),
        ({"quant_method": "x" * 10_000}, "which is not read"),
        ({"quant_method": "gptq", "bits": 3}, "stored by gptq, with 3 bits; 2, 4 and 8 are read"),
        ({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}, "in the format 'marlin'"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 0}, "in groups of 0"),
        ({"quant_method": "awq", "version": "gemv"}, "in its version 'gemv'"),
        ({"quant_method": "awq", "bits": 3}, "with 3 bits"),
        ({"quant_method": "fp8"}, "in blocks of None"),
        ({"quant_method": "fp8", "weight_block_size": [128, 0]}, r"in blocks of \[128, 0\]"),
        (compressed(format="mxfp6-pack-quantized"), "in the format 'mxfp6-pack-quantized', which is not read"),
        (compressed(sparsity_config={"format": "sparse-24-bitmask"}), "with the sparsity 'sparse-24-bitmask'"),
        (compressed(transform_config={"config_groups": {}}), "with weights that are transformed"),
        (compressed(config_groups={}), "without a group that says how"),
        (compressed(config_groups={"group_0": {"weights": 4}}), "without a group that says how"),
        (of_weights(num_bits=3), "with 3 bits"),
        (of_weights(num_bits=8, type="float", block_structure=[1]), r"in blocks of \[1\]"),
    ],
)
def test_what_is_not_read_is_named(settings: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^config.json .*{message}") as raised:
        declared("config.json", settings)
    assert len(str(raised.value)) < 600


def test_blocks_of_two_sizes() -> None:
    groups = {
        name: {"weights": {"num_bits": 8, "type": "float", "block_structure": [size, size]}}
        for name, size in (("a", 64), ("b", 128))
    }
    with pytest.raises(InputError, match="in blocks of several sizes"):
        declared("config.json", compressed(config_groups=groups))


def test_what_is_declared() -> None:
    mixed = {
        "a": {"weights": {"num_bits": 4}, "input_activations": {"num_bits": 8}},
        "b": {"weights": {"num_bits": 8, "type": "int"}},
        "c": {"weights": {"num_bits": 8, "type": "float"}, "format": "float-quantized"},
    }
    how = declared("config.json", compressed(config_groups=mixed, format="mixed-precision"))
    assert (how.layout, how.bits, how.quantizes_activations) == ("compressed-tensors", (4, 8), True)
    assert declared("config.json", {"quant_method": "GPTQ", "bits": 8, "group_size": -1}).group is None
    assert declared("config.json", {"quant_method": "awq", "q_group_size": 64}).group == 64
    assert declared("config.json", {"load_in_8bit": True}).layout == "bitsandbytes"
