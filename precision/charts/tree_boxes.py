"""Trees with more boxes than can be drawn: which boxes are opened, and which neighbours share one."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Self, TypeVar

MAX_NODES = 240
"""Boxes per panel: more could not be read, and each costs up to 1 kB."""
MAX_CHILDREN = 24
"""Where a box has more parts, neighbours share a box of at most 2 / `MAX_CHILDREN` of its weight."""


@dataclass(eq=False)
class Box:
    """A module or a part of one. Subclasses say how much it weighs and how it adds up what is in it."""

    label: str
    fqn: str
    type: str
    children: list[Self] = field(default_factory=list)

    @property
    def weight(self) -> int:
        """What its size stands for; a box that weighs nothing is not drawn."""
        raise NotImplementedError

    @property
    def what(self) -> str:
        """Whole name and type."""
        return f"{self.fqn or 'the model'} ({self.type})"

    def add(self, other: Self) -> None:
        """Add what `other` holds."""
        raise NotImplementedError

    def emptied(self) -> Self:
        """The same, holding nothing yet."""
        raise NotImplementedError


B = TypeVar("B", bound=Box)


def opened(root: B) -> Iterator[tuple[int | None, B]]:
    """The root and as many of its descendants as may be drawn; the heaviest box is opened first.

    Each comes with the place of the box around it; None for the root.
    """
    yield None, root
    drawn = 1
    closed = [(-root.weight, 0, root)]
    while closed:
        _, parent, box = heappop(closed)
        children = _boxes_in(box)
        if drawn + len(children) > MAX_NODES:
            continue
        for child in children:
            yield parent, child
            heappush(closed, (-child.weight, drawn, child))
            drawn += 1


def _boxes_in(box: B) -> list[B]:
    """The children that weigh something, in the model's order; where there are many, light neighbours share a box."""
    children = [_without_single_steps(child) for child in box.children if child.weight]
    if len(children) <= MAX_CHILDREN:
        return children
    limit = 2 * box.weight / MAX_CHILDREN
    runs: list[list[B]] = [[]]
    weight = 0
    for child in children:
        if runs[-1] and weight + child.weight > limit:
            runs.append([])
            weight = 0
        runs[-1].append(child)
        weight += child.weight
    return [_together(run) for run in runs]


def _together(run: list[B]) -> B:
    if len(run) == 1:
        return run[0]
    box = run[0].emptied()
    box.label = f"{run[0].label} … {run[-1].label}"
    box.fqn = f"{run[0].fqn} … {run[-1].fqn}"
    box.type = f"{len(run):,} neighbours"
    box.children = run
    for child in run:
        box.add(child)
    return box


def _without_single_steps(box: B) -> B:
    """`encoder` that only holds `layer` is one box, `encoder.layer`."""
    labels = [box.label]
    while len(box.children) == 1 and box.children[0].children:
        box = box.children[0]
        labels.append(box.label)
    return replace(box, label=".".join(labels)) if len(labels) > 1 else box
