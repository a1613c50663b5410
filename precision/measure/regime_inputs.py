"""A loaded model in an input regime: its input changed where numbers enter it."""

import re
from dataclasses import replace

import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.casting.forward import map_tensors
from precision.measure.casting.methods import copied
from precision.measure.casting.mixins import mix_in
from precision.measure.models.loading import LoadedModel, argument_names
from precision.spec.regimes import GIVEN, OUTLIER, OUTLIER_FACTOR, RANDOM, canonical, factor_of, label_of

_MARKS_PLACES = re.compile("mask|position|type")
"""In the name of an argument: what it says is where tokens are, not which."""


NOTHING_TO_SCALE = "the input has no floating-point numbers and the model no embedding: there is nothing to scale."


class _Scaled:
    """An embedding whose vectors are multiplied: mixed into its class, so that its name and copies of it stay."""

    _input_factor: float
    _outlier: int | None

    def forward(self, *args: object, **kwargs: object) -> Tensor:
        """The embedding's vectors, `(..., features)`."""
        vectors: Tensor = super().forward(*args, **kwargs)  # type: ignore[misc]
        return _changed(vectors, self._input_factor, self._outlier)


def in_regime(loaded: LoadedModel, regime: str, *, seed: int) -> LoadedModel:
    """The model with its input in `regime`; of several batches, the first.

    Floating-point inputs are changed themselves. A model that takes only ids has no numbers there: the
    vectors that its embeddings give are changed.

    Raises:
        InputError: there is no such regime, or it scales and there is nothing to scale.
    """
    regime = canonical(regime)
    if regime == GIVEN:
        return loaded
    if regime != RANDOM and not can_scale(loaded):
        raise InputError(f"{label_of(regime).capitalize()}: {NOTHING_TO_SCALE} Choose {GIVEN} or {RANDOM}.")
    loaded = replace(loaded, more=())
    described = loaded.input.model_copy(
        update={
            "name": f"{loaded.input.name}, {label_of(regime)}",
            "real": loaded.input.real and regime != RANDOM,
        }
    )
    if regime == RANDOM:
        args, kwargs = _random(loaded, seed)
        return replace(loaded, args=args, kwargs=kwargs, input=described, labels=None, texts=())
    outlier = regime == OUTLIER
    if _takes_numbers(loaded):
        args, kwargs = _scaled_inputs(loaded.args, dict(loaded.kwargs), factor_of(regime), outlier=outlier)
        return replace(loaded, args=args, kwargs=kwargs, input=described)
    module = copied(loaded.module, share_parameters=True)
    scale_embeddings(module, factor_of(regime), outlier=outlier)
    return replace(loaded, module=module, input=described)


def scaled_run(
    loaded: LoadedModel, stored: tuple[nn.Module, ...], factor: float
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Inputs times `factor` for the casts in `stored`; a model of ids gets its embeddings scaled instead, in place."""
    if _takes_numbers(loaded):
        return _scaled_inputs(loaded.args, dict(loaded.kwargs), factor, outlier=False)
    for module in stored:
        scale_embeddings(module, factor)
    return loaded.args, dict(loaded.kwargs)


def scale_embeddings(module: nn.Module, factor: float, *, outlier: bool = False) -> None:
    """Have every embedding of `module` give its vectors times `factor`; of the outlier channel times 100.

    The channel is the one that is largest on average in the table of the first embedding.
    """
    embeddings = [child for child in module.modules() if isinstance(child, nn.Embedding)]
    channel = _largest_channel(embeddings[0].weight.detach().float(), dim=-1) if embeddings and outlier else None
    for child in embeddings:
        if not isinstance(child, _Scaled):
            mix_in(child, _Scaled)
        vars(child).update(_input_factor=factor, _outlier=channel)


def can_scale(loaded: LoadedModel) -> bool:
    """Whether there are numbers to multiply: floating-point inputs, or the vectors of embeddings."""
    return _takes_numbers(loaded) or any(isinstance(child, nn.Embedding) for child in loaded.module.modules())


def _takes_numbers(loaded: LoadedModel) -> bool:
    inputs = (*loaded.args, *loaded.kwargs.values())
    return any(isinstance(value, Tensor) and value.is_floating_point() for value in inputs)


def _scaled_inputs(
    args: tuple[object, ...], kwargs: dict[str, object], factor: float, *, outlier: bool
) -> tuple[tuple[object, ...], dict[str, object]]:
    def changed(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        dim = 1 if tensor.dim() == 4 and tensor.shape[1] > 1 else -1
        channel = _largest_channel(tensor, dim=dim) if outlier and tensor.dim() > 1 else None
        return _changed(tensor, factor, channel, dim=dim)

    return map_tensors((args, kwargs), changed)


def _changed(tensor: Tensor, factor: float, channel: int | None, *, dim: int = -1) -> Tensor:
    tensor = tensor * factor
    if channel is None or channel >= tensor.shape[dim]:
        return tensor
    tensor.select(dim, channel).mul_(OUTLIER_FACTOR)
    return tensor


def _largest_channel(tensor: Tensor, *, dim: int) -> int:
    """The place along `dim` with the largest values on average."""
    return int(tensor.abs().movedim(dim, -1).flatten(0, -2).mean(0).argmax())


def _random(loaded: LoadedModel, seed: int) -> tuple[tuple[object, ...], dict[str, object]]:
    """Inputs of the same shapes: numbers normal with the given mean and deviation, ids in random order.

    Masks, positions and token types stay as they are.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].reshape(tensor.shape)
        if not tensor.numel():
            return tensor
        noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
        return noise * tensor.std(correction=0) + tensor.mean()

    names = argument_names(loaded.module)
    named = {**dict(zip(names, loaded.args, strict=False)), **loaded.kwargs}
    redrawn = {
        name: value if _MARKS_PLACES.search(name) else map_tensors(value, drawn) for name, value in named.items()
    }
    return tuple(list(redrawn.values())[: len(loaded.args)]), {name: redrawn[name] for name in loaded.kwargs}
