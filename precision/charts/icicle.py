"""Trees of modules: boxes within boxes, the outermost at the left, and which of them are drawn where they are many."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import NamedTuple, Self, TypeVar

import plotly.graph_objects as go

from precision.charts.palette import OUTLINE, text_on
from precision.text.names import enclosing, for_plotly

MAX_NODES = 240
"""Boxes per panel: more could not be read, and each costs up to 1 kB."""
MAX_CHILDREN = 24
"""Where a box has more parts, neighbours share a box of at most 2 / `MAX_CHILDREN` of its weight."""
_LEVELS = 4
_LABEL_CHARACTERS = 28


@dataclass(eq=False)
class Box:
    """A module or a part of one. Subclasses say how much it weighs and how it adds up what is in it."""

    label: str
    fqn: str
    type: str
    children: list[Self] = field(default_factory=list)
    parent: int | None = None
    """The place of the box around it among those that are drawn."""

    @property
    def weight(self) -> int:
        """What its size stands for; a box that weighs nothing is not drawn."""
        raise NotImplementedError

    @property
    def rank(self) -> float:
        """For a heap: the box to open first has the least."""
        return -self.weight

    @property
    def what(self) -> str:
        """Whole name and type."""
        return f"{self.fqn or 'the model'} ({self.type})"

    def parts(self) -> Sequence[Self]:
        """The boxes in it, as they are drawn."""
        return self.children


class SharedBox(Box):
    """A box whose children share boxes where they are many."""

    def add(self, other: Self) -> None:
        """Add what `other` holds."""
        raise NotImplementedError

    def emptied(self) -> Self:
        """The same, holding nothing yet."""
        raise NotImplementedError

    def parts(self) -> list[Self]:
        """The children that weigh something, in the model's order; many light neighbours share a box."""
        children = [_without_single_steps(child) for child in self.children if child.weight]
        if len(children) <= MAX_CHILDREN:
            return children
        limit = 2 * self.weight / MAX_CHILDREN
        runs: list[list[Self]] = [[]]
        weight = 0
        for child in children:
            if runs[-1] and weight + child.weight > limit:
                runs.append([])
                weight = 0
            runs[-1].append(child)
            weight += child.weight
        return [_together(run) for run in runs]


B = TypeVar("B", bound=Box)
S = TypeVar("S", bound=SharedBox)


def tree_of(types: Mapping[str, str], box: Callable[[str, str, str], B]) -> dict[str, B]:
    """A box for the model and for every module, by fqn; each is put into the nearest one around it, by name.

    Args:
        types: of the modules, by fqn; the model's is that of "".
        box: makes one of a label, an fqn and a type.

    Returns:
        A box comes after the one around it.
    """
    boxes = {"": box("model", "", types[""])}
    for fqn in sorted(filter(None, types), key=lambda name: name.count(".")):
        around = boxes[enclosing(fqn, boxes)]
        boxes[fqn] = box(fqn.removeprefix(f"{around.fqn}."), fqn, types[fqn])
        around.children.append(boxes[fqn])
    return boxes


def opened(root: B) -> tuple[B, ...]:
    """The root and as many of its descendants as may be drawn."""
    drawn = [root]
    closed = [(root.rank, 0, root)]
    while closed:
        _, at, box = heappop(closed)
        parts = box.parts()
        if len(drawn) + len(parts) > MAX_NODES:
            continue
        for part in parts:
            part.parent = at
            heappush(closed, (part.rank, len(drawn), part))
            drawn.append(part)
    return tuple(drawn)


def path_to(root: B, fqn: str) -> tuple[B, ...]:
    """The boxes from the root to that of `fqn`, as they are drawn within each other; the root alone without any."""
    paths: list[tuple[B, ...]] = [(root,)]
    while paths:
        path = paths.pop()
        if path[-1].fqn == fqn:
            return path
        paths += [(*path, part) for part in path[-1].parts()]
    return (root,)


def _together(run: list[S]) -> S:
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


def _without_single_steps(box: S) -> S:
    """`encoder` that only holds `layer` is one box, `encoder.layer`."""
    labels = [box.label]
    while len(box.children) == 1 and box.children[0].children:
        box = box.children[0]
        labels.append(box.label)
    return replace(box, label=".".join(labels)) if len(labels) > 1 else box


class Look(NamedTuple):
    """How a box is filled and outlined."""

    colour: str
    pattern: str = ""
    """Hatching, plotly's name; empty for none."""
    outline: str = OUTLINE
    outline_px: float = 0.5


def add_icicle(
    figure: go.Figure,
    boxes: Iterable[B],
    *,
    look: Callable[[B], Look],
    caption: Callable[[B], str],
    size: Callable[[B], int] = lambda box: box.weight,
    what: Callable[[B], str] = lambda box: for_plotly(box.what),
    hover: str = "%{hovertext}<br>%{text}",
    y: tuple[float, float] = (0.0, 1.0),
    path_bar: bool = True,
) -> None:
    """Draw a tree on `figure`, the root first; a click on a box opens it.

    Args:
        figure: changed in place.
        boxes: as `opened` gives them; those without a size are left out.
        look: of a box.
        caption: below its label; markup, as plotly reads it.
        size: of a box, including those in it.
        what: its own hover text; markup.
        hover: template of the hover text; `%{hovertext}` is the box's own text and `%{text}` its caption.
        y: lower and upper end of the tree, as fractions of the figure's height.
        path_bar: whether the boxes around an opened one are named above it, each a click away.
    """
    drawn = [(at, box) for at, box in enumerate(boxes) if size(box)]
    looks = [look(box) for _, box in drawn]
    colours = [each.colour for each in looks]
    figure.add_icicle(
        ids=[str(at) for at, _ in drawn],
        parents=["" if box.parent is None else str(box.parent) for _, box in drawn],
        labels=[for_plotly(box.label, limit=_LABEL_CHARACTERS) for _, box in drawn],
        values=[size(box) for _, box in drawn],
        text=[caption(box) for _, box in drawn],
        hovertext=[what(box) for _, box in drawn],
        hovertemplate=f"{hover}<extra></extra>",
        textinfo="label+text",
        textfont={"color": [text_on(colour) for colour in colours], "size": 12},
        marker={
            "colors": colours,
            "line": {"color": [each.outline for each in looks], "width": [each.outline_px for each in looks]},
            "pattern": {
                "shape": [each.pattern for each in looks],
                "bgcolor": colours,
                "fgcolor": OUTLINE,
                "size": 5,
            },
        },
        leaf={"opacity": 1},
        branchvalues="total",
        sort=False,
        maxdepth=_LEVELS,
        tiling={"orientation": "h", "pad": 0},
        pathbar={"visible": path_bar, "thickness": 24, "textfont": {"size": 12}},
        domain={"x": [0, 1], "y": list(y)},
    )
    figure.update_layout(uniformtext={"minsize": 9, "mode": "hide"})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
