"""A module that somebody holds in their hands, with inputs of their own."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from precision.errors import InputError, UnsupportedError
from precision.measure.casting.methods import copied
from precision.measure.models.built import Batch
from precision.measure.models.loading import LoadedModel, tensors_of
from precision.models.opened import OWN_PREFIX
from precision.results import InputChoice, InputDescription, ModelDescription
from precision.text.names import plain

Labels: TypeAlias = Tensor | Sequence[int] | str | int | None
"""True classes, or where the inputs hold them."""
_OWN_INPUT = InputChoice(name="own", description="The caller's own.", real=True, takes_batch=False)


def own_model(
    module: nn.Module, inputs: object, *, labels: Labels = None, mask: Tensor | str | None = None
) -> LoadedModel:
    """A copy of a caller's module for analyses to run: in eval mode, sharing only the parameters with the original.

    Args:
        module: in whatever mode. Of a compiled module, the one that was compiled.
        inputs: a tensor; a tuple of positional arguments; a mapping of named ones; or batches of those, as a list, a
            `DataLoader` or anything else to iterate over, which is read once.
        labels: true classes `(samples,)`, whole numbers; or, where the inputs hold them, their name or place there.
            They are taken out, since the model is not called with them.
        mask: `(texts, positions)`, not zero where there is data and zero at padding, which enters no metric; or the
            name of the argument that says so, of that shape or `(texts, heads, queries, keys)`. By default one called
            `attention_mask` or `..._padding_mask`.

    Raises:
        InputError: the inputs are none of these, are not what the module's forward takes, or hold no such labels.
        UnsupportedError: not a module, or one that cannot be copied.
    """
    if not isinstance(module, nn.Module):
        raise UnsupportedError(_not_a_module(module))
    module = _copy_of(getattr(module, "_orig_mod", module))  # of what torch.compile made
    is_one = isinstance(inputs, Tensor | tuple | Mapping) or not isinstance(inputs, Iterable)
    given: Iterable[object] = (inputs,) if is_one or not isinstance(inputs, Iterable) else inputs
    if labels is not None and not isinstance(labels, str | int):
        labels = _classes(labels)
    batches = (_batch(each, labels) for each in given)
    first = next(batches, None)
    if first is None:
        raise InputError("The inputs hold no batch. Pass at least one.")
    _require_taken(module, first)
    name = plain(type(module).__name__)
    return LoadedModel(
        module=module,
        args=first.args,
        kwargs=first.kwargs,
        description=ModelDescription(
            id=f"{OWN_PREFIX}{name}",
            title=name,
            family="Own",
            weights="own",
            licence="",
            good_for="",
            parameters=sum(each.numel() for each in module.parameters() if not is_lazy(each)),
            inputs=(_OWN_INPUT,),
        ),
        input=InputDescription(
            name=_OWN_INPUT.name, real=True, tensors=tuple(tensors_of(module, first.args, first.kwargs))
        ),
        labels=labels if isinstance(labels, Tensor) else first.labels,
        more=() if is_one else batches,
        mask=mask,
    )


def _not_a_module(given: object) -> str:
    if isinstance(given, type):
        return f"A torch.nn.Module is needed, not the class {given.__name__}. Create an instance first."
    if isinstance(given, str):
        return f"A torch.nn.Module is needed, not a name. A model of the catalogue is precision.load({given[:60]!r})."
    return f"A torch.nn.Module is needed, not {type(given).__name__}. Wrap a function in a module that calls it."


def _require_taken(module: nn.Module, batch: Batch) -> None:
    """Check that the module's own forward can be called so; one that a hook prepares arguments for is left to try."""
    if isinstance(module, torch.jit.ScriptModule) or module._forward_pre_hooks or not (batch.args or batch.kwargs):
        return
    try:
        inspect.signature(module.forward, follow_wrapped=False).bind(*batch.args, **batch.kwargs)
    except TypeError as error:
        by_place = [f"{len(batch.args)} by place"] if batch.args else []
        raise InputError(
            f"{type(module).__name__}.forward cannot be called with these inputs "
            f"({', '.join([*by_place, *batch.kwargs])}): {error}. A tuple holds arguments by place, a dict by name; "
            "a dict that is one argument goes into a tuple. If an argument holds the labels, say which, such as "
            "labels=1 or labels='labels'."
        ) from error
    except ValueError:  # nothing is known of what it takes
        return


def _classes(labels: Any) -> Tensor:
    """True classes as a tensor."""
    try:
        found = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"Labels are whole numbers, one for each sample; got {type(labels).__name__}: {error}"
        ) from error
    if found.is_floating_point() or found.is_complex():
        kind = str(found.dtype).removeprefix("torch.")
        raise InputError(f"Labels are whole numbers, one for each sample; got {kind} of shape {list(found.shape)}.")
    return found.to(torch.int64).reshape(found.shape or (1,))


def _copy_of(module: nn.Module) -> nn.Module:
    if isinstance(module, torch.jit.ScriptModule):  # is copied as a whole, when it is cast
        return module
    try:
        return copied(module, share_parameters=True).eval()
    except Exception as error:
        name = type(module).__name__
        raise UnsupportedError(
            f"{name} cannot be copied, so nothing can be cast without changing it: {error}"
        ) from error


def _batch(inputs: object, labels: Tensor | str | int | None) -> Batch:
    """One call's arguments, and the labels that were among them."""
    inputs, taken = (inputs, None) if labels is None or isinstance(labels, Tensor) else _without_labels(inputs, labels)
    if isinstance(inputs, Tensor):
        return Batch((inputs,), {}, taken)
    if isinstance(inputs, tuple | list):  # a list, as a DataLoader gives it
        return Batch(tuple(inputs), {}, taken)
    if isinstance(inputs, Mapping):
        return Batch((), dict(inputs), taken)
    raise InputError(
        "Inputs are a tensor, a tuple of arguments, a dict of named ones, or batches of these; "
        f"not {type(inputs).__name__}."
    )


def _without_labels(inputs: object, at: str | int) -> tuple[object, Tensor]:
    try:
        if isinstance(at, str) and isinstance(inputs, Mapping):
            return {name: value for name, value in inputs.items() if name != at}, _classes(inputs[at])
        if isinstance(at, int) and isinstance(inputs, tuple | list):
            place = range(len(inputs))[at]
            return (*inputs[:place], *inputs[place + 1 :]), _classes(inputs[place])
    except (KeyError, IndexError) as error:
        raise InputError(f"labels = {at!r}: the inputs hold nothing there.") from error
    raise InputError(
        f"labels = {at!r}: give their name where the inputs are a dict, and their place where they are a tuple; "
        f"these are a {type(inputs).__name__}."
    )
