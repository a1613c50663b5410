"""Evaluating a module call again: with which inputs, on which module, and when that is not possible."""

import copy
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from precision.errors import PrecisionError
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import map_tensors
from precision.measure.lockstep.observer import Returned

_PLAIN = (str, bytes, int, float, complex, bool, type(None), torch.dtype, torch.device, torch.layout, slice, range)

Inputs = tuple[tuple[object, ...], dict[str, object]]
T = TypeVar("T")


class NotSeparableError(PrecisionError):
    """Why a call cannot be evaluated again."""


def is_certain(module: nn.Module, model: CastModel) -> bool:
    """Whether the module is known to be a function of its inputs: one of torch's own, without hooks of the model's."""
    if not type(module).__module__.startswith("torch.nn.modules."):
        return False
    # Where formats are simulated, the hooks are those that round, and the observer's.
    return (
        model.rounded_to is not None
        or model.quantized_to is not None
        or not (module._forward_hooks or module._forward_pre_hooks)
    )


def copy_of(module: nn.Module, model: CastModel, *, without: Iterable[nn.Module] = ()) -> nn.Module:
    """A copy that shares the parameters, so that what an evaluation changes is lost with it.

    The modules inside that it is `without` are not copied, but shared.
    """
    shared: list[object] = [
        each for child in module.modules() for each in child._parameters.values() if each is not None
    ]
    shared += without
    try:
        # Hooks may be methods of the model: it is not to be copied with them.
        return copy.deepcopy(module, {id(model): model, **{id(each): each for each in shared}})
    except Exception as error:
        raise NotSeparableError(f"it cannot be copied: {error}") from error


def inputs_of(returned: Returned) -> Inputs:
    """What the call was given: kept from its beginning where it may have been changed."""
    given = returned.frame.given
    return (given if len(given) == len(returned.args) else returned.args), dict(returned.kwargs)


def clones(inputs: T) -> T:
    """New tensors; one that is given twice stays one."""
    return map_tensors(inputs, lambda tensor: tensor.detach().clone())


def require_alike(x: object, x_low: object) -> None:
    """Check that both sides were given tensors of the same shapes in the same places.

    Raises:
        NotSeparableError: they were not.
    """
    one, other = (pytree.tree_leaves(inputs) for inputs in (x, x_low))
    if len(one) != len(other) or any(_shape(a) != _shape(b) for a, b in zip(one, other, strict=True)):
        raise NotSeparableError("its inputs differ in structure between the two sides.")


def _shape(leaf: object) -> object:
    return tuple(leaf.shape) if isinstance(leaf, Tensor) else None


def with_dtypes(inputs: T, like: T) -> T:
    """`inputs`, its floating-point tensors in the dtypes of those of `like`; one that is given twice stays one."""
    leaves, spec = pytree.tree_flatten(inputs)
    others = pytree.tree_leaves(like)
    made: dict[tuple[int, torch.dtype], Tensor] = {}

    def cast(leaf: object, other: object) -> object:
        if not (isinstance(leaf, Tensor) and leaf.is_floating_point() and isinstance(other, Tensor)):
            return leaf
        return made.setdefault((id(leaf), other.dtype), leaf.to(other.dtype))

    turned: T = pytree.tree_unflatten([cast(*each) for each in zip(leaves, others, strict=True)], spec)
    return turned


def require_plain(structure: object, what: str = "arguments") -> None:
    """Check that a structure, of the call's `what`, holds tensors and plain values.

    Raises:
        NotSeparableError: there is an object that may keep state, such as a cache.
    """
    for leaf in pytree.tree_leaves(structure):
        if not isinstance(leaf, (Tensor, *_PLAIN)):
            raise NotSeparableError(f"one of its {what} is a {type(leaf).__name__}, which may keep state.")


def weights_of(module: nn.Module, *, like: nn.Module) -> dict[str, Tensor]:
    """The floating-point parameters and buffers of `module` in the dtypes of those of `like`."""
    mine = dict((*module.named_parameters(), *module.named_buffers()))
    return {
        name: mine[name].detach().to(tensor.dtype)
        for name, tensor in (*like.named_parameters(), *like.named_buffers())
        if name in mine and tensor.is_floating_point() and mine[name].shape == tensor.shape
    }
