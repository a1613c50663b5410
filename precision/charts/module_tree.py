"""The tree of modules and tensors, sized by stored bytes and coloured by dtype, before and after a cast."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Self

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of, marker
from precision.charts.icicle import Box, Look, SharedBox, add_icicle, opened, path_to, tree_of
from precision.charts.palette import MIXED, colour_of, pattern_of
from precision.charts.stored_bytes import SIDES, Side, bytes_finding, counted_bytes, dtype_on
from precision.results import CastAudit
from precision.text.names import enclosing, for_plotly
from precision.text.units import bytes_text, count_text

MIXED_DTYPES = "mixed"

_KIND = "Icicle of modules and tensors by stored bytes, before above after, on one scale"
_MOSTLY = "mostly "
_MOST = 0.9
"""A box has the colour of one dtype if at least this share of its bytes is in that dtype."""
_LARGER_PANEL_PX = 420
_HEADING_PX = 24


def _no_sizes() -> dict[Side, Counter[str]]:
    return {side: Counter() for side in SIDES}


@dataclass(eq=False)
class _Branch(SharedBox):
    sizes: dict[Side, Counter[str]] = field(default_factory=_no_sizes)
    """Bytes of everything in it, by dtype, without zeros."""

    @property
    def weight(self) -> int:
        return max(self.bytes)

    @property
    def bytes(self) -> tuple[int, int]:
        return self.sizes["before"].total(), self.sizes["after"].total()

    @property
    def dtypes(self) -> tuple[str, str]:
        return _dtype_of(self.sizes["before"]), _dtype_of(self.sizes["after"])

    def add(self, other: Self) -> None:
        for side in SIDES:
            self.sizes[side].update(other.sizes[side])

    def emptied(self) -> Self:
        return replace(self, sizes=_no_sizes())


@dataclass(frozen=True)
class ModuleTreeInfo(Info):
    """The numbers drawn; the first node is what is opened."""

    nodes: tuple[_Branch, ...] = ()
    whole: tuple[int, int] = (0, 0)
    """Bytes of the model, before and after."""


def plot_module_tree(audit: CastAudit, within: str = "") -> go.Figure:
    """Where the model's bytes are, as boxes within boxes; both panels have one scale, and open the same box.

    Parameters, buffers and attributes are the innermost boxes. Tied tensors count once, at the first; tensors
    without elements have no box. In a large model the boxes with the most bytes are opened first and the rest
    stay closed; in a long row of small modules, neighbours share a box.

    Args:
        audit: of the cast.
        within: fqn of the box that is opened, one of `drawn_boxes`; the model where there is none of that name.
    """
    return figure_of(_KIND, _module_tree_info(audit, within), _draw)


def path_within(audit: CastAudit, within: str) -> tuple[Box, ...]:
    """The boxes from the model to the one that is opened."""
    return path_to(_tree(audit), within)


def drawn_boxes(audit: CastAudit, within: str) -> tuple[Box, ...]:
    """The boxes of the chart, by the numbers that a click on it gives."""
    return _module_tree_info(audit, within).nodes


def _module_tree_info(audit: CastAudit, within: str = "") -> ModuleTreeInfo:
    root = _tree(audit)
    if not root.weight:
        reason = "The model stores no values: no parameters, no buffers."
        return ModuleTreeInfo(title="Nothing stored", empty=reason)
    tied = sum(tensor.tied_to is not None for tensor in audit.tensors)
    detail = "height: bytes; colour: dtype; click a box to open it"
    if tied:
        detail += f"; {count_text(tied, 'tied tensor')} counted with what they share"
    box = path_to(root, within)[-1]
    return ModuleTreeInfo(opened(box), root.bytes, title=bytes_finding(audit), detail=detail)


def _tree(audit: CastAudit) -> _Branch:
    """Modules, with tensors as leaves; a tensor is put into the deepest module that its name begins with."""
    modules = tree_of({"": "module"} | {module.fqn: module.type for module in audit.modules}, _Branch)
    for tensor in audit.tensors:
        owner = modules[enclosing(tensor.fqn, modules)]
        label = tensor.fqn.removeprefix(f"{owner.fqn}.")
        leaf = _Branch(label, tensor.fqn, f"{tensor.kind} {list(tensor.shape)}")
        for side in SIDES:
            if size := counted_bytes(tensor, side):
                leaf.sizes[side][dtype_on(tensor, side)] = size
        owner.children.append(leaf)
    for module in reversed(modules.values()):
        for child in module.children:
            module.add(child)
    return modules[""]


def _dtype_of(sizes: Counter[str]) -> str:
    """The dtype of all bytes, or `mostly` that of most bytes, or else `MIXED_DTYPES`; empty without bytes."""
    if not sizes:
        return ""
    dtype, size = sizes.most_common(1)[0]
    if size == sizes.total():
        return dtype
    return f"{_MOSTLY}{dtype}" if size >= _MOST * sizes.total() else MIXED_DTYPES


def _draw(figure: go.Figure, info: ModuleTreeInfo) -> Space:
    totals = info.nodes[0].bytes
    heights = [max(_LARGER_PANEL_PX * total / max(totals), 4) for total in totals]
    plot_height = sum(heights) + 2 * _HEADING_PX
    top = 1.0
    for at, side in enumerate(SIDES):
        _add_heading(figure, f"{side} the cast: {bytes_text(totals[at])}", top)
        top -= _HEADING_PX / plot_height
        bottom = max(top - heights[at] / plot_height, 0.0)
        _add_panel(figure, info, side, (bottom, top))
        top = bottom
    _add_legend(figure, info.nodes)
    figure.update_layout(showlegend=True)
    return Space(round(plot_height), footer=48, legend=True)


def _add_heading(figure: go.Figure, text: str, top: float) -> None:
    figure.add_annotation(
        text=text, x=0, y=top, xref="paper", yref="paper", xanchor="left", yanchor="top", showarrow=False
    )


def _add_panel(figure: go.Figure, info: ModuleTreeInfo, side: Side, domain: tuple[float, float]) -> None:
    at = SIDES.index(side)
    whole = info.whole[at]
    add_icicle(
        figure,
        info.nodes,
        look=lambda node: Look(_colour(node.dtypes[at]), _pattern(node.dtypes[at])),
        caption=lambda node: _caption(node.dtypes[at], node.bytes[at]),
        size=lambda node: node.bytes[at],
        what=lambda node: f"{for_plotly(node.what)}, {node.bytes[at] / whole:.1%} of the model",
        y=domain,
        path_bar=False,  # the page has one for both panels
    )


def _add_legend(figure: go.Figure, nodes: tuple[_Branch, ...]) -> None:
    for dtype in dict.fromkeys(dtype.removeprefix(_MOSTLY) for node in nodes for dtype in node.dtypes if dtype):
        look = {**marker(dtype), "color": _colour(dtype), "pattern": {"shape": _pattern(dtype)}}
        figure.add_bar(x=[None], y=[None], marker=look, name=for_plotly(dtype))


def _caption(dtype: str, size: int) -> str:
    # `mostly` has its own line: otherwise the root's caption would be too wide for a phone, and not be drawn.
    return f"{for_plotly(dtype).replace(_MOSTLY, _MOSTLY.strip() + '<br>')} · {bytes_text(size)}"


def _colour(dtype: str) -> str:
    return MIXED if dtype == MIXED_DTYPES else colour_of(dtype.removeprefix(_MOSTLY))


def _pattern(dtype: str) -> str:
    return "" if dtype == MIXED_DTYPES or dtype.startswith(_MOSTLY) else pattern_of(dtype)
