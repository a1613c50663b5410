"""A comparison layer by layer as text for a terminal."""

from __future__ import annotations

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns
from precision.findings.autocast import lowering, lowering_text
from precision.results import LayerRow, LayersReport, LayersResult, NonfiniteOrigin
from precision.spec import CastMethod
from precision.text.names import plain
from precision.text.units import number_text

_COLUMNS = [
    "LAYER",
    "TYPE",
    "RELATIVE ERROR",
    "LOCAL",
    "INHERITED",
    "GAIN",
    "SQNR DB",
    "MAX ABS",
    "NEW NAN/INF",
    "OUTPUT",
]


_OPERATOR_COLUMNS = [
    *("LAYER", "OPERATOR", "INPUTS", "COMPUTED IN", "OUTPUT", "RELATIVE ERROR", "MAX ABS", "NEW NAN/INF", "REMARK"),
]


def layers_text(result: LayersResult, *, operators: bool = False) -> str:
    """Warnings, where the first infinity or NaN is born, and a line for every module call.

    Args:
        result: of a run.
        operators: whether a line for every operator follows.
    """
    report = result.report
    if report is None:
        return paragraphs(heading(result), warnings_text(*result.warnings), "No layer was compared.")
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        *(_origin(origin) for origin in report.origins),
        _stopped(report),
        columns(_rows(report)),
        _lowered(result),
        columns(_operator_rows(report)) if operators else "",
        "\n".join(plain(note, limit=None) for note in report.notes),
    )


def _lowered(result: LayersResult) -> str:
    found = lowering(result) if result.spec.method is CastMethod.AUTOCAST else None
    return lowering_text(found) if found else ""


def _origin(origin: NonfiniteOrigin) -> str:
    place = f"{plain(origin.fqn) if origin.fqn else 'the model'}, call {origin.call}"
    operator = f"operator {plain(origin.operator)} in " if origin.operator else ""
    lines = [
        f"First non-finite value: {operator}{place}: {origin.elements:,} elements; largest input "
        f"{number_text(origin.largest_input)}; {origin.dtype} ends at {number_text(origin.format_max)}",
        *(f"  {advice}" for advice in origin.advice),
    ]
    return "\n".join(lines)


def _stopped(report: LayersReport) -> str:
    if report.stopped is None:
        return ""
    mixed = f" Not in the dtype of the others: {', '.join(report.stopped.mixed)}." if report.stopped.mixed else ""
    keep = f" Try --keep {report.stopped.keep}" if report.stopped.keep else ""
    return f"Stopped: {plain(report.stopped.message, limit=None)}{mixed}{keep}"


def _rows(report: LayersReport) -> list[list[str]]:
    rows = [_COLUMNS]
    for at, row in enumerate(report.rows):
        errors, corners = report.errors_of(at), row.corners
        rows.append(
            [
                "  " * row.depth + _name(row),
                plain(row.type),
                _number(errors.normalized_l2 if errors else None),
                _number(corners.local.normalized_l2 if corners else None),
                _number(corners.inherited.normalized_l2 if corners else None),
                _number(corners.gain if corners else None),
                _number(errors.sqnr_db if errors else None),
                _number(errors.max_abs_error if errors else None),
                str(errors.cand_only_nonfinite) if errors and errors.cand_only_nonfinite else "",
                ", ".join(dict.fromkeys(pair.candidate_dtype for pair in row.outputs)),
            ]
        )
    return rows


def _operator_rows(report: LayersReport) -> list[list[str]]:
    rows = [_OPERATOR_COLUMNS]
    for each in report.operators:
        row, errors = report.rows[each.row], each.errors
        flow = report.dtypes_of(each)
        rows.append(
            [
                _name(row),
                plain(each.name),
                ", ".join(dict.fromkeys(flow.inputs)) if flow else "",
                flow.computed_text if flow else "",
                flow.output if flow else "",
                _number(errors.normalized_l2 if errors else None),
                _number(errors.max_abs_error if errors else None),
                str(errors.cand_only_nonfinite) if errors and errors.cand_only_nonfinite else "",
                "; ".join(filter(None, (flow.converted_text if flow else "", each.only_text))),
            ]
        )
    return rows


def _name(row: LayerRow) -> str:
    name = plain(row.fqn, limit=None) if row.fqn else "(model)"
    return f"{name} #{row.call}" if row.call > 1 else name


def _number(value: float | None) -> str:
    return "" if value is None else number_text(value)
