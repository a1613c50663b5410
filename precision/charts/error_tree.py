"""The tree of modules, each coloured by the relative error of what it returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from precision.charts.frame import Info, Space, figure_of
from precision.charts.icicle import Box, Look, add_icicle, opened, tree_of
from precision.charts.palette import GROUND, OTHER, SEQUENTIAL, colour_at, text_on
from precision.results import LayersReport
from precision.text.names import plain
from precision.text.units import count_text, number_text

_KIND = "Icicle of modules, coloured by the relative error of their outputs"
_LEAST_DECADES = 1.0
_BROKEN = "#D55E00"
_ORIGIN_PX = 3


@dataclass(eq=False)
class _Module(Box):
    """A module with the worst of its calls."""

    error: float | None = None
    """The normalized L2; None where nothing could be compared."""
    broke: float = math.inf
    """When the first call with infinities or NaNs returned; infinite where none had any."""
    local: float = 0.0
    """Largest local error of a call, or of its own code, where that was measured."""
    leaves: int = 0
    origin: Literal["", "here", "inside"] = ""
    """Where the error comes from: here, a box within this one, or neither."""

    @property
    def broken(self) -> bool:
        """Whether a call gave infinities or NaNs that the reference did not give."""
        return self.broke < math.inf

    @property
    def weight(self) -> int:
        return self.leaves

    @property
    def rank(self) -> float:
        return -math.inf if self.broken else -(self.error or 0.0)


@dataclass(frozen=True)
class ErrorTreeInfo(Info):
    """The numbers drawn, the model first."""

    nodes: tuple[_Module, ...] = ()


def plot_error_tree(report: LayersReport) -> go.Figure:
    """Where in the model's structure the error is: every module, by the worst of its calls.

    The height of a box is its number of layers. In a large model the boxes with the largest errors are opened first,
    so that at most `MAX_NODES` are drawn. Infinities and NaNs have a colour and a text of their own. A thick outline
    leads to where they come first, or else to where most error is added.
    """
    return figure_of(_KIND, _tree_info(report), _draw)


def _tree_info(report: LayersReport) -> ErrorTreeInfo:
    modules = _modules(report)
    origin = _origin(modules)
    if origin is not None:
        for module in modules.values():
            module.origin = _leads_to(origin, module)
    nodes = opened(modules[""])
    detail = f"{count_text(len(modules), 'module')}; height: layers in it; click a box to open it"
    if len(nodes) < len(modules):
        detail = f"the {len(nodes):,} with the largest errors of {detail}"
    if origin is not None and not origin.broken:
        detail += f"; thick outline: most error is added in {plain(origin.fqn or origin.type)}"
    elif origin is not None:
        detail += "; thick outline: where the first one appears"
    return ErrorTreeInfo(nodes, title=_finding(modules, exact=report.is_exact), detail=detail)


def _modules(report: LayersReport) -> dict[str, _Module]:
    """By fqn, with what was measured of each."""
    modules = tree_of({"": "model"} | {row.fqn: row.type for row in report.rows}, _Module)
    for at, row in enumerate(report.rows):
        module, errors = modules[row.fqn], report.errors_of(at)
        if errors is not None:
            if errors.cand_only_nonfinite and row.finished is not None:
                module.broke = min(module.broke, row.finished)
            if errors.normalized_l2 is not None:
                module.error = max(module.error or 0.0, errors.normalized_l2)
        if row.own is not None:
            module.local = max(module.local, row.own.local.normalized_l2 or 0.0)
    for module in reversed(modules.values()):
        module.leaves = sum(child.leaves for child in module.children) or 1
    return modules


def _origin(modules: dict[str, _Module]) -> _Module | None:
    if broken := [module for module in modules.values() if module.broken]:
        return min(broken, key=lambda module: (module.broke, -module.fqn.count(".")))
    most = max(modules.values(), key=lambda module: module.local)
    return most if most.local else None


def _leads_to(origin: _Module, module: _Module) -> Literal["", "here", "inside"]:
    if origin is module:
        return "here"
    return "inside" if not module.fqn or origin.fqn.startswith(f"{module.fqn}.") else ""


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


def _draw(figure: go.Figure, info: ErrorTreeInfo) -> Space:
    low, high = _decades(info)
    add_icicle(figure, info.nodes, look=lambda node: _look(node, low, high), caption=_caption)
    return Space(420, footer=16, legend=None)


def _look(node: _Module, low: float, high: float) -> Look:
    colour = _colour(node, low, high)
    return Look(colour, outline=text_on(colour), outline_px=_ORIGIN_PX) if node.origin else Look(colour)


def _decades(info: ErrorTreeInfo) -> tuple[float, float]:
    logs = [math.log10(node.error) for node in info.nodes if node.error and math.isfinite(node.error)]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    return low, max(high, low + _LEAST_DECADES)


def _colour(node: _Module, low: float, high: float) -> str:
    if node.broken:
        return _BROKEN
    if node.error is None:
        return OTHER
    if not node.error:
        return GROUND
    return colour_at((math.log10(min(node.error, 10**high)) - low) / (high - low), SEQUENTIAL)


def _caption(node: _Module) -> str:
    if node.broken:
        return "infinite or NaN, here first" if node.origin == "here" else "infinite or NaN"
    if node.error is None:
        return "not compared"
    added = ", most is added here" if node.origin == "here" else ""
    return "exact" if not node.error else f"relative error {number_text(node.error)}{added}"
