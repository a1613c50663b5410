"""The boxes of a run's graph, and what flows between them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, groupby
from typing import Literal

from precision.findings.layers import labels_of
from precision.results import LayersReport
from precision.results.layers import UNKNOWN, LayerErrors, OperatorErrors
from precision.text.units import shape_text

Kind = Literal["model", "module", "stack", "operator", "constant", "input", "output"]
"""`stack`: modules built alike that follow each other; `constant`: an operator that is given nothing that was
computed."""
_FEWEST = 3
"""Fewer alike are not folded into a stack."""


@dataclass(kw_only=True, eq=False)
class Box:
    """One box, and those in it in the order in which they ran."""

    kind: Kind
    name: str
    """Unique; what a link calls it."""
    label: str
    about: str
    """Its type, or the shape of what it returns."""
    type: str = ""
    """The class of a module."""
    row: int | None = None
    """Of the module call; of an operator, the call that it ran in."""
    operator: int | None = None
    """Place in `LayersReport.operators`; of a module that is one operator, too."""
    order: int = 0
    """Place of its first operator among those of the run."""
    dtype: str = ""
    """The candidate's, of its first output."""
    carried: float | None = None
    """Relative error of what it returns; None where nothing was compared, or nothing is finite."""
    born: float | None = None
    """What it adds itself, on the reference's own input; of a module with others inside, what its own code adds."""
    is_broken: bool = False
    """Whether it returns NaN or infinities that the reference does not."""
    inside: list[Box] = field(default_factory=list)

    @property
    def is_operator(self) -> bool:
        """Whether it is a single operator, and no module."""
        return self.kind in ("operator", "constant")

    @property
    def leaves(self) -> Iterator[Box]:
        """The innermost boxes in it, or itself."""
        if not self.inside:
            yield self
        for box in self.inside:
            yield from box.leaves

    @property
    def all(self) -> Iterator[Box]:
        """Itself, and all in it."""
        yield self
        for box in self.inside:
            yield from box.all

    @property
    def build(self) -> tuple[object, ...]:
        """The same for modules of the same classes; operators do not count."""
        return self.type, *(box.build for box in self.inside if box.kind == "module")


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """All boxes of a run, and what flows between the innermost ones."""

    model: Box
    edges: tuple[tuple[Box, Box], ...]
    """From the box that makes values to one that reads them; each once."""
    unknown: int
    """Operators that read a tensor of which it is not known where it comes from."""

    @cached_property
    def after(self) -> dict[Box, list[Box]]:
        """The boxes that read what a box makes, for each that is read."""
        found: dict[Box, list[Box]] = {}
        for source, target in self.edges:
            found.setdefault(source, []).append(target)
        return found

    @cached_property
    def before(self) -> dict[Box, list[Box]]:
        """The boxes whose values a box reads, for each that reads any."""
        found: dict[Box, list[Box]] = {}
        for source, target in self.edges:
            found.setdefault(target, []).append(source)
        return found

    @cached_property
    def named(self) -> dict[str, Box]:
        """All boxes by name."""
        return {box.name: box for box in self.model.all}


def graph_of(report: LayersReport) -> Graph:
    """The graph of a run with rows, whose operators were recorded.

    Modules without operators, such as dropout or compiled code, are left out. A module that is one operator is one box.
    """
    labels = labels_of(report)
    calls, operators = _calls(report, labels), _operators(report, labels)
    for box in operators:
        calls[report.operators[box.order].row].inside.append(box)
    for row, box in reversed(list(zip(report.rows, calls, strict=True))):
        if row.parent is not None and box.inside:
            calls[row.parent].inside.append(box)
    model = calls[0]
    _arrange(model)
    by_source: dict[object, Box] = {leaf.operator: leaf for leaf in model.leaves if leaf.operator is not None}
    inputs = _inputs(report)
    by_source |= {box.label: box for box in inputs}
    outputs = [Box(kind="output", name=f"output {at.path}", label=at.path, about="") for at in report.output_sources]
    readers = [*((by_source.get(at), each.sources) for at, each in enumerate(report.operators))]
    readers += zip(outputs, (at.sources for at in report.output_sources), strict=True)
    edges = [
        (by_source[source], reader)
        for reader, sources in readers
        for source in sources
        if reader is not None and source in by_source
    ]
    model.inside = [*inputs, *model.inside, *outputs]
    unknown = sum(UNKNOWN in operator.sources for operator in report.operators)
    return Graph(model=model, edges=tuple(dict.fromkeys(edges)), unknown=unknown)


