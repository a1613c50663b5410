"""Text as token ids, by a checkpoint's own tokenizer; and what a decoder reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from precision.errors import InputError
from precision.measure.models.foreign_files import explained
from precision.measure.models.pretrained.classes import setting
from precision.models.request import InputRequest
from precision.spec import MAX_LENGTH

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
_SHIFT = "prepare_decoder_input_ids_from_labels"
"""The method by which transformers makes a decoder's input in training."""


def has_tokenizer(folder: Path) -> bool:
    """Whether the checkpoint can read text."""
    return any((folder / name).is_file() for name in _TOKENIZER_FILES)


def tokenizer_in(folder: Path) -> Any:
    """The checkpoint's own, with a token to pad with where it has any.

    Raises:
        InputError: there is none, or it cannot be loaded.
    """
    import transformers

    if not has_tokenizer(folder):
        raise InputError(f"{folder} has no tokenizer, so it cannot read text. Choose the input 'random'.")
    with explained(f"{folder}: its tokenizer cannot be loaded"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if tokenizer.pad_token is None:
        # Padding is masked, so any token serves; language models often have no token of their own for it.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def tokens_of(tokenizer: Any, lines: Sequence[str], module: Any, request: InputRequest) -> dict[str, Tensor]:
    """What the tokenizer makes of the lines, in one batch.

    Raises:
        InputError: it cannot pad, finds no token, or gives one that the model does not know.
    """
    limit = max_length(module, request) or MAX_LENGTH
    pads = request.length is not None or len(lines) > 1
    if pads and tokenizer.pad_token is None:
        raise InputError("This tokenizer has no padding token. Give one sentence and no length.")
    with explained("The checkpoint's tokenizer cannot read this text"):
        tokens = tokenizer(
            list(lines),
            padding="max_length" if request.length else pads,
            truncation=True,
            max_length=request.length or min(tokenizer.model_max_length, limit),
            return_tensors="pt",
        )
    if tokens["input_ids"].numel() == 0:
        raise InputError("The tokenizer finds no token in this text. Write a sentence.")
    largest, vocabulary = int(tokens["input_ids"].max()), _vocabulary(module)
    if largest >= vocabulary:
        raise InputError(f"The tokenizer gives id {largest}, the model knows {vocabulary} tokens.")
    return dict(tokens)


def decoder_inputs(folder: Path, module: Any, ids: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
    """What a decoder reads that is to say `ids` `(texts, positions)`: its start token, then the ids but the last.

    Raises:
        InputError: the configuration has no start token, or one that the model does not know.
    """
    try:
        shifted = getattr(module, _SHIFT)(labels=ids) if hasattr(module, _SHIFT) else _shifted(module, ids)
    except ValueError as error:  # of a config without a start token
        raise InputError(f"{folder}: its decoder's input cannot be made: {error}") from error
    start, vocabulary = int(shifted[0, 0]), _vocabulary(module)
    if not 0 <= start < vocabulary:
        raise InputError(f"{folder}: config.json starts the decoder with id {start}, the model knows {vocabulary}.")
    return {"decoder_input_ids": shifted} | ({} if mask is None else {"decoder_attention_mask": mask})


def _shifted(module: Any, ids: Tensor) -> Tensor:
    start = setting(module.config, "decoder_start_token_id", "bos_token_id")
    if start is None:
        raise ValueError("decoder_start_token_id is not set")
    return torch.cat([torch.full_like(ids[:, :1], start), ids[:, :-1]], dim=1)


def _vocabulary(module: Any) -> int:
    size: int = setting(module.config.get_text_config(), "vocab_size") or setting(module.config, "vocab_size")
    return size


def max_length(module: Any, request: InputRequest) -> int | None:
    """The model's number of positions, where it has one.

    Raises:
        InputError: the request asks for more.
    """
    limit = getattr(module.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    if request.length is not None and request.length > limit:
        raise InputError(f"This model has {limit} positions; a length of {request.length} is too long.")
    return limit
