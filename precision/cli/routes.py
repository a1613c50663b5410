"""What every way to cast does to a model, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import table_text
from precision.findings.routes import facts as words
from precision.findings.routes.differences import finding
from precision.findings.routes.tables import AFTERWARDS, RUN, STORED, routes_table
from precision.findings.tables import Table
from precision.results.routes import RoutesResult
from precision.text.names import plain


def routes_text(result: RoutesResult) -> str:
    """Three tables, of what is stored, what runs, and training; then why routes failed."""
    report, dtype = result.report, result.spec.dtype
    routes, said = report.routes, finding(report, dtype)
    names = [words.route_text(facts, dtype) for facts in routes]
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        f"Found: {said}." if routes else "",
        *(table_text(_saying(routes_table(report, dtype, facts))) for facts in (STORED, RUN, AFTERWARDS)),
        "\n".join((*words.step_failure_texts(routes, dtype), *words.no_layer_texts(routes))),
        "\n".join(
            f"{name}: {plain(facts.failure.message, limit=None)}"
            for name, facts in zip(names, routes, strict=True)
            if facts.failure
        ),
    )


def _saying(table: Table) -> Table:
    """The rows that say more than their name."""
    return table.where(any(row[1:]) for row in table.rows)
