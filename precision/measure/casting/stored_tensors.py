"""Every tensor that a module stores, by name: parameters, buffers, and tensors held as plain attributes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from precision.results import TensorKind


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    """One tensor of a module, under one of its names."""

    fqn: str
    module: str
    """fqn of the module that holds it."""
    kind: TensorKind
    tensor: Tensor


def stored_tensors(module: nn.Module) -> tuple[StoredTensor, ...]:
    """Every tensor of `module` and its submodules, in the order of `named_modules()`.

    A tensor with several names (a tied weight, a module used twice) is listed under each. Plain attributes
    are tensors in a module's `__dict__`, also in a list, tuple or dict there, one level deep; those that are
    registered parameters or buffers (such as the flat weights of an LSTM) are not listed again.
    """
    registered = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
    return tuple(
        StoredTensor(fqn=f"{name}.{key}" if name else key, module=name, kind=kind, tensor=tensor)
        for name, child in module.named_modules(remove_duplicate=False)
        for key, kind, tensor in _direct(child)
        if kind != "attribute" or id(tensor) not in registered
    )


def _direct(module: nn.Module) -> Iterator[tuple[str, TensorKind, Tensor]]:
    for key, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
        yield key, "parameter", parameter
    transient: set[str] = getattr(module, "_non_persistent_buffers_set", set())
    for key, buffer in module.named_buffers(recurse=False, remove_duplicate=False):
        yield key, "non-persistent buffer" if key in transient else "buffer", buffer
    for key, value in vars(module).items():
        if key in {"_parameters", "_buffers", "_modules"}:
            continue
        for suffix, tensor in _held(value):
            yield f"{key}{suffix}", "attribute", tensor


def _held(value: object) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield "", value
        return
    items: list[tuple[object, object]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list | tuple):
        items = list(enumerate(value))
    for key, item in items:
        if isinstance(item, Tensor):
            yield f"[{key!r}]", item
