"""The tree of modules, each coloured by the relative error of what it returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from precision.charts.frame import empty_figure, frame
from precision.charts.icicle import IcicleBox, Look, add_icicle
from precision.charts.palette import GROUND, OTHER, SEQUENTIAL, colour_at, text_on
from precision.charts.tree_boxes import MAX_NODES
from precision.results import LayersReport
from precision.text.names import enclosing, for_plotly, plain
from precision.text.units import count_text, number_text

_KIND = "Icicle of modules, coloured by the relative error of their outputs"
_LEAST_DECADES = 1.0
_BROKEN = "#D55E00"
_ORIGIN_PX = 3


@dataclass(eq=False)
class _Module:
    """A module with the worst of its calls."""

    fqn: str
    type: str
    error: float | None = None
    broke: float = math.inf
    """When the first call with infinities or NaNs returned; infinite where none had any."""
    local: float = 0.0
    """Largest local error of a call, where that was measured."""
    leaves: int = 0
    children: list[_Module] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether a call gave infinities or NaNs that the reference did not give."""
        return self.broke < math.inf

    @property
    def rank(self) -> float:
        """For a heap: the worst first."""
        return -math.inf if self.broken else -(self.error or 0.0)


class ErrorNode(NamedTuple):
    """One box. `error` is the normalized L2 of the worst call; None where nothing could be compared.

    `origin` is where the error comes from: "here", "inside" of a box within this one, or "" for neither.
    """

    parent: int | None
    label: str
    what: str
    leaves: int
    error: float | None
    broken: bool
    origin: Literal["", "here", "inside"]


class ErrorTreeInfo(NamedTuple):
    """The numbers drawn, the model first. `empty` says why there are none."""

    nodes: tuple[ErrorNode, ...]
    title: str
    detail: str
    empty: str | None = None


def plot_error_tree(report: LayersReport) -> go.Figure:
    """Where in the model's structure the error is: every module, by the worst of its calls.

    The height of a box is its number of layers. In a large model the boxes with the largest errors are opened first,
    so that at most `MAX_NODES` are drawn. Infinities and NaNs have a colour and a text of their own. A thick outline
    leads to where they come first, or else to where most error is added.
    """
    return _tree_figure(_tree_info(report))


def _tree_info(report: LayersReport) -> ErrorTreeInfo:
    modules = _modules(report)
    if "" not in modules or not modules[""].leaves:
        return ErrorTreeInfo((), "No module to show", "", "No module returned before the run ended.")
    origin = _origin(modules)
    nodes = _visible(modules[""], origin)
    detail = f"{count_text(len(modules), 'module')}; height: layers in it; click a box to open it"
    if len(nodes) < len(modules):
        detail = f"the {len(nodes):,} with the largest errors of {detail}"
    if origin is not None and not origin.broken:
        detail += f"; thick outline: most error is added in {plain(origin.fqn or origin.type)}"
    elif origin is not None:
        detail += "; thick outline: where they come first"
    return ErrorTreeInfo(tuple(nodes), _finding(modules, exact=report.is_exact), detail, None)


def _modules(report: LayersReport) -> dict[str, _Module]:
    """By fqn; each module is put into the nearest one around it, by name, that was called."""
    modules: dict[str, _Module] = {"": _Module("", "model")}
    for at, row in enumerate(report.rows):
        module = modules.setdefault(row.fqn, _Module(row.fqn, row.type))
        module.type = row.type
        errors = report.errors_of(at)
        if errors is not None:
            if errors.cand_only_nonfinite and row.finished is not None:
                module.broke = min(module.broke, row.finished)
            if errors.normalized_l2 is not None:
                module.error = max(module.error or 0.0, errors.normalized_l2)
        if row.corners is not None:
            module.local = max(module.local, row.corners.local.normalized_l2 or 0.0)
    for fqn in sorted(filter(None, modules), key=lambda name: name.count(".")):
        modules[enclosing(fqn, modules)].children.append(modules[fqn])
    for fqn in sorted(modules, key=lambda name: (-name.count("."), not name)):
        module = modules[fqn]
        module.leaves = module.leaves or 1
        if fqn:
            modules[enclosing(fqn, modules)].leaves += module.leaves
    return modules


