"""Hugging Face architectures that are built from a configuration, with random weights.

To add an architecture with a known kind of input, add a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from precision.results import InputChoice, ModelDescription

InputKind = Literal["token ids", "encoder and decoder ids", "pixels", "mel frames"]

_LICENCE = "Architecture: Hugging Face transformers, Apache-2.0. Weights: random, none to license."
_DRAWN_FROM = {
    "token ids": "uniformly drawn token ids",
    "encoder and decoder ids": "uniformly drawn token ids for encoder and decoder",
    "pixels": "standard normal pixel values",
    "mel frames": "standard normal mel features",
}


@dataclass(frozen=True)
class Architecture:
    """One row: what is built, and the size of its default input."""

    id: str
    title: str
    good_for: str
    full_size: bool
    parameters: int
    model: str
    """Class name in transformers."""
    config: str
    """Class name of its configuration in transformers."""
    settings: Mapping[str, object]
    """Settings that differ from that class's defaults, or that define the architecture."""
    kind: InputKind
    batch: int = 1
    length: int | None = None
    max_length: int | None = None
    """The model's positions, in tokens; None where the input has a fixed length."""
    forward: Mapping[str, object] = field(default_factory=dict)
    """Further arguments of every call."""

    def description(self) -> ModelDescription:
        """Its row of the catalogue."""
        return ModelDescription(
            id=self.id,
            title=f"{self.title} (random weights)",
            family="Hugging Face, full size" if self.full_size else "Hugging Face, small",
            weights="random",
            licence=_LICENCE,
            good_for=self.good_for,
            parameters=self.parameters,
            inputs=(
                InputChoice(
                    name="random",
                    description=f"Random values: {_DRAWN_FROM[self.kind]}.",
                    real=False,
                    takes_length=self.length is not None,
                    default_batch=self.batch,
                    default_length=self.length,
                    max_length=self.max_length,
                ),
            ),
        )


_NO_CACHE = {"use_cache": False}
_TINY = {"num_hidden_layers": 2, "hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 512}

_ROWS = (
    Architecture(
        "bert-tiny",
        "BERT tiny classifier",
        "A fast transformer encoder with a classification head: 2 layers of width 128.",
        full_size=False,
        parameters=4_386_178,
        model="BertForSequenceClassification",
        config="BertConfig",
        settings=_TINY,
        kind="token ids",
        batch=4,
        length=64,
        max_length=512,
    ),
    Architecture(
        "bert-base",
        "BERT base classifier",
        "Bytes and milliseconds of the best known encoder, sized as bert-base-uncased, the second article's example.",
        full_size=True,
        parameters=109_483_778,
        model="BertForSequenceClassification",
        config="BertConfig",
        settings={"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
        kind="token ids",
        batch=2,
        length=64,
        max_length=512,
    ),
    Architecture(
        "gpt2-tiny",
        "GPT-2 tiny",
        "A fast causal language model with a tied head: 2 layers of width 128.",
        full_size=False,
        parameters=655_872,
        model="GPT2LMHeadModel",
        config="GPT2Config",
        settings={"n_layer": 2, "n_embd": 128, "n_head": 2, "vocab_size": 1000, "bos_token_id": 0, "eos_token_id": 0},
        kind="token ids",
        batch=2,
        length=32,
        max_length=1024,
        forward=_NO_CACHE,
    ),
    Architecture(
        "gpt2-base",
        "GPT-2",
        "Bytes and milliseconds of a causal language model with a large vocabulary, sized as gpt2.",
        full_size=True,
        parameters=124_439_808,
        model="GPT2LMHeadModel",
        config="GPT2Config",
        settings={"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257},
        kind="token ids",
        length=32,
        max_length=1024,
        forward=_NO_CACHE,
    ),
    Architecture(
        "t5-tiny",
        "T5 tiny",
        "Encoder, decoder and cross-attention, with code that branches on half precision.",
        full_size=False,
        parameters=1_047_168,
        model="T5ForConditionalGeneration",
        config="T5Config",
        settings={"num_layers": 2, "d_model": 128, "d_kv": 64, "d_ff": 512, "num_heads": 2, "vocab_size": 1000},
        kind="encoder and decoder ids",
        batch=2,
        length=32,
        max_length=512,
        forward=_NO_CACHE,
    ),
    Architecture(
        "t5-small",
        "T5 small",
        "Bytes and milliseconds of an encoder-decoder known for overflowing in float16, sized as t5-small.",
        full_size=True,
        parameters=60_506_624,
        model="T5ForConditionalGeneration",
        config="T5Config",
        settings={"num_layers": 6, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_heads": 8, "vocab_size": 32128},
        kind="encoder and decoder ids",
        batch=2,
        length=32,
        max_length=512,
        forward=_NO_CACHE,
    ),
    Architecture(
        "vit-tiny",
        "ViT tiny",
        "A fast image transformer: 2 layers of width 128, 64 × 64 pixels.",
        full_size=False,
        parameters=626_536,
        model="ViTForImageClassification",
        config="ViTConfig",
        settings={**_TINY, "image_size": 64, "num_labels": 1000},
        kind="pixels",
        batch=4,
    ),
    Architecture(
        "vit-base",
        "ViT base",
        "Bytes and milliseconds of an image transformer at 224 × 224 pixels, sized as vit-base-patch16-224.",
        full_size=True,
        parameters=86_567_656,
        model="ViTForImageClassification",
        config="ViTConfig",
        settings={"num_hidden_layers": 12, "hidden_size": 768, "image_size": 224, "num_labels": 1000},
        kind="pixels",
    ),
    Architecture(
        "resnet-tiny",
        "ResNet tiny",
        "Fast: convolutions and batch norm with integer buffers, 4 basic blocks, 64 × 64 pixels.",
        full_size=False,
        parameters=438_456,
        model="ResNetForImageClassification",
        config="ResNetConfig",
        settings={
            "embedding_size": 16,
            "hidden_sizes": [16, 32, 64, 128],
            "depths": [1, 1, 1, 1],
            "layer_type": "basic",
            "num_labels": 1000,
            "image_size": 64,
        },
        kind="pixels",
        batch=4,
    ),
    Architecture(
        "resnet-50",
        "ResNet-50",
        "Bytes and milliseconds of a deep convolutional network at 224 × 224 pixels.",
        full_size=True,
        parameters=25_557_032,
        model="ResNetForImageClassification",
        config="ResNetConfig",
        settings={"depths": [3, 4, 6, 3], "layer_type": "bottleneck", "num_labels": 1000, "image_size": 224},
        kind="pixels",
    ),
    Architecture(
        "whisper-tiny",
        "Whisper tiny encoder",
        "Fast: a convolutional front end and a transformer over audio frames. Smaller than the published tiny.",
        full_size=False,
        parameters=495_872,
        model="WhisperEncoder",
        config="WhisperConfig",
        settings={
            "encoder_layers": 2,
            "d_model": 128,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 512,
            "max_source_positions": 150,
        },
        kind="mel frames",
        batch=2,
    ),
    Architecture(
        "whisper-base",
        "Whisper base encoder",
        "Bytes and milliseconds of a speech encoder with long sequences: 30 seconds of audio.",
        full_size=True,
        parameters=20_590_592,
        model="WhisperEncoder",
        config="WhisperConfig",
        settings={
            "encoder_layers": 6,
            "d_model": 512,
            "encoder_attention_heads": 8,
            "encoder_ffn_dim": 2048,
            "max_source_positions": 1500,
        },
        kind="mel frames",
    ),
)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({row.id: row for row in _ROWS})