def _calls(report: LayersReport, labels: Sequence[str]) -> list[Box]:
    boxes = []
    for at, row in enumerate(report.rows):
        around = report.rows[row.parent].fqn if row.parent is not None else ""
        own_name = row.fqn.removeprefix(f"{around}.") if around else row.fqn
        errors = report.errors_of(at)
        boxes.append(
            Box(
                kind="model" if row.parent is None else "module",
                name=labels[at],
                # a number says less than what it is the number of
                label=f"{row.type} {own_name}" if own_name.isdigit() or not own_name else own_name,
                about="" if own_name.isdigit() else row.type,
                type=row.type,
                row=at,
                dtype=row.outputs[0].candidate_dtype if row.outputs else "",
                carried=_relative(errors),
                born=row.own.local.normalized_l2 if row.own else None,
                is_broken=bool(errors and errors.cand_only_nonfinite),
            )
        )
    return boxes


def _operators(report: LayersReport, labels: Sequence[str]) -> list[Box]:
    several = Counter((each.row, each.name) for each in report.operators)
    seen: Counter[tuple[int, str]] = Counter()
    boxes = []
    for place, each in enumerate(report.operators):
        key = each.row, each.name
        seen[key] += 1
        dtypes = report.dtypes_of(each)
        boxes.append(
            Box(
                kind="operator" if each.sources else "constant",
                name=f"{labels[each.row]}:{each.name}" + (f" · {seen[key]}" if several[key] > 1 else ""),
                label=each.name,
                about=shape_text(each.shape) + (f" · only in the {each.only}" if each.only else ""),
                row=each.row,
                operator=place,
                order=place,
                dtype=dtypes.output if dtypes else "",
                carried=_relative(each.errors),
                is_broken=bool(each.errors and each.errors.cand_only_nonfinite),
            )
        )
    return boxes


def _relative(errors: LayerErrors | OperatorErrors | None) -> float | None:
    found = errors.normalized_l2 if errors else None
    return found if found is not None and math.isfinite(found) else None


def _arrange(box: Box) -> None:
    """Put what is in it in order; modules of one operator become one box, and alike ones that follow a stack."""
    for each in box.inside:
        _arrange(each)
    box.inside.sort(key=lambda each: each.order)
    if box.inside:
        box.order = box.inside[0].order
    if box.kind == "module" and len(box.inside) == 1 and box.inside[0].is_operator:
        box.operator, box.inside = box.inside[0].operator, []
    alike = [list(group) for _, group in groupby(box.inside, key=_alike)]
    box.inside = [each for group in alike for each in ([_stack(group)] if len(group) >= _FEWEST else group)]


def _alike(box: Box) -> object:
    return box.build if box.kind == "module" and box.inside else box


def _stack(boxes: Sequence[Box]) -> Box:
    first, last = boxes[0], boxes[-1]
    start = first.label.rstrip("0123456789")
    return Box(
        kind="stack",
        name=f"{first.name} … {last.name}",
        label=f"{first.label} … {last.label.removeprefix(start)}",
        about=f"{len(boxes)} × {first.type}",
        order=first.order,
        dtype=first.dtype if len({box.dtype for box in boxes}) == 1 else "",
        carried=last.carried,
        is_broken=any(box.is_broken for box in boxes),
        inside=list(boxes),
    )


def _inputs(report: LayersReport) -> list[Box]:
    given = chain(*(each.sources for each in report.operators), *(each.sources for each in report.output_sources))
    names = dict.fromkeys(name for name in given if isinstance(name, str) and name != UNKNOWN)
    return [Box(kind="input", name=f"input {name}", label=name, about="") for name in names]
