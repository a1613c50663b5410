"""Which modules are layers, what they store in every format, and hooks on their calls."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from precision.formats import AnyFormat, ScaledFormat
from precision.measure.casting.forward import map_tensors
from precision.measure.casting.held_weights import estimated_bytes

Structure = tuple[tuple[object, ...], dict[str, object]]
"""Positional inputs and those by name."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One module without submodules whose forward was called and gave floating-point tensors."""

    fqn: str
    module: nn.Module
    calls: int
    block: str
    tied_to: tuple[str, ...]

    @property
    def is_norm(self) -> bool:
        """Whether it is a normalisation, by the name of its class."""
        return "norm" in type(self.module).__name__.lower()


def floating_tensors(structure: object) -> tuple[Tensor, ...]:
    """The real floating-point tensors in a structure, each once, in order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            found.append(tensor)
        return tensor

    map_tensors(structure, note)
    return tuple(found)


def leaves_of(module: nn.Module) -> dict[str, nn.Module]:
    """Modules without submodules by fqn, each under its first name; no TorchScript, which cannot be lowered."""
    return {
        name: child
        for name, child in module.named_modules()
        if not any(True for _ in child.children()) and not isinstance(child, torch.jit.ScriptModule)
    }


@contextmanager
def hooked(
    leaves: Mapping[str, nn.Module],
    *,
    before: Callable[[str, Structure], None] | None = None,
    after: Callable[[str, Structure, object], object],
) -> Iterator[None]:
    """Call `before` and `after` around every call of a leaf; what `after` returns, unless None, is its output.

    The hooks are the modules' own, not global ones: the fused kernels of `nn.TransformerEncoder`, which call no leaf,
    are off inside.
    """
    with ExitStack() as hooks:
        for fqn, leaf in leaves.items():

            def begin(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], fqn: str = fqn) -> None:
                if before is not None:
                    before(fqn, (args, kwargs))

            def end(
                _module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object, fqn: str = fqn
            ) -> object:
                return after(fqn, (args, kwargs), output)

            hooks.enter_context(leaf.register_forward_pre_hook(begin, with_kwargs=True))
            hooks.enter_context(leaf.register_forward_hook(end, with_kwargs=True))
        yield


def layers_of(module: nn.Module, calls: Mapping[str, int]) -> tuple[Layer, ...]:
    """The layers of `module`, in the order of `calls`: how often each was called, by fqn."""
    leaves = leaves_of(module)
    names = dict(module.named_modules())
    holders: dict[int, list[str]] = {}
    for fqn in calls:
        for tensor in _own_tensors(leaves[fqn]).values():
            if tensor.numel():
                holders.setdefault(tensor.untyped_storage().data_ptr(), []).append(fqn)
    return tuple(
        Layer(
            fqn=fqn,
            module=leaves[fqn],
            calls=count,
            block=_block(fqn, names),
            tied_to=tuple(
                dict.fromkeys(
                    other
                    for tensor in _own_tensors(leaves[fqn]).values()
                    for other in holders.get(tensor.untyped_storage().data_ptr(), ())
                    if other != fqn
                )
            ),
        )
        for fqn, count in calls.items()
    )


def _block(fqn: str, modules: Mapping[str, nn.Module]) -> str:
    """The outermost module around `fqn` that stands in a list beside another of its type."""
    parts = fqn.split(".")
    for depth in range(1, len(parts)):
        name, parent = ".".join(parts[:depth]), modules[".".join(parts[: depth - 1])]
        if isinstance(parent, nn.ModuleList | nn.Sequential | nn.ModuleDict):
            kind = type(modules[name])
            if sum(type(child) is kind for child in parent.children()) > 1:
                return name
    return ""


def weight_elements(module: nn.Module) -> int:
    """Elements of a leaf's own parameters and floating-point buffers."""
    return sum(tensor.numel() for tensor in _own_tensors(module).values() if tensor.is_floating_point())


def reference_bytes(module: nn.Module) -> int:
    """Bytes of a leaf's own parameters and buffers as they are."""
    return sum(tensor.nbytes for tensor in _own_tensors(module).values())


def stored_bytes(module: nn.Module, fmt: AnyFormat) -> int:
    """Bytes of a leaf's own parameters and buffers in `fmt`, scales included.

    Formats with scales take parameters of two dimensions and more; integers, booleans and complex numbers stay.
    """
    parameters = {id(parameter) for parameter in module.parameters(recurse=False)}
    return sum(
        estimated_bytes(tensor, fmt, module) if _is_lowered(tensor, fmt, id(tensor) in parameters) else tensor.nbytes
        for tensor in _own_tensors(module).values()
    )


def _is_lowered(tensor: Tensor, fmt: AnyFormat, is_parameter: bool) -> bool:
    if not tensor.is_floating_point():
        return False
    return not isinstance(fmt, ScaledFormat) or (is_parameter and tensor.dim() >= 2)


def fixed_bytes(module: nn.Module, layers: Collection[Layer]) -> int:
    """Bytes of the parameters and buffers that no layer holds; each tensor once."""
    inside = {id(tensor) for layer in layers for tensor in _own_tensors(layer.module).values()}
    outside = {id(tensor): tensor.nbytes for tensor in (*module.parameters(), *module.buffers())}
    return sum(size for key, size in outside.items() if key not in inside)


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
