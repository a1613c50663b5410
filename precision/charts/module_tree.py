"""The tree of modules and tensors, sized by stored bytes and coloured by dtype, before and after a cast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

import plotly.graph_objects as go

from precision.charts.byte_tree import Branch, byte_tree
from precision.charts.frame import empty_figure, frame, marker
from precision.charts.palette import MIXED, OUTLINE, colour_of, pattern_of, text_on
from precision.charts.stored_bytes import SIDES, Side, bytes_finding
from precision.names import for_plotly
from precision.results import CastAudit
from precision.units import bytes_text, count_text

MAX_NODES = 240
"""Boxes per panel: more could neither be read nor sent (each costs up to 1 kB)."""
MAX_CHILDREN = 24
"""A box with more parts shows them in runs of neighbours, each of at most 2 / `MAX_CHILDREN` of its bytes."""
MIXED_DTYPES = "mixed"

_KIND = "Icicle of modules and tensors by stored bytes, before above after, on one scale"
_MOSTLY = "mostly "
_MOST = 0.9
"""Share of a box's bytes from which it has the colour of one dtype."""
_LEVELS = 4
_LABEL_CHARACTERS = 28
_LARGER_PANEL_PX = 420
_HEADING_PX = 24


class TreeNode(NamedTuple):
    """One box in both panels: sizes and dtypes are (before, after)."""

    id: int
    parent: int | None
    label: str
    what: str
    """Whole name and type, for the hover text."""
    bytes: tuple[int, int]
    dtypes: tuple[str, str]


class ModuleTreeInfo(NamedTuple):
    """The numbers drawn; the first node is the model. `empty` says why there are none."""

    nodes: tuple[TreeNode, ...]
    title: str
    detail: str
    empty: str | None


def plot_module_tree(audit: CastAudit) -> go.Figure:
    """Where the model's bytes are, as boxes within boxes; a height means the same bytes in both panels.

    Parameters, buffers and attributes are the innermost boxes. Tied tensors count once, at the first; tensors
    without elements have no box. In a large model the boxes with the most bytes are opened first and the rest
    stay closed, so that at most `MAX_NODES` are drawn; a long row of small modules is drawn as runs of neighbours.
    """
    return _module_tree_figure(_module_tree_info(audit))


def _module_tree_info(audit: CastAudit) -> ModuleTreeInfo:
    root = byte_tree(audit)
    if not root.weight:
        reason = "The model stores no values: no parameters, no buffers."
        return ModuleTreeInfo((), "Nothing stored", "", reason)
    tied = sum(tensor.tied_to is not None for tensor in audit.tensors)
    detail = "height: bytes; colour: dtype; click a box to open it"
    if tied:
        detail += f"; {count_text(tied, 'tied tensor')} counted with what they share"
    return ModuleTreeInfo(tuple(_visible(root)), bytes_finding(audit), detail, None)


def _visible(root: Branch) -> Iterator[TreeNode]:
    """The root and, opening the heaviest branch first, as many of its descendants as may be drawn."""
    yield _node(root, 0, None)
    drawn = 1
    closed = [(-root.weight, 0, root)]
    while closed:
        _, parent, branch = heappop(closed)
        children = _boxes(branch)
        if drawn + len(children) > MAX_NODES:
            continue
        for child in children:
            yield _node(child, drawn, parent)
            heappush(closed, (-child.weight, drawn, child))
            drawn += 1


def _boxes(branch: Branch) -> list[Branch]:
    """A branch's children that have bytes, in the model's order; light neighbours share a box where there are many."""
    children = [_without_single_steps(child) for child in branch.children if child.weight]
    if len(children) <= MAX_CHILDREN:
        return children
    limit = 2 * branch.weight / MAX_CHILDREN
    runs: list[list[Branch]] = [[]]
    weight = 0
    for child in children:
        if runs[-1] and weight + child.weight > limit:
            runs.append([])
            weight = 0
        runs[-1].append(child)
        weight += child.weight
    return [_together(run) for run in runs]


def _together(run: list[Branch]) -> Branch:
    if len(run) == 1:
        return run[0]
    box = Branch(
        label=f"{run[0].label} … {run[-1].label}",
        fqn=f"{run[0].fqn} … {run[-1].fqn}",
        type=f"{len(run):,} neighbours",
        children=run,
    )
    for child in run:
        box.add_sizes(child)
    return box


def _without_single_steps(branch: Branch) -> Branch:
    """`encoder` that only holds `layer` is one box, `encoder.layer`."""
    labels = [branch.label]
    while len(branch.children) == 1 and branch.children[0].children:
        branch = branch.children[0]
        labels.append(branch.label)
    return branch.relabelled(".".join(labels)) if len(labels) > 1 else branch


