"""Which modules of a model need a frame, when some of its modules are in other precisions than the rest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from precision.results.flow import Flow, ModuleFlow


class FramedModule(NamedTuple):
    """One module whose calls cast what crosses into another precision."""

    fqn: str
    precision: str
    """That its own code computes in."""
    writes: bool
    """Whether it writes to its inputs."""
    borrows: tuple[tuple[str, str], ...]
    """The tensors of other modules that its code needs in its own precision: fqn of their module, and name."""
    uses: tuple[tuple[str, str], ...]
    """These, and those that are in its own precision as it is."""


class Frames(NamedTuple):
    """How a model is put together."""

    modules: tuple[FramedModule, ...]
    held: Mapping[str, str]
    """The precision of each module's own parameters and buffers, where it is not the base's."""


def frames_of(flows: Sequence[Flow], named: Mapping[str, str], *, base: str) -> Frames:
    """The frames of a model in the precision `base`, in which the named modules are in others.

    A name stands for a module's own code and its own parameters and buffers, not for the modules inside it. A module
    without a name is the base's; but one whose own code makes no values (as a `Sequential`'s) takes them as they come,
    and one that is never called by itself (as `MultiheadAttention.out_proj`) belongs to the module that uses it.

    Args:
        flows: of runs in the precisions that occur; each has all modules of the model, in the same order.
        named: the precision of a module, by its first fqn.
        base: the precision of all else.
    """
    merged = {fqn: _merged(fqn, flows) for fqn in dict.fromkeys(fqn for flow in flows for fqn in flow.by_name)}
    computing = {
        fqn: precision for fqn, module in merged.items() if (precision := _computing(module, named, base)) is not None
    }
    held = {fqn: _held(fqn, merged, computing, base) for fqn in merged}
    frames = []
    for fqn, precision in computing.items():
        borrows = tuple(each for each in merged[fqn].borrows if held.get(each[0]) != precision)
        callers = (*merged[fqn].callers, *_around(fqn))
        if borrows or precision != base or any(computing.get(caller, base) != base for caller in callers):
            frames.append(FramedModule(fqn, precision, merged[fqn].writes, borrows, merged[fqn].borrows))
    return Frames(tuple(frames), {fqn: precision for fqn, precision in held.items() if precision != base})


def places_of(flows: Iterable[Flow]) -> tuple[str, ...]:
    """The modules that compute by themselves, in the order of the model, itself first.

    Modules without others inside, those whose own code makes values, and the model, for its inputs and outputs.
    """
    names = {
        module.fqn: None
        for flow in flows
        for module in flow.modules
        if not module.fqn or (module.inputs and not module.is_scripted and (module.is_leaf or _has_own_code(module)))
    }
    return tuple(names)


def _has_own_code(module: ModuleFlow) -> bool:
    return module.computes or bool(module.borrows)


def _merged(fqn: str, flows: Sequence[Flow]) -> ModuleFlow:
    """What all runs together show of a module."""
    seen = [flow.by_name[fqn] for flow in flows if fqn in flow.by_name]
    return ModuleFlow(
        fqn=fqn,
        inputs=next((module.inputs for module in seen if module.inputs), ()),
        computes=any(module.computes for module in seen),
        writes=any(module.writes for module in seen),
        borrows=tuple(sorted({each for module in seen for each in module.borrows})),
        callers=tuple(dict.fromkeys(caller for module in seen for caller in module.callers)),
        is_leaf=seen[0].is_leaf,
        is_scripted=seen[0].is_scripted,
    )


def _computing(module: ModuleFlow, named: Mapping[str, str], base: str) -> str | None:
    """The precision of a module's own code; None for code that takes values as they come, or is never called."""
    if module.fqn in named:
        return named[module.fqn]
    is_base = module.inputs and not module.is_scripted and _has_own_code(module)
    return base if is_base else None


def _held(fqn: str, merged: Mapping[str, ModuleFlow], computing: Mapping[str, str], base: str) -> str:
    """The precision of a module's own tensors: of its code, of the only code that uses them, or of what is around."""
    if fqn in computing:
        return computing[fqn]
    users = {
        computing[user]
        for user, module in merged.items()
        if user in computing and any(owner == fqn for owner, _ in module.borrows)
    }
    if len(users) == 1:
        return users.pop()
    return next((computing[outer] for outer in _around(fqn) if outer in computing), base)


def _around(fqn: str) -> Iterator[str]:
    """The fqns of the modules around one, the innermost first, the model itself last."""
    while fqn:
        fqn = fqn.rpartition(".")[0]
        yield fqn
