"""A comparison and a cast audit as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns, table_text
from precision.findings.cast import audit_table
from precision.findings.decisions import decision_rows, truth_cells
from precision.findings.real_kernels import real_kernels_text
from precision.findings.speed import compare_speed
from precision.findings.verdict import judge
from precision.results import CastAudit, CompareResult, Cost
from precision.text.names import plain
from precision.text.units import bytes_text, number_text, seconds_text, share_text


def compare_text(result: CompareResult) -> str:
    """Warnings, verdict, errors, bytes, time, real kernels, every tensor's dtype; what was not measured says so."""
    verdict = judge(result)
    return paragraphs(
        heading(result),
        _warnings(result),
        f"Verdict: {verdict.word}\n  {plain(verdict.sentence, limit=None)}\n  {verdict.rule}",
        columns(_numbers(result)),
        _decisions(result),
        _real_kernels(result),
        _tensors(result.audit),
    )


def audit_text(result: CompareResult) -> str:
    """What the cast damaged, then every stored tensor before and after."""
    return paragraphs(heading(result), _warnings(result), _tensors(result.audit))


def _warnings(result: CompareResult) -> str:
    """Of the run, the cast, the comparison and the timing, each once."""
    cost = result.cost
    times = (cost.reference_time, cost.candidate_time) if cost else ()
    return warnings_text(
        *result.warnings,
        *(result.audit.warnings if result.audit else ()),
        *(result.comparison.notes if result.comparison else ()),
        *(f"Timing: {warning}" for time in times if time for warning in time.warnings),
    )


def _numbers(result: CompareResult) -> list[list[str]]:
    rows = []
    if result.comparison is not None:
        metrics, floor = result.comparison.overall, result.comparison.rounding_floor
        rows += [
            ["Mean absolute error", number_text(metrics.mean_abs_error), _floor(floor.mean_abs_error)],
            ["Max absolute error", number_text(metrics.max_abs_error), _floor(floor.max_abs_error)],
            ["SQNR", _decibels(metrics.sqnr_db), ""],
            ["Cosine similarity", number_text(metrics.cosine_similarity), ""],
        ]
        if (truth := result.comparison.truth) is not None:
            rows.append(["RMSE against float64", *truth_cells(truth)])
    if result.audit is not None:
        rows.append(["Stored", _bytes(result.audit.bytes_before, result.audit.bytes_after), ""])
    if result.cost is not None:
        rows.append(["Time per run", *_time(result.cost, result.candidate_name)])
    return rows


def _decibels(sqnr_db: float | None) -> str:
    return number_text(sqnr_db) if sqnr_db is None else f"{number_text(sqnr_db)} dB"


def _decisions(result: CompareResult) -> str:
    """What each output decides, and by what rule it was taken to decide that."""
    outputs = result.comparison.outputs if result.comparison else ()
    return paragraphs(
        *(
            f"Decisions of {plain(output.path)}. {plain(output.decisions.rule, limit=None)}\n"
            + columns(list(decision_rows(output.decisions)))
            for output in outputs
            if output.decisions
        )
    )


def _real_kernels(result: CompareResult) -> str:
    said = real_kernels_text(result)
    return plain(said, limit=None) if said else ""


def _floor(value: float | None) -> str:
    return "" if value is None else f"rounding the outputs alone: {number_text(value)}"


def _time(cost: Cost, candidate: str) -> tuple[str, str]:
    before, after = cost.reference_time, cost.candidate_time
    times = f"{seconds_text(before.median_s)} → {seconds_text(after.median_s)}"
    return times, f"{candidate} is {compare_speed(cost).text} the reference here"


def _bytes(before: int, after: int) -> str:
    saved = f" ({share_text(1 - after / before)} saved)" if 0 <= after < before else ""
    return f"{bytes_text(before)} → {bytes_text(after)}{saved}"


def _tensors(audit: CastAudit | None) -> str:
    if audit is None:
        return ""
    changed = sum(tensor.changed for tensor in audit.tensors)
    stored = _bytes(audit.bytes_before, audit.bytes_after)
    summary = f"{changed} of {len(audit.tensors)} tensors changed, stored {stored}"
    return paragraphs(
        summary,
        table_text(audit_table(audit.tensors).pick("tensor", "before", "after", "shape", "kind", "tied to", "why")),
    )
