"""Where `half()` comes from, what it works on, and what models are loaded in."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.claims.experiments.attempt import raised
from precision.measure.claims.experiments.finding import Finding, count, fact, listed, true_if
from precision.measure.claims.experiments.storage import CALLS, Call, same_bits
from precision.measure.models.quiet import quiet_transformers
from precision.measure.rounding import dtype_name
from precision.results import Evidence


@dataclass(frozen=True, kw_only=True)
class ProviderFacts:
    """Where `half()` is defined."""

    defined_in: str
    """Python module of `torch.nn.Module.half`; empty where there is none."""
    overridden: bool
    """Whether Transformers has a version of its own."""
    same_result: bool | None
    """Whether that casts as PyTorch's does, of a model that is not quantized; None where one of both is missing."""
    refuses_quantized: bool | None
    """Whether it raises of a model that Transformers quantized by torchao; None where that is not installed."""
    refusal: str = ""
    """What it raised."""


@dataclass(frozen=True, kw_only=True)
class TensorFlowFacts:
    """TensorFlow models in Transformers."""

    classes: tuple[str, ...]
    with_half: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AnyModuleFacts:
    """Modules of `torch.nn` with parameters, and this model, after one of the calls."""

    cast: tuple[str, ...]
    """Those whose floating-point parameters are all float16."""
    left: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MakingFacts:
    """In which dtype parameters come into being."""

    default: str
    made: str
    """dtype of a new linear layer's weight."""


@dataclass(frozen=True, kw_only=True)
class LoadingFacts:
    """In which dtype parameters are after loading."""

    state_dict: str
    """dtype of a float32 layer's weight after a float16 state dict was loaded into it."""
    from_pretrained: str
    """dtype of a weight that `from_pretrained` read from a float16 checkpoint."""


def provider_facts() -> ProviderFacts:
    """Look up `half()` in PyTorch and in Transformers, cast a small BERT by each, and a quantized one."""
    with quiet_transformers():
        from transformers import PreTrainedModel

    torchs = getattr(nn.Module, "half", None)
    theirs = vars(PreTrainedModel).get("half")
    same = None
    if torchs is not None and theirs is not None:
        one, other = _small_bert(), _small_bert()
        theirs(one), torchs(other)
        same = all(same_bits(a.tensor, b.tensor) for a, b in zip(*map(stored_tensors, (one, other)), strict=True))
    return ProviderFacts(
        defined_in=torchs.__module__ if torchs else "",
        overridden=theirs is not None,
        same_result=same,
        **_refusal(),
    )


def _refusal() -> dict[str, Any]:
    try:
        said = raised(quantized_bert().half)
    except ImportError:
        return {"refuses_quantized": None}
    return {"refuses_quantized": said is not None, "refusal": said or ""}


def quantized_bert() -> Any:
    """A small BERT whose linear layers hold int8, as Transformers loads it."""
    with quiet_transformers(), tempfile.TemporaryDirectory() as folder:
        from torchao.quantization import Int8WeightOnlyConfig
        from transformers import TorchAoConfig

        model = _small_bert()
        model.save_pretrained(folder)
        config = TorchAoConfig(Int8WeightOnlyConfig())
        return type(model).from_pretrained(folder, quantization_config=config, dtype=torch.float32)


def _small_bert() -> Any:
    with quiet_transformers():
        from transformers import BertConfig, BertModel

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return BertModel(
            BertConfig(
                vocab_size=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
                max_position_embeddings=8,
            )
        )  # fmt: skip


def tensorflow_facts() -> TensorFlowFacts:
    """Look for TensorFlow's model classes in Transformers."""
    with quiet_transformers():
        import transformers

        names = [
            name
            for name in sorted({*dir(transformers), *vars(transformers)})
            if name.startswith("TF") and name.endswith("Model")
        ]
    return TensorFlowFacts(
        classes=tuple(names), with_half=tuple(name for name in names if hasattr(getattr(transformers, name), "half"))
    )


def any_module_facts(call_name: str, *, model: nn.Module | None = None) -> AnyModuleFacts:
    """Cast modules of `torch.nn`, and a copy of `model` where one is given, by `half` or `to`.

    Args:
        call_name: a key of `CALLS`.
        model: an own copy, which is cast in place.
    """
    made: dict[str, nn.Module] = {
        "Linear": nn.Linear(2, 2),
        "Conv2d": nn.Conv2d(2, 2, 1),
        "LSTM": nn.LSTM(2, 2),
        "Sequential": nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)),
    }
    if model is not None:
        made["this model"] = model
    cast = [name for name, module in made.items() if _all_float16(module, CALLS[call_name])]
    return AnyModuleFacts(cast=tuple(cast), left=tuple(name for name in made if name not in cast))


