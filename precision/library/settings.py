"""What the library's functions take besides a model, its inputs and a format: the settings of a `RunSpec`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from precision.errors import InputError
from precision.spec import INPUT, Analysis, RunSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

    from precision.measure.models.loading import LoadedModel
    from precision.measure.own_model import Labels

    Model: TypeAlias = nn.Module | LoadedModel
    Format: TypeAlias = str | torch.dtype


class Where(TypedDict, total=False):
    """Settings of every analysis that runs a model."""

    labels: Labels
    """True classes `(samples,)`, whole numbers; or the name or the place at which the inputs hold them."""
    mask: torch.Tensor | str
    """`(texts, positions)`, not zero where there is data; or the name of the argument that says so, of that shape or
    `(texts, heads, queries, keys)`. By default one that is called `attention_mask` or `..._padding_mask`."""
    device: str | torch.device
    """By default, where the model's first parameter is."""
    seed: int
    regime: str
    """What the input is turned into, such as `x100`, `outlier` or `random`."""
    progress: bool
    """Whether to show a bar; by default in notebooks and terminals."""


class Reference(Where, total=False):
    """Settings of analyses that may have another reference than float32."""

    reference: Format
    """float32 or float64."""


class Uncast(Reference, total=False):
    """Settings of analyses that cast inputs."""

    wide_inputs: Sequence[str | int]
    """Inputs that are not cast, by the name of the argument or its place."""


class Cast(Uncast, total=False):
    """Settings of analyses that compare one candidate with the reference."""

    method: str
    keep: Sequence[str]
    """What the candidate keeps in the reference's precision: fqns of modules. `gate:wide` also leaves the output of
    `gate` in it, and `block:code` keeps the operators of `block` without the modules inside."""
    outputs: str | Sequence[str]
    """What the outputs are, such as `class-scores`, or `logits=class-scores` for the one called logits."""
    plan: Mapping[str, Format] | None
    """The format of each layer that has one of its own, by fqn; all else is in the reference's precision."""
    weights: Mapping[str, Format] | None
    """The format in which each parameter is stored that has one of its own, by name, such as `"float8_e4m3fn"`, or
    `"float8_e4m3fn*2^7"` where it is multiplied by 2^7 first; all else is in the reference's precision."""
    candidate_weights: str
    """Other weights of the same architecture for the candidate alone: a safetensors file, a folder, or `hf:…`."""


_NOT_THE_CALLERS = {"model", *INPUT} - {"seed"}
"""Settings by which a spec chooses a model and its input."""


def spec_of(analysis: Analysis, loaded: LoadedModel | None, settings: Mapping[str, Any]) -> RunSpec:
    """The request that these settings make of an analysis.

    Args:
        analysis: what is measured.
        loaded: the caller's model.
        settings: as they were given; None is the default.

    Raises:
        InputError: a setting that the analysis does not read, with those that it does; or a value that is none.
    """
    reads = [name for name in analysis.info.reads if name not in _NOT_THE_CALLERS]
    given = {name: value for name, value in settings.items() if value is not None}
    unread = [name for name in given if name not in reads]
    if unread:
        raise InputError(f"{analysis.value} does not read {', '.join(unread)}. It reads: {', '.join(reads)}.")
    for name in ("dtype", "reference"):
        if name in given:
            given[name] = format_name(given[name])
    if "device" in given:
        given["device"] = str(given["device"])  # which may be a torch.device
    if "formats" in given:
        given["formats"] = tuple(map(format_name, several(given["formats"])))
    if "plan" in given:
        if not given["plan"]:
            raise InputError("The plan names no layer.")
        given["plan"] = tuple((fqn, format_name(fmt)) for fqn, fmt in given["plan"].items())
        given.pop("dtype", None)  # that of the plan
    if "weights" in given:
        given["weights"] = tuple((name, format_name(fmt)) for name, fmt in given["weights"].items())
        if not given["weights"]:
            raise InputError("The weights name no parameter.")
        given.pop("dtype", None)  # that of the reference
    if "keep" in given:
        given["keep"] = several(given["keep"])
    if "wide_inputs" in given:
        given["wide_inputs"] = tuple(map(str, several(given["wide_inputs"])))
    if loaded is not None:
        chosen = loaded.asked or {"model": loaded.description.id}
        given = {**chosen, "device": _device_of(loaded), **given}
    return RunSpec.parse({**given, "analysis": analysis})


def several(given: Any) -> tuple[Any, ...]:
    """What may be given as one or as several; a text or a dtype is one."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)


def format_name(fmt: Format) -> str:
    """The name of a format, which may be given as a torch dtype."""
    return str(fmt).removeprefix("torch.")


def _device_of(loaded: LoadedModel) -> str:
    first = next(loaded.module.parameters(), None)
    device = "cpu" if first is None or first.is_meta else str(first.device)
    return f"{device}:0" if device == "cuda" else device
