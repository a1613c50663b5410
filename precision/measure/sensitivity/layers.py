"""Which modules are layers, what they store in every format, and hooks on their calls."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from precision.findings.frames import frames_of, places_of
from precision.formats import AnyFormat, ScaledFormat
from precision.measure.casting.forward import is_leaf, map_tensors
from precision.measure.casting.held_weights import estimated_bytes
from precision.measure.casting.stored_tensors import stored_tensors
from precision.results.flow import Flow
from precision.results.sensitivity import OutsideLayers

Structure = tuple[tuple[object, ...], dict[str, object]]
"""Positional inputs and those by name."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One module whose forward was called and gave floating-point tensors: without others inside, or with own code."""

    fqn: str
    module: nn.Module
    calls: int
    block: str
    tied_to: tuple[str, ...]
    held: tuple[nn.Module, ...]
    """The modules whose own tensors belong to it: itself, and those that only its code uses, without calling them."""

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


def layer_modules(module: nn.Module, flow: Flow) -> dict[str, nn.Module]:
    """The modules of `module` that may be layers by fqn, each under its first name; `flow` is of a run of it.

    Those without modules inside, and those whose own code, between the modules inside, makes values; the model itself
    also where its code only hands on tensors of its own. No TorchScript, which cannot be lowered.
    """
    modules = dict(module.named_modules())
    found = {fqn: modules[fqn] for fqn in places_of([flow])}
    if not is_leaf(module) and not flow.by_name[""].computes:
        held = frames_of([flow], {fqn: fqn for fqn in found if fqn}, base="\0").held
        called = (each for each in flow.modules if each.inputs and not each.is_scripted and each.fqn not in held)
        if not any(_own_tensors(modules[each.fqn]) for each in called):
            del found[""]
    return {fqn: each for fqn, each in found.items() if not isinstance(each, torch.jit.ScriptModule)}


@contextmanager
def hooked(
    leaves: Mapping[str, nn.Module],
    *,
    before: Callable[[str, Structure], None] | None = None,
    after: Callable[[str, Structure, object], object],
) -> Iterator[None]:
    """Call `before` and `after` around every call of a layer; what `after` returns, unless None, is its output.

    The hooks are the modules' own, not global ones: the fused kernels of `nn.TransformerEncoder`, which call no layer,
    are off inside. Code that calls a layer's `forward` itself, past all hooks, is seen too.
    """
    with ExitStack() as hooks:
        for fqn, leaf in leaves.items():
            hooks.enter_context(_hooked(leaf, partial(before, fqn) if before else None, partial(after, fqn)))
        yield


@contextmanager
def _hooked(
    leaf: nn.Module, before: Callable[[Structure], None] | None, after: Callable[[Structure, object], object]
) -> Iterator[None]:
    forward, is_inside = leaf.forward, False

    def begin(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        nonlocal is_inside
        is_inside = True
        if before is not None:
            before((args, kwargs))

    def run(*args: object, **kwargs: object) -> object:
        nonlocal is_inside
        if is_inside:
            is_inside = False
            return forward(*args, **kwargs)
        begin(leaf, args, kwargs)
        output = run(*args, **kwargs)
        changed = after((args, kwargs), output)
        return output if changed is None else changed

    def end(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object) -> object:
        return after((args, kwargs), output)

    own = vars(leaf).get("forward")
    leaf.forward = run
    try:
        with (
            leaf.register_forward_pre_hook(begin, with_kwargs=True),
            leaf.register_forward_hook(end, with_kwargs=True),
        ):
            yield
    finally:
        del leaf.forward
        if own is not None:
            leaf.forward = own


def layers_of(module: nn.Module, calls: Mapping[str, int], flow: Flow) -> tuple[Layer, ...]:
    """The layers of `module`, in the order of `calls`: how often each was called, by fqn; `flow` is of the same run."""
    names = dict(module.named_modules())
    held: dict[str, list[nn.Module]] = {fqn: [] for fqn in calls}
    for fqn, layer in frames_of([flow], {fqn: fqn for fqn in calls}, base="\0").held.items():
        held[layer].append(names[fqn])
    holders: dict[int, list[str]] = {}
    for fqn in calls:
        for tensor in _tensors_of(held[fqn]).values():
            if tensor.numel():
                holders.setdefault(tensor.untyped_storage().data_ptr(), []).append(fqn)
    return tuple(
        Layer(
            fqn=fqn,
            module=names[fqn],
            calls=count,
            block=_block(fqn, names),
            tied_to=tuple(
                dict.fromkeys(
                    other
                    for tensor in _tensors_of(held[fqn]).values()
                    for other in holders.get(tensor.untyped_storage().data_ptr(), ())
                    if other != fqn
                )
            ),
            held=tuple(held[fqn]),
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


def weight_elements(layer: Layer) -> int:
    """Elements of a layer's own parameters and floating-point buffers."""
    return sum(tensor.numel() for tensor in _tensors_of(layer.held).values() if tensor.is_floating_point())


def reference_bytes(layer: Layer) -> int:
    """Bytes of a layer's own parameters and buffers as they are."""
    return sum(tensor.nbytes for tensor in _tensors_of(layer.held).values())


def stored_bytes(layer: Layer, fmt: AnyFormat) -> int:
    """Bytes of a layer's own parameters and buffers in `fmt`, scales included.

    Formats with scales take parameters of two dimensions and more; integers, booleans and complex numbers stay.
    """
    return _bytes_in(layer.held, fmt)


def outside(module: nn.Module, layers: Collection[Layer]) -> tuple[OutsideLayers, ...]:
    """The tensors that no layer holds, each once: parameters, buffers and plain attributes."""
    seen = {id(tensor) for layer in layers for tensor in _tensors_of(layer.held).values()}
    found = []
    for stored in stored_tensors(module):
        if id(stored.tensor) not in seen:
            seen.add(id(stored.tensor))
            found.append(OutsideLayers(fqn=stored.fqn, kind=stored.kind, bytes=stored.tensor.nbytes))
    return tuple(found)


def _bytes_in(modules: Sequence[nn.Module], fmt: AnyFormat) -> int:
    counted: dict[int, int] = {}
    for module in modules:
        parameters = {id(parameter) for parameter in module.parameters(recurse=False)}
        for tensor in _own_tensors(module).values():
            lowered = _is_lowered(tensor, fmt, id(tensor) in parameters)
            counted[id(tensor)] = estimated_bytes(tensor, fmt, module) if lowered else tensor.nbytes
    return sum(counted.values())


def _is_lowered(tensor: Tensor, fmt: AnyFormat, is_parameter: bool) -> bool:
    if not tensor.is_floating_point():
        return False
    return not isinstance(fmt, ScaledFormat) or (is_parameter and tensor.dim() >= 2)


def _tensors_of(modules: Sequence[nn.Module]) -> dict[int, Tensor]:
    return {id(tensor): tensor for module in modules for tensor in _own_tensors(module).values()}


def _own_tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
