"""The tree of modules, each coloured by the dtype in which the candidate's operators in it computed."""

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of
from precision.charts.icicle import Look, SharedBox, add_icicle, opened, tree_of
from precision.charts.palette import MIXED, OTHER, OUTLINE, between, colour_of, pattern_of
from precision.findings.autocast import Lowering, lowering_by_module, lowering_text, together
from precision.results import LayersResult
from precision.results.layers import FLOAT_BITS
from precision.text.names import escape_plotly, for_plotly, plain
from precision.text.units import count_text

_KIND = "Icicle of modules, coloured by the dtype that their operators computed in"
_OWN = "own operators"
_HOVER_CHARACTERS = 60
_SEVERAL = "several dtypes; the fuller the colour, the more in {dtype}"
_NONE = "computes nothing"


@dataclass(eq=False)
class _Ran(SharedBox):
    """A module, or the operators that it runs outside the modules in it."""

    found: Lowering = field(kw_only=True)
    """Of all operators in it, in all calls."""
    layers: int = 0
    """In it; its own operators count as one."""

    @property
    def weight(self) -> int:
        return self.layers

    @property
    def dtypes(self) -> tuple[str, ...]:
        """What its operators computed in."""
        return (*((self.found.dtype,) if self.found.lowered else ()), *self.found.stayed)

    def add(self, other: Self) -> None:
        self.found = together(self.found.dtype, (self.found, other.found))
        self.layers += other.layers

    def emptied(self) -> Self:
        return replace(self, found=together(self.found.dtype, ()), layers=0)


@dataclass(frozen=True)
class DtypeTreeInfo(Info):
    """The numbers drawn, the model first."""

    nodes: tuple[_Ran, ...] = ()


def plot_dtype_tree(result: LayersResult) -> go.Figure:
    """Which modules computed in the format, wholly or in part, which in another dtype, and which compute nothing.

    The dtype is that of the kernels that ran in the candidate, so autocast and silent promotion are seen. The height
    of a box is its number of layers. What a module computes outside the modules in it has a box of its own. All calls
    of a module are counted together. In a large model the highest boxes are opened first and neighbours share one.
    """
    return figure_of(_KIND, _dtype_tree_info(result), _draw)


def _dtype_tree_info(result: LayersResult) -> DtypeTreeInfo:
    own = lowering_by_module(result)
    if not own or result.report is None:
        return DtypeTreeInfo(title="No module to show", empty="No operator was seen before the run ended.")
    modules = _modules(result, own)
    root = modules[""]
    if not root.found.total:
        return DtypeTreeInfo(title="No operator computed", empty="The model only moves values.")
    details = (
        _extents_text(modules, result.spec.dtype),
        f"{result.spec.dtype} is simulated: kernels compute in another dtype, and values are rounded between them"
        if result.execution.label == "simulated"
        else "",
        f"the first {len(result.report.operators):,} of {result.report.operator_calls:,} operators"
        if result.report.operator_calls > len(result.report.operators)
        else "",
        "until the run stopped" if result.failure else "",
        "height: layers; click a box to open it",
    )
    return DtypeTreeInfo(opened(root), title=_finding(own, root.found), detail="; ".join(filter(None, details)))


def _modules(result: LayersResult, own: Mapping[str, Lowering]) -> dict[str, _Ran]:
    """By fqn, with what runs in each."""
    rows = () if result.report is None else result.report.rows
    types, calls = {row.fqn: row.type for row in rows}, Counter(row.fqn for row in rows)
    nothing = together(result.spec.dtype, ())
    whats = {fqn: types[fqn] + (f", {calls[fqn]:,} calls" if calls[fqn] > 1 else "") for fqn in filter(None, own)}
    modules = tree_of({"": types.get("", "module")} | whats, partial(_Ran, found=nothing))
    for module in reversed(modules.values()):
        found = own.get(module.fqn, nothing)
        if module.children and found.total:
            module.children.insert(0, _Ran(_OWN, module.fqn, f"{module.type} itself", found=found, layers=1))
        elif not module.children:
            module.found, module.layers = found, 1
        for child in module.children:
            module.add(child)
    return modules


