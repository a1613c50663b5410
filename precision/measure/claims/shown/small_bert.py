"""A BERT small enough to be made in passing, and the same with int8 weights."""

import tempfile
from typing import Any

import torch


def small_bert() -> Any:
    """With random weights, in the default dtype."""
    from transformers import BertConfig, BertModel

    sizes: dict[str, Any] = {"vocab_size": 16, "hidden_size": 8, "intermediate_size": 8, "max_position_embeddings": 8}
    return BertModel(BertConfig(num_hidden_layers=1, num_attention_heads=2, **sizes))


def quantized_bert() -> Any:
    """With linear layers of int8, as Transformers loads them with torchao."""
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    model = small_bert()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = TorchAoConfig(Int8WeightOnlyConfig())
        return type(model).from_pretrained(folder, quantization_config=config, dtype=torch.float32)
