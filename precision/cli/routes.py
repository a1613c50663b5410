"""What every way to cast does to a model, as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns
from precision.findings.routes import facts as words
from precision.findings.routes.differences import finding
from precision.results.routes import RouteFacts, RoutesResult
from precision.text.names import plain

_STORED = [
    "ROUTE",
    "FORMAT",
    "RETURNS",
    "PARAMETERS",
    "BUFFERS",
    "COMPLEX",
    "ATTRIBUTES",
    "TIES",
    "FLOAT32 ISLANDS",
    "BYTES",
]
_RUN = ["ROUTE", "EXECUTION", "FLOAT32 INPUT", "OUTPUT", "SQNR dB", "LARGEST ERROR", "MODEL.DTYPE", "HALF() AFTERWARDS"]


def routes_text(result: RoutesResult) -> str:
    """Three tables, of what is stored, what runs, and training; then why routes failed."""
    report, dtype = result.report, result.spec.dtype
    routes, said = report.routes, finding(report, dtype)
    baseline = next((words.route_text(facts, dtype) for facts in routes if facts.method is report.baseline), None)
    names = [words.route_text(facts, dtype) for facts in routes]
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        f"Found: {said}." if routes else "",
        _table(_STORED, [[name, *_stored(facts)] for name, facts in zip(names, routes, strict=True)]),
        _table(_RUN, [[name, *_run(facts, baseline)] for name, facts in zip(names, routes, strict=True)]),
        _table(
            ["ROUTE", "DTYPES IN TRAINING", "IN TRAINING"],
            [
                [name, words.training_dtypes_text(facts), words.training_text(facts)]
                for name, facts in zip(names, routes, strict=True)
            ],
        ),
        "\n".join((*words.step_failure_texts(routes, dtype), *words.no_layer_texts(routes))),
        "\n".join(
            f"{name}: {plain(facts.failure.message, limit=None)}"
            for name, facts in zip(names, routes, strict=True)
            if facts.failure
        ),
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    """The rows that say more than their name, under `head`; columns that say nothing are left out."""
    said = [row for row in rows if any(row[1:])]
    used = [place for place in range(len(head)) if any(row[place] for row in said)]
    return columns([[row[place] for place in used] for row in (head, *said)]) if said else ""


def _stored(facts: RouteFacts) -> list[str]:
    if not facts.dtypes:
        return [""] * (len(_STORED) - 1)
    return [
        words.format_text(facts),
        words.object_text(facts),
        words.dtypes_text(facts, "parameter"),
        words.dtypes_text(facts, "floating buffer", "integer or bool buffer"),
        words.dtypes_text(facts, "complex parameter or buffer"),
        words.dtypes_text(facts, "plain attribute"),
        words.ties_text(facts),
        words.islands_text(facts),
        words.bytes_change_text(facts),
    ]


def _run(facts: RouteFacts, baseline: str | None) -> list[str]:
    return [
        facts.label or "",
        facts.float32_input or "",
        words.output_text(facts, baseline),
        words.sqnr_text(facts),
        words.largest_error_text(facts),
        words.said_text(facts),
        words.half_text(facts),
    ]
