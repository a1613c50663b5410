"""Paths through a run's graph that tell where errors come from."""

from precision.findings.graph.tree import Box, Graph
from precision.results import LayersReport


def nonfinite_path(graph: Graph, report: LayersReport) -> tuple[Box, ...]:
    """Where the first infinity or NaN is made, then the boxes that it reaches; empty without one."""
    if not report.origins:
        return ()
    origin = report.origins[0]
    made_in = [box for box in graph.model.leaves if box.row == origin.row and box.is_broken]
    named = [
        box for box in made_in if box.operator is not None and report.operators[box.operator].name == origin.operator
    ]
    found = dict.fromkeys((named or made_in)[:1])
    left = list(found)
    while left:
        for box in graph.after.get(left.pop(0), ()):
            if box not in found and (box.is_broken or box.kind == "output"):
                found[box] = None
                left.append(box)
    return tuple(found)


def worst_path(graph: Graph) -> tuple[Box, ...]:
    """From the input with the largest error on each step back from the box with the largest error; in that order."""
    measured = [box for box in graph.model.leaves if box.carried]
    if not measured:
        return ()
    path = [max(measured, key=_size)]
    while before := [box for box in graph.before.get(path[-1], ()) if box not in path]:
        path.append(max(before, key=_size))
    return tuple(reversed(path))


def _size(box: Box) -> float:
    return box.carried or 0.0
