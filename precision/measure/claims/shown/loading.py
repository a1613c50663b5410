"""The dtype of parameters when none is named."""

import tempfile

import torch
from torch import nn

from precision.measure.claims.shown.small_bert import small_bert


def dtypes_unasked() -> dict[str, torch.dtype]:
    """Make a layer, fill another from a float16 state dict, and load a float16 checkpoint."""
    layer = nn.Linear(2, 2)
    layer.load_state_dict(nn.Linear(2, 2).half().state_dict())
    model = small_bert().half()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        checkpoint = type(model).from_pretrained(folder, local_files_only=True)
    return {
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "Weight of a new linear layer": nn.Linear(2, 2).weight.dtype,
        "load_state_dict of float16 weights into a float32 layer": layer.weight.dtype,
        "from_pretrained of a float16 checkpoint": checkpoint.embeddings.word_embeddings.weight.dtype,
    }