def _extent(found: Lowering) -> str:
    if not found.total:
        return "nothing"
    return "only" if found.lowered == found.total else "in part" if found.lowered else "not at all"


def _extents_text(modules: dict[str, _Ran], dtype: str) -> str:
    counts = Counter(_extent(module.found) for module in modules.values())
    only, nothing = counts["only"], counts["nothing"]
    run = f"{only:,} of {count_text(len(modules), 'module')} run{'s' if only == 1 else ''} only in {dtype}"
    rest = [f"{counts[extent]:,} {extent}" for extent in ("in part", "not at all") if counts[extent]]
    computing = f"; {nothing:,} compute{'s' if nothing == 1 else ''} nothing" if nothing else ""
    return f"{', '.join((run, *rest))}{computing}"


def _finding(own: Mapping[str, Lowering], whole: Lowering) -> str:
    if not whole.lowered and len(whole.stayed) == 1:
        return f"{whole.total:,} of {count_text(whole.total, 'operator')} ran in {next(iter(whole.stayed))}"
    start = f"{whole.lowered:,} of {count_text(whole.total, 'operator')} ran in {whole.dtype}"
    others = [fqn for fqn, found in own.items() if found.stayed]
    if not others:
        return start
    where = (plain(others[0]) if others[0] else "the model itself") if len(others) == 1 else f"{len(others):,} modules"
    return f"{start}; what did not is in {where}"


def _draw(figure: go.Figure, info: DtypeTreeInfo) -> Space:
    add_icicle(figure, info.nodes, look=_look, caption=_caption, what=_hover, hover="%{hovertext}")
    _add_legend(figure, info.nodes)
    return Space(420, footer=64, legend=None)


def _look(node: _Ran) -> Look:
    found = node.found
    if not found.total:
        return Look(OTHER, ".")
    if _is_mixed(node):
        return Look(between(MIXED, colour_of(found.dtype), found.lowered / found.total), "/")
    return Look(colour_of(node.dtypes[0]), pattern_of(node.dtypes[0]))


def _is_mixed(node: _Ran) -> bool:
    return len(node.dtypes) > 1 or node.dtypes[0] not in FLOAT_BITS


def _caption(node: _Ran) -> str:
    found = node.found
    if not found.total:
        return _NONE
    if not found.lowered and len(found.stayed) == 1:
        return f"{found.total:,} in {next(iter(found.stayed))}"
    count = f"{found.lowered:,}" if found.lowered == found.total else f"{found.lowered:,} of {found.total:,}"
    return f"{count} in {found.dtype}"


def _hover(node: _Ran) -> str:
    if not node.found.total:
        return f"{for_plotly(node.what)}<br>{_NONE}"
    said = lowering_text(node.found)
    if node.found.promoted:
        said += f" {count_text(node.found.promoted, 'operator')} silently promoted an input."
    return "<br>".join((for_plotly(node.what), *map(escape_plotly, textwrap.wrap(said, _HOVER_CHARACTERS))))


def _add_legend(figure: go.Figure, nodes: tuple[_Ran, ...]) -> None:
    looks: dict[str, Look] = {}
    for node in nodes:
        dtype = node.found.dtype
        if not node.found.total:
            looks[_NONE] = _look(node)
        elif _is_mixed(node):
            looks[_SEVERAL.format(dtype=dtype)] = Look(between(MIXED, colour_of(dtype), 0.5), "/")
        else:
            looks[node.dtypes[0]] = _look(node)
    for name, look in looks.items():
        fill = {"shape": look.pattern, "bgcolor": look.colour, "fgcolor": OUTLINE, "size": 5}
        border = {"color": OUTLINE, "width": 1}
        figure.add_bar(x=[None], y=[None], name=name, marker={"color": look.colour, "line": border, "pattern": fill})
