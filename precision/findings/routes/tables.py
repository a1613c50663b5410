"""The tables of the ways to a format: what is stored, what runs, and what can be done with it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from precision.findings.routes import facts as words
from precision.findings.tables import Column, Table, table_of
from precision.results.routes import RouteFacts, RoutesReport


class Fact(NamedTuple):
    """One column of a table of routes."""

    name: str
    text: Callable[[RouteFacts], str]
    help: str
    of_format: bool = False
    """Whether another format explains another value, so that rows of other formats are not marked."""


STORED = (
    Fact(
        "format",
        words.format_text,
        "That of the values stored. torchao's routes have formats of their own.",
        of_format=True,
    ),
    Fact("returns", words.object_text, "Whether the call changes the very model that it is called on."),
    Fact(
        "parameters",
        lambda facts: words.dtypes_text(facts, "parameter"),
        "Dtypes of the parameters afterwards.",
        of_format=True,
    ),
    Fact(
        "bytes",
        words.bytes_change_text,
        "Of all stored tensors, tied ones once: measured, or estimated where torch cannot store the format.",
        of_format=True,
    ),
    Fact(
        "buffers",
        lambda facts: words.dtypes_text(facts, "floating buffer"),
        "Dtypes of floating-point buffers afterwards, such as the statistics of a batch norm.",
        of_format=True,
    ),
    Fact(
        "integer buffers",
        lambda facts: words.dtypes_text(facts, "integer or bool buffer"),
        "Dtypes of integer and bool buffers, such as positions: only .type(dtype) touches them.",
    ),
    Fact(
        "complex",
        lambda facts: words.dtypes_text(facts, "complex parameter or buffer"),
        "Dtypes of complex tensors. One that becomes real has lost its imaginary part.",
    ),
    Fact(
        "attributes",
        lambda facts: words.dtypes_text(facts, "plain attribute"),
        "Dtypes of tensors that are neither parameter nor buffer, which no cast knows of.",
    ),
    Fact("ties", words.ties_text, "Tensors that shared memory before the cast: whether they still do."),
    Fact("float32 islands", words.islands_text, "Parameters that transformers asks to keep in float32."),
)
RUN = (
    Fact(
        "arithmetic",
        lambda facts: facts.label or "",
        "Whether the model really computes in the format (native), in a wider one (upcast), or as if (simulated).",
        of_format=True,
    ),
    Fact("SQNR (dB)", words.sqnr_text, "Error of the output against the reference; higher is better.", of_format=True),
    Fact(
        "largest error",
        words.largest_error_text,
        "The largest absolute error of any output against the reference; where no output is a floating-point tensor, "
        "how many of its elements differ.",
        of_format=True,
    ),
    Fact(
        "output",
        lambda facts: words.output_text(facts, None),
        "Dtypes of the outputs, or that the model raises; what it raises is told below.",
        of_format=True,
    ),
    Fact(
        "output bits",
        lambda facts: {True: "the same", False: "others", None: ""}[facts.same_output_as_baseline],
        "Whether the output is the baseline's, bit for bit and dtype for dtype.",
    ),
    Fact(
        "float32 input",
        lambda facts: facts.float32_input or "",
        "What a float32 input does, which nobody casts: it is accepted, it raises, or the model takes none.",
    ),
)
AFTERWARDS = (
    Fact("model.dtype", words.said_text, "What a model of transformers says of itself, and whether it is so."),
    Fact(
        "dtypes in training",
        words.training_dtypes_text,
        "Dtypes of the gradients that are left after the cast, and of the averages that AdamW keeps.",
    ),
    Fact(
        "in training",
        words.training_text,
        "What became of gradients, and of an AdamW made before the cast. What its next step raises is told below.",
    ),
    Fact("half() afterwards", words.half_text, "What .half() does on the model that is already cast."),
)


def routes_table(report: RoutesReport, dtype: str, facts: Sequence[Fact]) -> Table:
    """A row for each route that ran, a column for each fact that some route has; the output is the baseline's own.

    Args:
        report: of every route.
        dtype: the format of the run.
        facts: to show.
    """
    ran = routes_that_ran(report)
    same = baseline_of(report)
    itself = same and same.model_copy(update={"same_output_as_baseline": True})
    rows = (
        (words.route_text(route, dtype), *(fact.text(itself if itself and route is same else route) for fact in facts))
        for route in ran
    )
    return table_of((Column("route"), *(Column(fact.name, help=fact.help) for fact in facts)), rows).without_empty()


def routes_that_ran(report: RoutesReport) -> list[RouteFacts]:
    """Those that left a model in the format, whether it runs or not."""
    return [facts for facts in report.routes if facts.dtypes]


def baseline_of(report: RoutesReport) -> RouteFacts | None:
    """The route that the others are compared with; None where none ran."""
    ran = routes_that_ran(report)
    return next((facts for facts in ran if facts.method is report.baseline), ran[0] if ran else None)
