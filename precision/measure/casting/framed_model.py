"""One copy of a model in which modules compute in several precisions, put together from whole casts."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import nn

from precision.errors import InputError
from precision.findings.frames import FramedModule, frames_of
from precision.measure.casting import castable
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.frames import Borrowed, Frame, lend, put_in_frame, store_on
from precision.measure.casting.methods import copied
from precision.measure.casting.sides import Side
from precision.results.flow import Flow, ModuleFlow


@dataclass(frozen=True, kw_only=True, eq=False)
class Cast:
    """A whole model in one precision."""

    model: CastModel
    side: Side

    @cached_property
    def modules(self) -> Mapping[str, nn.Module]:
        """The cast's modules by their first fqn."""
        return dict(self.model.stored.named_modules())


def framed_model(base: Cast, named: Mapping[str, Cast], *, stays_wide: Collection[str] = ()) -> CastModel:
    """A copy of `base.model` in which the named modules are those of other casts, and cast what crosses their borders.

    See `precision.findings.frames.frames_of`.

    Args:
        base: the cast that most of the model is in.
        named: the cast that a module is in, by its fqn.
        stays_wide: fqns of those whose outputs are not cast back.
    """
    stored = copied(base.model.stored, share_parameters=True)
    modules = dict(stored.named_modules())
    casts = list(dict.fromkeys((base, *named.values())))
    keys = {cast: str(place) for place, cast in enumerate(casts)}
    flows = [cast.side.flow for cast in casts if cast.side.flow.modules] or [_unrecorded(modules)]
    frames = frames_of(flows, {fqn: keys[cast] for fqn, cast in named.items()}, base=keys[base])
    for fqn, key in frames.held.items():
        _hold(modules, fqn, casts[int(key)])
    for framed in frames.modules:
        cast = casts[int(framed.precision)]
        frame = Frame(
            fqn=framed.fqn,
            side=cast.side,
            base=base.side,
            writes=framed.writes,
            stays_wide=framed.fqn in stays_wide,
            wide_inputs=frozenset() if framed.fqn else cast.model.wide_inputs,
        )
        put_in_frame(modules[framed.fqn], frame)
        lend(modules[framed.fqn], _borrowed(modules, framed, cast))
    return replace(base.model, stored=stored, fused=False)


def require_framed(module: nn.Module, fqns: Collection[str], *, purpose: str) -> dict[str, str]:
    """The first name in `module` of each module that is to have a frame, by the name given.

    Raises:
        InputError: there is no module of that name, or it is TorchScript.
    """
    modules = dict(module.named_modules(remove_duplicate=False))
    first = {id(child): name for name, child in module.named_modules()}
    for fqn in fqns:
        if fqn not in modules:
            raise castable.no_such_module(fqn, modules, purpose=purpose)
        if isinstance(modules[fqn], torch.jit.ScriptModule):
            raise InputError(
                f"{fqn or 'The model'} is a TorchScript module and cannot have a precision of its own. Name the module "
                "around it."
            )
    return {fqn: first[id(modules[fqn])] for fqn in fqns}


def _unrecorded(modules: Mapping[str, nn.Module]) -> Flow:
    """Of a model that was not run: every module may be called, and may compute."""
    return Flow(modules=tuple(ModuleFlow(fqn=fqn, inputs=((),), computes=True) for fqn in modules))


def _hold(modules: Mapping[str, nn.Module], fqn: str, cast: Cast) -> None:
    """Give a module the parameters and buffers that it has in a cast."""
    module, source = modules[fqn], cast.modules[fqn]
    if isinstance(module, torch.jit.ScriptModule):
        parent, _, name = fqn.rpartition(".")
        modules[parent]._modules[name] = copy.deepcopy(source)
        return
    for own, other in ((module._parameters, source._parameters), (module._buffers, source._buffers)):
        for name, tensor in other.items():
            if tensor is not None and own.get(name) is not None:
                setattr(module, name, tensor)  # also renews the flat weights of an LSTM
    store_on(module, cast.side)


def _borrowed(modules: Mapping[str, nn.Module], framed: FramedModule, cast: Cast) -> list[Borrowed]:
    lent = []
    for owner, name in framed.uses if cast.side.widened else framed.borrows:
        source = cast.modules[owner]
        table = "_parameters" if name in source._parameters else "_buffers"
        tensor = vars(source)[table][name]
        wide = cast.side.widened and tensor.is_floating_point()
        lent.append(Borrowed(modules[owner], table, name, tensor.to(cast.side.dtype) if wide else tensor))
    return lent
