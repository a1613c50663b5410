"""The tables of routes to a format: what is stored, what runs, and what the model can do afterwards."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from precision.findings.routes import facts as words
from precision.findings.tables import Column, Table, table_of
from precision.results.routes import RouteFacts, RoutesReport, TensorGroup


class Fact(NamedTuple):
    """One column of a table of routes."""

    name: str
    text: Callable[[RouteFacts], str]
    help: str
    of_format: bool = False
    """Whether the value depends on the format: then rows of other formats are not marked as different."""


_of_format = partial(Fact, of_format=True)


def _dtypes(group: TensorGroup) -> Callable[[RouteFacts], str]:
    return lambda facts: words.dtypes_text(facts, group)


STORED = (
    _of_format("format", words.format_text, "Format of the stored values. torchao's routes have their own formats."),
    Fact("returns", words.object_text, "Whether the call changes the model itself or returns a new one."),
    _of_format("parameters", _dtypes("parameter"), "Dtypes of the parameters after the cast."),
    _of_format(
        "bytes",
        words.bytes_change_text,
        "Bytes of all stored tensors, tied ones once: measured, or estimated where torch cannot store the format.",
    ),
    _of_format(
        "buffers",
        _dtypes("floating buffer"),
        "Dtypes of floating-point buffers after the cast, such as the statistics of a batch norm.",
    ),
    Fact(
        "integer buffers",
        _dtypes("integer or bool buffer"),
        "Dtypes of integer and bool buffers, such as positions: only .type(dtype) changes them.",
    ),
    Fact(
        "complex",
        _dtypes("complex parameter or buffer"),
        "Dtypes of complex tensors. A tensor that becomes real has lost its imaginary part.",
    ),
    Fact(
        "attributes",
        _dtypes("plain attribute"),
        "Dtypes of tensors that are neither parameters nor buffers: no cast changes them.",
    ),
    Fact("ties", words.ties_text, "Whether tensors that shared memory before the cast still do."),
    Fact("kept in float32", words.islands_text, "Parameters that transformers asks to keep in float32."),
)
RUN = (
    _of_format(
        "arithmetic",
        lambda facts: facts.label or "",
        "Whether the model computes in the format (native), in a wider one (upcast), or the format is simulated.",
    ),
    _of_format("SQNR (dB)", words.sqnr_text, "Error of the output against the reference; higher is better."),
    _of_format(
        "largest error",
        words.largest_error_text,
        "The largest absolute error of any output against the reference; for integers, how many elements differ.",
    ),
    _of_format(
        "output",
        lambda facts: words.output_text(facts, None),
        "Dtypes of the outputs, or “raises” if the model fails; the error message is below.",
    ),
    Fact(
        "output bits",
        lambda facts: {True: "same", False: "different", None: ""}[facts.same_output_as_baseline],
        "Whether the output equals the baseline's, in every bit and dtype.",
    ),
    Fact(
        "float32 input",
        lambda facts: facts.float32_input or "",
        "What happens to a float32 input that is not cast: accepted, raises, or the model takes no such input.",
    ),
)
AFTERWARDS = (
    Fact("model.dtype", words.said_text, "What model.dtype of a transformers model says, and whether it is true."),
    Fact(
        "dtypes in training",
        words.training_dtypes_text,
        "Dtypes of the gradients that remain after the cast, and of AdamW's state: its averages.",
    ),
    Fact(
        "in training",
        words.training_text,
        "What happens to gradients and to an AdamW made before the cast. Errors of its next step are below.",
    ),
    Fact("half() afterwards", words.half_text, "What .half() does on the model that is already cast."),
)


def routes_table(report: RoutesReport, dtype: str, facts: Sequence[Fact]) -> Table:
    """A row for each route that ran, a column for each of `facts` that some route has."""
    ran = routes_that_ran(report)
    same = baseline_of(report)
    itself = same and same.model_copy(update={"same_output_as_baseline": True})
    rows = (
        (words.route_text(route, dtype), *(fact.text(itself if itself and route is same else route) for fact in facts))
        for route in ran
    )
    return table_of((Column("route"), *(Column(fact.name, help=fact.help) for fact in facts)), rows).without_empty()


def routes_that_ran(report: RoutesReport) -> list[RouteFacts]:
    """The routes that gave a model, whether it runs or not."""
    return [facts for facts in report.routes if facts.dtypes]


def baseline_of(report: RoutesReport) -> RouteFacts | None:
    """The route that the others are compared with; None without any."""
    ran = routes_that_ran(report)
    return next((facts for facts in ran if facts.method is report.baseline), ran[0] if ran else None)
