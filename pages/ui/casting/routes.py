"""All routes to the format, compared: what each did to tensors, training and output."""

import streamlit as st

from pages.ui import detail, downloads, frame
from pages.ui.job import current_result
from precision.findings.routes import facts as words
from precision.findings.routes.differences import finding, sentences
from precision.findings.routes.tables import (
    AFTERWARDS,
    RUN,
    STORED,
    Fact,
    baseline_of,
    routes_table,
    routes_that_ran,
)
from precision.findings.tables import Table
from precision.results import RoutesResult
from precision.results.routes import RouteFacts
from precision.text.names import escape_markdown

HOW_TO_READ = """\
Each row is one way to bring the model into the format, on a copy of the model; each column is one fact about it.
A tied tensor counts once for each of its names; the optimizer and `.half()` afterwards count it once.

- **≠** marks what differs from the baseline, which is the first row that ran. In rows of another format,
  a cell is marked only if the format alone does not explain the difference.
- **Tied tensors** share memory. A route that splits them stores them twice, and they no longer change together.
- **Kept in float32** are modules that a transformers model asks to keep so: most of them only for float16, some for
  bfloat16 too.
- **The optimizer** is an AdamW that was created before the cast and had made a step.
- **SQNR** is that of the output against the reference: higher is better; ∞ is exact.
- torchao's routes have their own formats, with integers or float8 in linear layers. Below each is the route that is
  most similar without torchao's kernels. It rounds all weight matrices, embeddings too, in other groups of values:
  errors are similar, not equal. *Upcast* computes in float32; *simulated* rounds to the format and computes in float32.
- `.to(dtype)` with a format that has no kernels gives a model that cannot run; here it is simulated.
- **half() afterwards** is tried on models quantized with `quantize_` of torchao. A model that transformers itself
  quantized refuses it: see the claims.
"""
_DIFFERS = "≠"
_WIDTHS_PX = {"route": 240, "parameters": 260, "dtypes in training": 350, "in training": 440, "half() afterwards": 330}
"""Fixed, because a table that grows keeps the widths of its first rows, and because some texts are long."""


def section() -> None:
    """The finding, the matrix, and what is not possible here."""
    result = current_result(RoutesResult, shows=lambda _: True)
    report = result.report
    said = escape_markdown(finding(report, result.spec.dtype))
    frame.header(f"{frame.model_name(result)}: {said}", result)
    for told in sentences(report, result.spec.dtype):
        st.markdown(escape_markdown(told))
    ran, baseline = routes_that_ran(report), baseline_of(report)
    if baseline is not None:
        _matrices(result, ran, baseline)
    elif report.is_complete:
        st.info("No route to this format was measured.", icon=":material/block:")
    _not_possible(result, [facts for facts in report.routes if facts.failure is not None])
    _warned(ran)
    if _has_ended(result):
        frame.footer(result, how_to_read=HOW_TO_READ)


def _has_ended(result: RoutesResult) -> bool:
    return result.report.is_complete or result.failure is not None


def _matrices(result: RoutesResult, ran: list[RouteFacts], baseline: RouteFacts) -> None:
    only = st.toggle(
        "Show only differences",
        value=True,
        key="differences",
        bind="query-params",
        help="Leaves out facts that are the same for every route.",
    )
    st.caption(
        f"{_DIFFERS} differs from {escape_markdown(words.route_text(baseline, result.spec.dtype))}.",
        help="In rows of another format, a cell is marked only if the format alone does not explain the difference. A "
        "tied tensor counts once for each of its names.",
    )
    _matrix(result, ran, baseline, title="What is stored", facts=STORED, only_differences=only)
    if not detail.shows_all("what runs and what follows"):
        return
    for title, facts in (("What runs", RUN), ("What follows", AFTERWARDS)):
        _matrix(result, ran, baseline, title=title, facts=facts, only_differences=only)
    for text in (*words.step_failure_texts(ran, result.spec.dtype), *words.no_layer_texts(ran)):
        st.caption(f":material/info: {escape_markdown(text)}")


def _matrix(
    result: RoutesResult,
    ran: list[RouteFacts],
    baseline: RouteFacts,
    *,
    title: str,
    facts: tuple[Fact, ...],
    only_differences: bool,
) -> None:
    table = routes_table(result.report, result.spec.dtype, facts)
    said = table.names[1:]
    same = [name for name in said if only_differences and len(set(table.column(name))) == 1]
    shown = table.without(*same)
    if not said:
        return
    st.header(title, anchor=False)
    if shown.names[1:]:
        name = title.rpartition(" ")[2]
        marked = _marked(shown, ran, baseline, of_format={fact.name for fact in facts if fact.of_format})
        downloads.table(
            marked.where(any(row[1:]) for row in marked.rows),
            name=f"{downloads.file_stem(result)}-routes-{name}" if _has_ended(result) else None,
            key=f"routes-{name}",
            alt=f"{title} by every route to the format; cells that differ from the baseline begin with {_DIFFERS}",
            pinned=True,
            widths=_WIDTHS_PX,
            marked=_DIFFERS,
        )
    if same:
        alike = "; ".join(f"{name}: {table.column(name)[0]}" for name in same)
        st.caption(escape_markdown(f"The same for all: {alike}."))


def _marked(table: Table, ran: list[RouteFacts], baseline: RouteFacts, *, of_format: set[str]) -> Table:
    """Marks cells that differ from the baseline, unless the route's own format explains the difference."""
    first = table.rows[ran.index(baseline)]
    rows = []
    for row, route in zip(table.rows, ran, strict=True):
        explained = {"route", *(of_format if route.format != baseline.format else ())}
        cells = zip(table.names, row, first, strict=True)
        differs = [cell not in ("", alike) and name not in explained for name, cell, alike in cells]
        rows.append(tuple(f"{_DIFFERS} {cell}" if marked else cell for cell, marked in zip(row, differs, strict=True)))
    return Table(table.columns, tuple(rows))


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