def _all_float16(module: nn.Module, call: Call) -> bool:
    try:
        call(module)
    except (AttributeError, TypeError, ValueError):
        return False
    return all(tensor.dtype == torch.float16 for tensor in module.parameters() if tensor.is_floating_point())


def making_facts() -> MakingFacts:
    """Make a layer, naming no dtype."""
    return MakingFacts(default=dtype_name(torch.get_default_dtype()), made=dtype_name(nn.Linear(2, 2).weight.dtype))


def loading_facts() -> LoadingFacts:
    """Fill a layer from a float16 state dict, and load a float16 checkpoint, naming no dtype anywhere."""
    return LoadingFacts(state_dict=_from_state_dict(), from_pretrained=_from_pretrained())


def _from_state_dict() -> str:
    layer, low = nn.Linear(2, 2), nn.Linear(2, 2).half()
    layer.load_state_dict(low.state_dict())
    return dtype_name(layer.weight.dtype)


def _from_pretrained() -> str:
    with quiet_transformers(), tempfile.TemporaryDirectory() as folder:
        from transformers import BertModel

        _small_bert().half().save_pretrained(Path(folder))
        loaded: Any = BertModel.from_pretrained(Path(folder), local_files_only=True)
    return dtype_name(loaded.embeddings.word_embeddings.weight.dtype)


def half_from_transformers(seen: ProviderFacts) -> Finding:
    """Whether `half()` is Transformers' and not PyTorch's."""
    evidence = (
        fact("torch.nn.Module.half is defined in", seen.defined_in or "nowhere"),
        fact("Transformers has a version of its own", "yes" if seen.overridden else "no"),
        fact(
            "It casts as PyTorch's does",
            {None: "not measured", True: "yes, bit for bit", False: "no"}[seen.same_result],
        ),
        fact(
            "A model that Transformers quantized",
            {None: "not tried: torchao is not installed", True: f"refused: {seen.refusal}", False: "cast"}[
                seen.refuses_quantized
            ],
        ),
    )
    if not seen.defined_in.startswith("torch"):
        return Finding("true", "PyTorch has no half() of its own.", evidence)
    if seen.same_result is False:
        return Finding("depends", "PyTorch provides it; Transformers' version casts otherwise.", evidence)
    own = " Transformers only has it refuse quantized models." if seen.refuses_quantized else ""
    return Finding("false", f"PyTorch provides it, for every nn.Module.{own}", evidence)


def half_only_transformers(seen: AnyModuleFacts) -> Finding:
    """Whether `half()` casts none of PyTorch's own modules."""
    sentence = f"half() casts {listed(seen.cast)} of torch.nn."
    return Finding("true" if not seen.cast else "depends" if seen.left else "false", sentence, _of_modules(seen))


def to_any_module(seen: AnyModuleFacts) -> Finding:
    """Whether `to()` casts all modules tried."""
    sentence = f"Not cast: {listed(seen.left)}." if seen.left else f"It casts all tried: {listed(seen.cast)}."
    return Finding("true" if not seen.left else "depends" if seen.cast else "false", sentence, _of_modules(seen))


def _of_modules(seen: AnyModuleFacts) -> tuple[Evidence, ...]:
    return (fact("All parameters float16", listed(seen.cast)), fact("Not cast", listed(seen.left)))


def half_tensorflow(seen: TensorFlowFacts) -> Finding:
    """Whether some TensorFlow model has `half()`."""
    evidence = (
        count("TensorFlow model classes in Transformers", len(seen.classes)),
        count("Of them, with half()", len(seen.with_half)),
    )
    sentence = "half() is a method of PyTorch modules; no TensorFlow model class has it."
    if not seen.classes:
        sentence = "half() is a method of PyTorch modules; the installed Transformers has no TensorFlow models."
    if seen.with_half:
        sentence = f"half() is there for {listed(seen.with_half)}."
    return Finding(true_if(bool(seen.with_half)), sentence, evidence)


def loaded_in_float32(seen: MakingFacts) -> Finding:
    """Whether new parameters are float32."""
    evidence = (fact("torch.get_default_dtype()", seen.default), fact("Weight of a new linear layer", seen.made))
    return Finding(true_if(seen.made == "float32"), f"A new layer's weight is {seen.made}.", evidence)


def checkpoint_in_float32(seen: LoadingFacts) -> Finding:
    """Whether float16 checkpoints are widened to float32 as they are loaded."""
    evidence = (
        fact("load_state_dict of float16 weights into a float32 layer", seen.state_dict),
        fact("from_pretrained of a float16 checkpoint", seen.from_pretrained),
    )
    ways = {"load_state_dict": seen.state_dict, "from_pretrained": seen.from_pretrained}
    wide = [name for name, dtype in ways.items() if dtype == "float32"]
    sentence = f"load_state_dict gives {seen.state_dict}, from_pretrained {seen.from_pretrained}."
    return Finding("true" if len(wide) == len(ways) else "depends" if wide else "false", sentence, evidence)
