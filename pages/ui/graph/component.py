"""The graph on a page: what the browser's part is sent, and where its files are."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pages.ui.packaged import packaged
from precision.charts.palette import colour_of
from precision.findings.graph.measures import Reading, Readings
from precision.findings.graph.tree import Box, Graph
from precision.text.names import plain

_HERE: Final = Path(__file__).parent
_SPOKEN: Final = {"stack": "folded", "model": "module"}
"""Kinds of boxes that are called otherwise."""
_LABEL_CHARACTERS: Final = 34


def show_graph(
    graph: Graph,
    readings: Readings,
    *,
    measure: str,
    run: str,
    chosen: str,
    path: Sequence[Box],
    is_nonfinite: bool,
    legend: Sequence[tuple[str, str, str]],
    colours: Mapping[str, str],
    on_choice: Callable[[], None],
) -> None:
    """Draw the graph.

    Args:
        graph: what to draw.
        readings: what each box shows; none where nothing was measured.
        measure: what that is, in words.
        run: tells one run from another.
        chosen: name of the box that is chosen; empty for none.
        path: boxes to light, in order.
        is_nonfinite: whether the path is that of an infinity or NaN.
        legend: words, a class of the style sheet, and a colour that replaces that of the class.
        colours: of the readings' categories.
        on_choice: called when a box is chosen; the session's `graph` then has its name in `chosen`.
    """
    boxes = list(graph.model.all)
    at = {box: place for place, box in enumerate(boxes)}
    around = {inner: at[box] for box in boxes for inner in box.inside}
    packaged("graph", _HERE)(
        key="graph",
        data={
            "graph": run,
            "measure": measure,
            "chosen": chosen,
            "boxes": [_fields(box, around.get(box), readings.get(box, Reading()), measure, colours) for box in boxes],
            "edges": [(at[source], at[target]) for source, target in graph.edges],
            "path": [at[box] for box in path],
            "lit": "nonfinite" if is_nonfinite else "worst",
            "legend": list(legend),
        },
        on_chosen_change=on_choice,
    )


def _fields(
    box: Box, around: int | None, reading: Reading, measure: str, colours: Mapping[str, str]
) -> tuple[object, ...]:
    """As graph.js reads them."""
    return (
        around,
        box.kind,
        box.name,
        plain(box.label, limit=_LABEL_CHARACTERS),
        plain(box.about, limit=_LABEL_CHARACTERS) if box.about else "",
        reading.text,
        reading.share,
        reading.born,
        colour_of(box.dtype) if box.dtype else "",
        colours.get(reading.category, ""),
        _said(box, reading, measure),
        box.is_broken,
    )


def _said(box: Box, reading: Reading, measure: str) -> str:
    """The box for those who hear it, and under the mouse."""
    what = _SPOKEN.get(box.kind, box.kind)
    value = f"{measure}: {reading.text}" if reading.text else ""
    name = plain(box.name, limit=None)
    return ", ".join(filter(None, (name, plain(box.about, limit=None) if box.about else "", what, value, box.dtype)))