def _node(branch: Branch, at: int, parent: int | None) -> TreeNode:
    before, after = (branch.bytes_on(side) for side in SIDES)
    dtypes = tuple(_dtype_of(branch.sizes[side]) for side in SIDES)
    return TreeNode(
        at,
        parent,
        branch.label,
        f"{branch.fqn or 'the model'} ({branch.type})",
        (before, after),
        (dtypes[0], dtypes[1]),
    )


def _dtype_of(sizes: Counter[str]) -> str:
    """The dtype of all bytes, `mostly` that of most, `MIXED_DTYPES` without such; empty where there are no bytes."""
    if not sizes:
        return ""
    dtype, size = sizes.most_common(1)[0]
    if size == sizes.total():
        return dtype
    return f"{_MOSTLY}{dtype}" if size >= _MOST * sizes.total() else MIXED_DTYPES


def _module_tree_figure(info: ModuleTreeInfo) -> go.Figure:
    if info.empty:
        return empty_figure(kind=_KIND, title=info.title, reason=info.empty)
    totals = info.nodes[0].bytes
    heights = [max(_LARGER_PANEL_PX * total / max(totals), 4) for total in totals]
    plot_height = sum(heights) + 2 * _HEADING_PX
    figure = go.Figure()
    top = 1.0
    for at, side in enumerate(SIDES):
        _add_heading(figure, f"{side} the cast: {bytes_text(totals[at])}", top)
        top -= _HEADING_PX / plot_height
        bottom = max(top - heights[at] / plot_height, 0.0)
        _add_panel(figure, info.nodes, side, (bottom, top))
        top = bottom
    _add_legend(figure, info.nodes)
    figure.update_layout(uniformtext={"minsize": 9, "mode": "hide"}, showlegend=True)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return frame(figure, kind=_KIND, title=info.title, detail=info.detail, plot_height=round(plot_height), footer=48)


def _add_heading(figure: go.Figure, text: str, top: float) -> None:
    figure.add_annotation(
        text=text, x=0, y=top, xref="paper", yref="paper", xanchor="left", yanchor="top", showarrow=False
    )


def _add_panel(figure: go.Figure, nodes: tuple[TreeNode, ...], side: Side, domain: tuple[float, float]) -> None:
    at = SIDES.index(side)
    nodes = tuple(node for node in nodes if node.bytes[at])
    colours = [_colour(node.dtypes[at]) for node in nodes]
    figure.add_icicle(
        ids=[str(node.id) for node in nodes],
        parents=["" if node.parent is None else str(node.parent) for node in nodes],
        labels=[for_plotly(node.label, limit=_LABEL_CHARACTERS) for node in nodes],
        values=[node.bytes[at] for node in nodes],
        text=[_caption(node.dtypes[at], node.bytes[at]) for node in nodes],
        hovertext=[for_plotly(node.what) for node in nodes],
        hovertemplate="%{hovertext}<br>%{text}, %{percentRoot:.1%} of the model<extra></extra>",
        textinfo="label+text",
        textfont={"color": [text_on(colour) for colour in colours], "size": 12},
        marker={
            "colors": colours,
            "line": {"color": OUTLINE, "width": 0.5},
            "pattern": {
                "shape": [_pattern(node.dtypes[at]) for node in nodes],
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
        pathbar={"visible": False},
        domain={"x": [0, 1], "y": list(domain)},
    )


def _add_legend(figure: go.Figure, nodes: tuple[TreeNode, ...]) -> None:
    for dtype in dict.fromkeys(dtype.removeprefix(_MOSTLY) for node in nodes for dtype in node.dtypes if dtype):
        look = {**marker(dtype), "color": _colour(dtype), "pattern": {"shape": _pattern(dtype)}}
        figure.add_bar(x=[None], y=[None], marker=look, name=for_plotly(dtype))


def _caption(dtype: str, size: int) -> str:
    # `mostly` stands on a line of its own, or the root's caption would be too wide for a phone and not be drawn.
    return f"{for_plotly(dtype).replace(_MOSTLY, _MOSTLY.strip() + '<br>')} · {bytes_text(size)}"


def _colour(dtype: str) -> str:
    return MIXED if dtype == MIXED_DTYPES else colour_of(dtype.removeprefix(_MOSTLY))


def _pattern(dtype: str) -> str:
    return "" if dtype == MIXED_DTYPES or dtype.startswith(_MOSTLY) else pattern_of(dtype)
