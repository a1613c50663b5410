"""A run in which every call of one operator in one module does something else."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from precision.measure.casting.forward import map_tensors, tensors_of
from precision.measure.casting.memory_spans import storage_of
from precision.measure.casting.operator_names import operator_name

T = TypeVar("T")
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Change = Callable[[Callable[..., object], Arguments], object]
"""Called with the operator and its arguments instead of the operator."""


@contextmanager
def open_calls(module: nn.Module) -> Iterator[list[str]]:
    """Inside, the fqns of the modules in `module` whose forwards are running, the innermost last."""
    names = {id(child): name for name, child in module.named_modules()}
    calls: list[str] = []

    def enter(child: nn.Module, _args: object) -> None:
        if id(child) in names:
            calls.append(names[id(child)])

    def leave(child: nn.Module, _args: object, _output: object) -> None:
        if id(child) in names and calls:
            calls.pop()

    with ExitStack() as stack:
        stack.enter_context(register_module_forward_pre_hook(enter))
        stack.enter_context(register_module_forward_hook(leave, always_call=True))
        yield calls


@contextmanager
def changed_operators(
    module: nn.Module, fqn: str, operator: str, change: Change, *, handed_in: torch.dtype | None = None
) -> Iterator[None]:
    """Inside, operators of that name that the code of module `fqn` itself calls are `change`d; all without a name.

    What that code hands to the modules in it is cast to `handed_in`, where given.
    """
    inner = {id(child) for child in module.modules()}

    def hand_in(child: nn.Module, args: tuple[object, ...]) -> Any:  # arguments to use instead, or None
        is_inside = calls[-1:] == [fqn] and id(child) in inner
        return _cast(args, handed_in) if is_inside and handed_in is not None else None

    class Changed(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[object, ...] = (), kwargs: Mapping[str, object] | None = None
        ) -> object:
            is_meant = calls[-1:] == [fqn] and operator in ("", operator_name(func))
            given = (args, dict(kwargs or {}))
            return change(func, given) if is_meant else func(*given[0], **given[1])

    with register_module_forward_pre_hook(hand_in), open_calls(module) as calls, Changed():
        yield


def in_wide(wide: torch.dtype, *, device: str, stays_wide: bool, exact: Mapping[int, Tensor] | None = None) -> Change:
    """The operator in `wide`, outside autocast; its result cast to the dtype of its inputs, unless it `stays_wide`.

    `exact` has what the model stores before the cast, by the address of what it stores after it.
    """

    def widened(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        stored = (exact or {}).get(storage_of(tensor))
        return stored if stored is not None and stored.shape == tensor.shape else tensor.to(wide)

    def change(func: Callable[..., object], given: Arguments) -> object:
        args, kwargs = map_tensors(given, widened)
        with torch.autocast(device, enabled=False):
            output = func(*args, **kwargs)
        dtypes = () if stays_wide else [each.dtype for each in tensors_of(given) if each.is_floating_point()]
        return _cast(output, functools.reduce(torch.promote_types, dtypes)) if dtypes else output

    return change


def _cast(structure: T, dtype: torch.dtype) -> T:
    return map_tensors(structure, lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def with_input(place: int, raised: Callable[[Tensor], Tensor]) -> Change:
    """The operator with one argument changed."""

    def change(func: Callable[..., object], given: Arguments) -> object:
        args, kwargs = given
        if place >= len(args) or not isinstance(args[place], Tensor):
            return func(*args, **kwargs)
        return func(*args[:place], raised(args[place]), *args[place + 1 :], **kwargs)

    return change


def with_eps(eps: float) -> Change:
    """The operator with another `eps`."""

    def change(func: Callable[..., object], given: Arguments) -> object:
        return func(*given[0], **{**given[1], "eps": eps})

    return change


def with_output(bounded: Callable[[Tensor], Tensor]) -> Change:
    """The operator with its floating-point results changed."""

    def change(func: Callable[..., object], given: Arguments) -> object:
        output = func(*given[0], **given[1])
        return map_tensors(output, lambda tensor: bounded(tensor) if tensor.is_floating_point() else tensor)

    return change
