"""Every route to the format beside the others: what it did to tensors, training and output."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import streamlit as st

from pages.ui import downloads, frame
from pages.ui.job import current_result
from precision.findings.routes import facts as words
from precision.findings.routes.differences import finding
from precision.results import RoutesResult
from precision.results.routes import RouteFacts
from precision.text.names import escape_markdown, plain

HOW_TO_READ = """\
Each row is one way to bring the model into the format, on a copy of its own; each column one fact about what it did.
Tensors are counted by their names, tied ones too; the optimizer and `.half()` afterwards count tied ones once.

- **≠** marks what differs from the first row that ran, the baseline. Rows of other formats have marks only where the
  format is no reason to differ.
- **Tied tensors** share memory. A route that splits them stores them twice, and they no longer change together.
- **Float32 islands** are modules that a model of transformers asks to keep in float32: most of them for float16 alone,
  some for bfloat16 too.
- **The optimizer** is an AdamW that was made, and had made a step, before the cast.
- **SQNR** is of the output against the reference: higher is better; ∞ is exact.
- torchao's routes have formats of their own, with integers or float8 in linear layers. Below each stands what comes
  nearest to it without torchao's kernels: it rounds all weight matrices, embeddings too, with other groups of values,
  so that errors are alike, not equal. *Upcast* computes in float32; *simulated* rounds to the format, and computes in
  float32.
- `.to(dtype)` of a format without kernels leaves a model that does not run by itself; what runs here simulates it.
- **half() afterwards** is tried on what `quantize_` of torchao leaves. A model that transformers itself quantized
  refuses it: see the claims.

