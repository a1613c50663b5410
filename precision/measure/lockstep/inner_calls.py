"""The calls that a module's own code makes, kept until it returns, so that it can run again without these modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from precision.measure.casting.crossing import is_plain
from precision.measure.casting.forward import map_tensors, tensors_of
from precision.measure.lockstep.values import version_of

MAX_KEPT_BYTES = 2**28
"""Of what the modules inside one call return; a call whose modules return more is not evaluated again."""
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, kw_only=True, eq=False)
class Handed:
    """The tensors that a module is handed, positional ones first, and their versions when its call began."""

    tensors: Sequence[Tensor]
    versions: Sequence[int | None]

    @classmethod
    def of(cls, args: tuple[object, ...]) -> Handed:
        """Of positional arguments, at the beginning of the call."""
        tensors = tensors_of(args)
        return cls(tensors=tensors, versions=[version_of(each) for each in tensors])

    @property
    def changed(self) -> dict[int, Tensor]:
        """Those that were written to since, by their place."""
        known = enumerate(zip(self.tensors, self.versions, strict=True))
        return {at: tensor for at, (tensor, version) in known if version_of(tensor) != version}


@dataclass(frozen=True, kw_only=True, eq=False)
class InnerCall:
    """One of the calls, without its tensors."""

    fqn: str
    module: nn.Module
    handed: tuple[int | None, ...]
    """A checksum of each tensor that it was handed; None where that is not known."""
    returned_inputs: dict[int, int]
    """What it returned of the inputs that it changed: the place among its outputs, and that among its inputs."""
    random_state: tuple[Tensor, ...]
    """After the call."""


@dataclass(eq=False)
class InnerCalls:
    """All calls of one module's own code so far, in order."""

    calls: list[InnerCall] = field(default_factory=list)
    outputs: list[object] = field(default_factory=list)
    """What each returned; copies."""
    written: list[dict[int, Tensor]] = field(default_factory=list)
    """What each left in the positional tensors that it changed, by their place; copies."""
    missing: str = ""
    """Why they are not kept, if they are not."""
    _bytes: int = 0

    def add(
        self,
        module: nn.Module,
        output: object,
        *,
        fqn: str,
        handed: Handed,
        kwargs: object,
        random_state: tuple[Tensor, ...],
    ) -> None:
        """Keep a call that has returned; whatever cannot be copied ends the keeping, not the run."""
        if self.missing:
            return
        changed = handed.changed
        self._bytes += sum(each.nbytes for each in (*tensors_of(output), *changed.values()))
        if self._bytes > MAX_KEPT_BYTES:
            self._stop("the modules inside return too much to keep until it returns.")
            return
        places = {id(each): at for at, each in changed.items()}
        try:
            sums = [None if at in changed else checksum(each) for at, each in enumerate(handed.tensors)]
            # A hook of the module's own may have changed what it was passed by name.
            named = [None if module._forward_pre_hooks else checksum(each) for each in tensors_of(kwargs)]
            self.outputs.append(map_tensors(output, lambda tensor: tensor.detach().clone()))
            self.written.append({at: each.detach().clone() for at, each in changed.items()})
        except (RuntimeError, TypeError, NotImplementedError):
            self._stop("what the modules inside return cannot be copied.")
            return
        leaves = enumerate(pytree.tree_leaves(output))
        self.calls.append(
            InnerCall(
                fqn=fqn,
                module=module,
                handed=(*sums, *named),
                returned_inputs={at: places[id(leaf)] for at, leaf in leaves if id(leaf) in places},
                random_state=random_state,
            )
        )

    def _stop(self, why: str) -> None:
        self.missing = why
        self.outputs.clear()
        self.written.clear()


def checksum(tensor: Tensor) -> int | None:
    """A number for the bits of a tensor, and the order of its rows; None where they cannot be read."""
    if not is_plain(tensor) or tensor.is_meta:
        return None
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    rows = tensor.view(_INTEGERS[tensor.element_size()]).sum(-1, dtype=torch.int64).flatten()
    return int((rows * torch.arange(1, len(rows) + 1, device=rows.device)).sum())