def _origin(modules: dict[str, _Module]) -> _Module | None:
    if broken := [module for module in modules.values() if module.broken]:
        return min(broken, key=lambda module: (module.broke, -module.fqn.count(".")))
    most = max(modules.values(), key=lambda module: module.local)
    return most if most.local else None


def _visible(root: _Module, origin: _Module | None) -> list[ErrorNode]:
    nodes = [_node(root, None, origin)]
    closed = [(root.rank, 0, root)]
    while closed:
        _, parent, module = heappop(closed)
        if len(nodes) + len(module.children) > MAX_NODES:
            continue
        for child in module.children:
            heappush(closed, (child.rank, len(nodes), child))
            nodes.append(_node(child, parent, origin, within=module.fqn))
    return nodes


def _node(module: _Module, parent: int | None, origin: _Module | None, *, within: str = "") -> ErrorNode:
    label = module.fqn.removeprefix(f"{within}.") or "model"
    what = f"{module.fqn or 'the model'} ({module.type})"
    return ErrorNode(parent, label, what, module.leaves, module.error, module.broken, _leads_to(origin, module))


def _leads_to(origin: _Module | None, module: _Module) -> Literal["", "here", "inside"]:
    if origin is module:
        return "here"
    inside = origin is not None and (not module.fqn or origin.fqn.startswith(f"{module.fqn}."))
    return "inside" if inside else ""


def _finding(modules: dict[str, _Module], *, exact: bool) -> str:
    origin = _origin(modules)
    if origin is not None and origin.broken:
        return f"{plain(origin.fqn or origin.type)} is the first to return infinities or NaNs"
    measured = [module for module in modules.values() if module.error is not None]
    if not measured:
        return "No error could be measured"
    worst = max(measured, key=lambda module: (module.error or 0.0, module.fqn.count(".") if module.fqn else -1))
    if not worst.error:
        return "Every module is exact" if exact else "Every finite error is zero"
    return f"Largest relative error in {plain(worst.fqn or worst.type)}: {number_text(worst.error)}"


def _tree_figure(info: ErrorTreeInfo) -> go.Figure:
    if info.empty:
        return empty_figure(kind=_KIND, title=info.title, reason=info.empty)
    low, high = _decades(info)
    figure = go.Figure()
    add_icicle(
        figure,
        [
            IcicleBox(
                at,
                node.parent,
                node.label,
                node.leaves,
                _caption(node),
                for_plotly(node.what),
                _look(node, low, high),
            )
            for at, node in enumerate(info.nodes)
        ],
    )
    return frame(figure, kind=_KIND, title=info.title, detail=info.detail, plot_height=420, footer=16)


def _look(node: ErrorNode, low: float, high: float) -> Look:
    colour = _colour(node, low, high)
    return Look(colour, outline=text_on(colour), outline_px=_ORIGIN_PX) if node.origin else Look(colour)


def _decades(info: ErrorTreeInfo) -> tuple[float, float]:
    logs = [math.log10(node.error) for node in info.nodes if node.error and math.isfinite(node.error)]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    return low, max(high, low + _LEAST_DECADES)


def _colour(node: ErrorNode, low: float, high: float) -> str:
    if node.broken:
        return _BROKEN
    if node.error is None:
        return OTHER
    if not node.error:
        return GROUND
    return colour_at((math.log10(min(node.error, 10**high)) - low) / (high - low), SEQUENTIAL)


def _caption(node: ErrorNode) -> str:
    if node.broken:
        return "infinite or NaN, here first" if node.origin == "here" else "infinite or NaN"
    if node.error is None:
        return "not compared"
    born = ", most is added here" if node.origin == "here" else ""
    return "exact" if not node.error else f"relative error {number_text(node.error)}{born}"