The sidebar's *cast method* plays no part here: all are tried.
"""
_DIFFERS, _SAME = "≠", "the same"
_ROUTE_PX = 190
"""Said, as a table that grows keeps the widths of its first rows."""


class _Fact(NamedTuple):
    """One column."""

    name: str
    text: Callable[[RouteFacts], str]
    help: str
    width_px: int | None = None
    """Of long texts."""
    of_format: bool = False
    """Whether another format explains another value, so that rows of other formats are not marked."""


_STORED = (
    _Fact(
        "format",
        words.format_text,
        "That of the values stored. torchao's routes have formats of their own.",
        of_format=True,
    ),
    _Fact("returns", words.object_text, "Whether the call changes the very model that it is called on."),
    _Fact(
        "parameters",
        lambda facts: words.dtypes_text(facts, "parameter"),
        "Dtypes of the parameters afterwards.",
        width_px=260,
        of_format=True,
    ),
    _Fact(
        "bytes",
        words.bytes_change_text,
        "Of all stored tensors, tied ones once: measured, or estimated where torch cannot store the format.",
        of_format=True,
    ),
    _Fact(
        "buffers",
        lambda facts: words.dtypes_text(facts, "floating buffer"),
        "Dtypes of floating-point buffers afterwards, such as the statistics of a batch norm.",
        of_format=True,
    ),
    _Fact(
        "integer buffers",
        lambda facts: words.dtypes_text(facts, "integer or bool buffer"),
        "Dtypes of integer and bool buffers, such as positions: only .type(dtype) touches them.",
    ),
    _Fact(
        "complex",
        lambda facts: words.dtypes_text(facts, "complex parameter or buffer"),
        "Dtypes of complex tensors. One that becomes real has lost its imaginary part.",
    ),
    _Fact(
        "attributes",
        lambda facts: words.dtypes_text(facts, "plain attribute"),
        "Dtypes of tensors that are neither parameter nor buffer, which no cast knows of.",
    ),
    _Fact("ties", words.ties_text, "Tensors that shared memory before the cast: whether they still do."),
    _Fact("float32 islands", words.islands_text, "Parameters that transformers asks to keep in float32."),
)
_RUN = (
    _Fact(
        "arithmetic",
        lambda facts: facts.label or "",
        "Whether the model really computes in the format (native), in a wider one (upcast), or as if (simulated).",
        of_format=True,
    ),
    _Fact("SQNR (dB)", words.sqnr_text, "Error of the output against the reference; higher is better.", of_format=True),
    _Fact(
        "largest error",
        words.largest_error_text,
        "The largest absolute error of any output against the reference; where no output is a floating-point tensor, "
        "how many of its elements differ.",
        of_format=True,
    ),
    _Fact(
        "output",
        lambda facts: words.output_text(facts, None),
        "Dtypes of the outputs, or that the model raises; what it raises is told below.",
        of_format=True,
    ),
    _Fact(
        "output bits",
        lambda facts: {True: _SAME, False: "others", None: ""}[facts.same_output_as_baseline],
        "Whether the output is the baseline's, bit for bit and dtype for dtype.",
    ),
    _Fact(
        "float32 input",
        lambda facts: facts.float32_input or "",
        "What a float32 input does, which nobody casts: it is accepted, it raises, or the model takes none.",
    ),
)
_AFTERWARDS = (
    _Fact("model.dtype", words.said_text, "What a model of transformers says of itself, and whether it is so."),
    _Fact(
        "dtypes in training",
        words.training_dtypes_text,
        "Dtypes of the gradients that are left after the cast, and of the averages that AdamW keeps.",
        250,
    ),
    _Fact(
        "in training",
        words.training_text,
        "What became of gradients, and of an AdamW made before the cast. What its next step raises is told below.",
        300,
    ),
    _Fact("half() afterwards", words.half_text, "What .half() does on the model that is already cast.", 330),
)


def section() -> None:
    """The finding, the matrix, and what is not possible here."""
    result = current_result(RoutesResult, as_it_grows=True)
    report = result.report
    said = escape_markdown(finding(report, result.spec.dtype))
    frame.header(f"{frame.model_name(result)}: {said}", result)
    ran = [facts for facts in report.routes if facts.dtypes]
    if ran:
        _matrices(result, ran)
    elif report.is_complete:
        st.info("No route to this format was measured.", icon=":material/block:")
    _not_possible(result, [facts for facts in report.routes if facts.failure is not None])
    _warned(ran)
    if _has_ended(result):
        frame.footer(result, how_to_read=HOW_TO_READ)


def _has_ended(result: RoutesResult) -> bool:
    return result.report.is_complete or result.failure is not None


def _matrices(result: RoutesResult, ran: list[RouteFacts]) -> None:
    """What is stored, what runs, and what can be done with it, each a table of routes by facts."""
    baseline = next((facts for facts in ran if facts.method is result.report.baseline), ran[0])
    only = st.toggle(
        "Show only differences",
        value=True,
        key="differences",
        bind="query-params",
        help="Leaves out facts that are the same for every route.",
    )
    st.caption(
        f"{_DIFFERS} differs from {escape_markdown(words.route_text(baseline, result.spec.dtype))}; where the format "
        "is another, only what the format does not explain is marked. Tensors are counted by name, tied ones too."
    )
    for title, facts in (("What is stored", _STORED), ("What runs", _RUN), ("What follows", _AFTERWARDS)):
        _matrix(result, ran, baseline, title=title, facts=facts, only_differences=only)
    for text in (*words.step_failure_texts(ran, result.spec.dtype), *words.no_layer_texts(ran)):
        st.caption(f":material/info: {escape_markdown(text)}")


def _matrix(
    result: RoutesResult,
    ran: list[RouteFacts],
    baseline: RouteFacts,
    *,
    title: str,
    facts: tuple[_Fact, ...],
    only_differences: bool,
) -> None:
    itself = baseline.model_copy(update={"same_output_as_baseline": True})
    columns = {fact: [fact.text(itself if route is baseline else route) for route in ran] for fact in facts}
    said = {fact: cells for fact, cells in columns.items() if any(cells)}
    shown = {fact: cells for fact, cells in said.items() if not only_differences or len(set(cells)) > 1}
    same = [f"{fact.name}: {cells[0]}" for fact, cells in said.items() if fact not in shown]
    if not said:
        return
    st.header(title, anchor=False)
    if shown:
        first, name = ran.index(baseline), title.rpartition(" ")[2]
        routes = pd.DataFrame(
            {"route": [words.route_text(route, result.spec.dtype) for route in ran]}
            | {
                fact.name: [
                    _cell(cell, None if fact.of_format and route.format != ran[first].format else cells[first])
                    for route, cell in zip(ran, cells, strict=True)
                ]
                for fact, cells in shown.items()
            }
        )
        downloads.table(
            routes[routes.drop(columns="route").any(axis="columns")],
            name=f"{downloads.file_stem(result)}-routes-{name}" if _has_ended(result) else None,
            key=f"routes-{name}",
            alt=f"{title} by every route to the format; cells that differ from the baseline begin with {_DIFFERS}",
            column_config={
                "route": st.column_config.TextColumn(pinned=True, width=_ROUTE_PX),
                **{
                    fact.name: st.column_config.TextColumn(help=escape_markdown(fact.help), width=fact.width_px)
                    for fact in shown
                },
            },
            marked=_DIFFERS,
            whole=True,
        )
    if same:
        st.caption(escape_markdown(f"The same for all: {'; '.join(same)}."))


def _cell(cell: str, baseline: str | None) -> str:
    """The text, marked where it is not the baseline's; without a baseline, as it is."""
    text = plain(cell, limit=None) if cell else ""
    return text if baseline is None or cell in ("", baseline) else f"{_DIFFERS} {text}"


def _not_possible(result: RoutesResult, failed: list[RouteFacts]) -> None:
    if not failed:
        return
    st.header("Not possible here", anchor=False)
    why: dict[str, list[str]] = {}
    for facts in failed:
        if facts.failure is not None:
            why.setdefault(facts.failure.message, []).append(words.route_text(facts, result.spec.dtype))
    for message, names in why.items():
        st.markdown(f"- **{escape_markdown(', '.join(names))}**: {escape_markdown(message)}")


def _warned(ran: list[RouteFacts]) -> None:
    said = {warning: facts.method.label for facts in reversed(ran) for warning in facts.warnings}
    for warning, label in said.items():
        st.caption(f":material/warning: **{escape_markdown(label)}** warns: {escape_markdown(warning)}")
