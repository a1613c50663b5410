"""Hugging Face architectures that are built from a configuration, with random weights.

To add an architecture with a known kind of input, add a row.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
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
_FLOATING: Mapping[str, tuple[str, ...]] = {"pixels": ("pixel_values",), "mel frames": ("input_features",)}


def random_input(values: str, *, batch: int, length: int | None = None, max_length: int | None = None) -> InputChoice:
    """The input of random `values`, with its default size; None where the values have no length."""
    return InputChoice(
        name="random",
        description=f"Random values: {values}.",
        real=False,
        takes_length=length is not None,
        default_batch=batch,
        default_length=length,
        max_length=max_length,
    )


@dataclass(frozen=True)
class Architecture:
    """One row: what is built, and the size of its default input."""

    id: str
    title: str
    good_for: str
    _: KW_ONLY
    full_size: bool = False
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
        values = _DRAWN_FROM[self.kind]
        return ModelDescription(
            id=self.id,
            title=f"{self.title} (random weights)",
            family="Hugging Face, full size" if self.full_size else "Hugging Face, small",
            weights="random",
            licence=_LICENCE,
            good_for=self.good_for,
            parameters=self.parameters,
            inputs=(random_input(values, batch=self.batch, length=self.length, max_length=self.max_length),),
            floating_inputs=_FLOATING.get(self.kind, ()),
        )


_TINY = {"num_hidden_layers": 2, "hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 512}

_BERT = partial(
    Architecture, model="BertForSequenceClassification", config="BertConfig", kind="token ids", length=64,
    max_length=512,
)  # fmt: skip
_GPT2 = partial(
    Architecture, model="GPT2LMHeadModel", config="GPT2Config", kind="token ids", length=32, max_length=1024,
    forward={"use_cache": False},
)  # fmt: skip
_T5 = partial(
    Architecture, model="T5ForConditionalGeneration", config="T5Config", kind="encoder and decoder ids", length=32,
    max_length=512, forward={"use_cache": False},
)  # fmt: skip
_VIT = partial(Architecture, model="ViTForImageClassification", config="ViTConfig", kind="pixels")
_RESNET = partial(Architecture, model="ResNetForImageClassification", config="ResNetConfig", kind="pixels")
_WHISPER = partial(Architecture, model="WhisperEncoder", config="WhisperConfig", kind="mel frames")

_ROWS = (
    _BERT(
        "bert-tiny", "BERT tiny classifier",
        "A fast transformer encoder with a classification head: 2 layers of width 128.",
        parameters=4_386_178, batch=4, settings=_TINY,
    ),
    _BERT(
        "bert-base", "BERT base classifier",
        "Bytes and milliseconds of the best known encoder, sized as bert-base-uncased, the second article's example.",
        parameters=109_483_778, full_size=True, batch=2,
        settings={"num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    ),
    _GPT2(
        "gpt2-tiny", "GPT-2 tiny",
        "A fast causal language model with a tied head: 2 layers of width 128.",
        parameters=655_872, batch=2,
        settings={"n_layer": 2, "n_embd": 128, "n_head": 2, "vocab_size": 1000, "bos_token_id": 0, "eos_token_id": 0},
    ),
    _GPT2(
        "gpt2-base", "GPT-2",
        "Bytes and milliseconds of a causal language model with a large vocabulary, sized as gpt2.",
        parameters=124_439_808, full_size=True,
        settings={"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257},
    ),
    _T5(
        "t5-tiny", "T5 tiny",
        "Encoder, decoder and cross-attention, with code that branches on half precision.",
        parameters=1_047_168, batch=2,
        settings={"num_layers": 2, "d_model": 128, "d_kv": 64, "d_ff": 512, "num_heads": 2, "vocab_size": 1000},
    ),
    _T5(
        "t5-small", "T5 small",
        "Bytes and milliseconds of an encoder-decoder known for overflowing in float16, sized as t5-small.",
        parameters=60_506_624, full_size=True, batch=2,
        settings={"num_layers": 6, "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_heads": 8, "vocab_size": 32128},
    ),
    _VIT(
        "vit-tiny", "ViT tiny",
        "A fast image transformer: 2 layers of width 128, 64 × 64 pixels.",
        parameters=626_536, batch=4, settings={**_TINY, "image_size": 64, "num_labels": 1000},
    ),
    _VIT(
        "vit-base", "ViT base",
        "Bytes and milliseconds of an image transformer at 224 × 224 pixels, sized as vit-base-patch16-224.",
        parameters=86_567_656, full_size=True,
        settings={"num_hidden_layers": 12, "hidden_size": 768, "image_size": 224, "num_labels": 1000},
    ),
    _RESNET(
        "resnet-tiny", "ResNet tiny",
        "Fast: convolutions and batch norm with integer buffers, 4 basic blocks, 64 × 64 pixels.",
        parameters=438_456, batch=4,
        settings={
            "embedding_size": 16, "hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 1, 1], "layer_type": "basic",
            "num_labels": 1000, "image_size": 64,
        },
    ),
    _RESNET(
        "resnet-50", "ResNet-50",
        "Bytes and milliseconds of a deep convolutional network at 224 × 224 pixels.",
        parameters=25_557_032, full_size=True,
        settings={"depths": [3, 4, 6, 3], "layer_type": "bottleneck", "num_labels": 1000, "image_size": 224},
    ),
    _WHISPER(
        "whisper-tiny", "Whisper tiny encoder",
        "Fast: a convolutional front end and a transformer over audio frames. Smaller than the published tiny.",
        parameters=495_872, batch=2,
        settings={
            "encoder_layers": 2, "d_model": 128, "encoder_attention_heads": 2, "encoder_ffn_dim": 512,
            "max_source_positions": 150,
        },
    ),
    _WHISPER(
        "whisper-base", "Whisper base encoder",
        "Bytes and milliseconds of a speech encoder with long sequences: 30 seconds of audio.",
        parameters=20_590_592, full_size=True,
        settings={
            "encoder_layers": 6, "d_model": 512, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048,
            "max_source_positions": 1500,
        },
    ),
)  # fmt: skip

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({row.id: row for row in _ROWS})
