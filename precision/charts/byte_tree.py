"""A cast audit as a tree: modules, with tensors as leaves, each with its bytes by dtype before and after."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Self

from precision.charts.stored_bytes import SIDES, Side, counted_bytes, dtype_on
from precision.charts.tree_boxes import Box
from precision.results import CastAudit, TensorAudit
from precision.text.names import enclosing


def _no_sizes() -> dict[Side, Counter[str]]:
    return {side: Counter() for side in SIDES}


@dataclass(eq=False)
class Branch(Box):
    """A module or a tensor; `sizes` holds the bytes of everything below it, by dtype, without zeros."""

    sizes: dict[Side, Counter[str]] = field(default_factory=_no_sizes)

    @property
    def weight(self) -> int:
        """The larger of its bytes before and after."""
        return max(map(self.bytes_on, SIDES))

    def bytes_on(self, side: Side) -> int:
        """Its bytes before or after."""
        return self.sizes[side].total()

    def add(self, other: Self) -> None:
        """Add `other`'s bytes."""
        for side in SIDES:
            self.sizes[side].update(other.sizes[side])

    def emptied(self) -> Self:
        """The same, holding no bytes yet."""
        return replace(self, sizes=_no_sizes())


def byte_tree(audit: CastAudit) -> Branch:
    """The root of the tree; a tensor is put into the deepest module that its name begins with."""
    modules = {"": Branch(label="model", fqn="", type="module")}
    # Shorter names first: a parent is there before its children, whatever the audit's order.
    for module in sorted(audit.modules, key=lambda module: module.fqn.count(".") if module.fqn else -1):
        if not module.fqn:
            modules[""].type = module.type
        elif module.fqn not in modules:
            owner = modules[enclosing(module.fqn, modules)]
            modules[module.fqn] = Branch(label=_within(module.fqn, owner), fqn=module.fqn, type=module.type)
            owner.children.append(modules[module.fqn])
    for tensor in audit.tensors:
        _hang(tensor, modules)
    return modules[""]


def _within(fqn: str, owner: Branch) -> str:
    return fqn.removeprefix(f"{owner.fqn}.") if owner.fqn else fqn


def _hang(tensor: TensorAudit, modules: dict[str, Branch]) -> None:
    owner = modules[enclosing(tensor.fqn, modules)]
    leaf = Branch(label=_within(tensor.fqn, owner), fqn=tensor.fqn, type=f"{tensor.kind} {list(tensor.shape)}")
    for side in SIDES:
        if size := counted_bytes(tensor, side):
            leaf.sizes[side][dtype_on(tensor, side)] = size
    owner.children.append(leaf)
    branch = owner
    while True:
        branch.add(leaf)
        if not branch.fqn:
            return
        branch = modules[enclosing(branch.fqn, modules)]
