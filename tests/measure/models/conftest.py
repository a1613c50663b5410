import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

UNKNOWN, END = "<unk>", "<end>"
WORDS = (UNKNOWN, END, "the", "a", "cat", "dog", "sat", "ran", "home", ".")
POSITIONS = 32


def save_tokenizer(folder: Path) -> None:
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token=UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer_class: Any = PreTrainedTokenizerFast
    tokenizer_class(
        tokenizer_object=words, unk_token=UNKNOWN, eos_token=END, model_max_length=POSITIONS
    ).save_pretrained(folder)


def bert_config() -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS),
        num_hidden_layers=1,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=POSITIONS,
    )


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The hosts asked for while the test runs, each of them refused."""
    asked: list[object] = []

    def refuse(host: object, *_: object, **__: object) -> NoReturn:
        asked.append(host)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


@pytest.fixture
def causal(tmp_path: Path) -> Path:
    """A GPT-2-like checkpoint of two layers with its tokenizer, which has no padding token."""
    folder = tmp_path / "causal"
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(WORDS), n_positions=POSITIONS, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=1
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A BERT-like classifier with its tokenizer."""
    folder = tmp_path / "classifier"
    torch.manual_seed(0)
    BertForSequenceClassification(bert_config()).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A BERT-like encoder without a tokenizer."""
    folder = tmp_path / "encoder"
    torch.manual_seed(0)
    BertModel(bert_config()).save_pretrained(folder)
    return folder
