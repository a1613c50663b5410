"""A comparison layer by layer: the names of its rows, its tables, and where the two models take different paths."""

import math
from collections import Counter
from collections.abc import Iterator

from precision.findings.systematic import factor_text
from precision.findings.tables import Table, Value, of_kind, table_of
from precision.results import Divergence, LayerRow, LayersReport, OperatorDtypes, OperatorRow, TensorPair
from precision.text.units import shape_text

_ERRORS = (
    *of_kind("text", "layer", "type"),
    *of_kind("error", "relative error", "local", "inherited", "gain"),
    *of_kind("decibels", "SQNR"),
    *of_kind("error", "max absolute error", "mean ULP error"),
    *of_kind("share", "exact share"),
    *of_kind("count", "new NaN or ±inf", "clipped", "elements"),
    *of_kind("text", "systematic", "integers that differ", "output", "remark"),
)
_OPERATORS = (
    *of_kind("text", "layer", "operator", "inputs", "computed in", "output", "converted"),
    *of_kind("error", "relative error", "max absolute error"),
    *of_kind("count", "new NaN or ±inf"),
    *of_kind("text", "systematic", "became equal", "integers that differ"),
    *of_kind("count", "beyond the end"),
    *of_kind("text", "shape", "remark"),
)
CODE = ":code"
"""Behind the name of a module, its own code, as where it is kept."""
_SIDES = ("inputs, reference", "inputs, candidate", "outputs, reference", "outputs, candidate")


def labels_of(report: LayersReport) -> list[str]:
    """A name for each row: the module's fqn, with its type for the model itself, and which call of several."""
    return list(_labels(report))


def _labels(report: LayersReport, part: str = "") -> Iterator[str]:
    calls = Counter(row.fqn for row in report.rows)
    for row in report.rows:
        yield (row.fqn or f"the model ({row.type})") + part + (f" · call {row.call}" if calls[row.fqn] > 1 else "")


def calls_table(report: LayersReport) -> Table:
    """A row for each module call, its errors; and one behind it for what its own code makes, where that computes."""
    names = labels_of(report)
    rows: list[tuple[Value, ...]] = []
    for at, (row, name, code) in enumerate(zip(report.rows, names, _labels(report, CODE), strict=True)):
        dtypes = _dtypes(row.outputs, "candidate")
        rows.append((name, row.type, *_errors(report, at), _integers(row), dtypes, _remark(row, names)))
        if row.has_own_code:
            rows.append((code, f"{row.type}, own code", *_own_errors(row), "", "", _own_remark(row)))
    return table_of(_ERRORS, rows)


def depths_of(report: LayersReport) -> list[int]:
    """How deep in the model each row of `calls_table` is."""
    return [row.depth + place for row in report.rows for place in range(1 + row.has_own_code)]


def name_of_own(row: LayerRow) -> str:
    """What the errors `row.own` belong to: the module, or its own code."""
    return (row.fqn or row.type) + CODE * row.has_own_code


def _own_errors(row: LayerRow) -> tuple[Value, ...]:
    code = row.own_code
    if code is None:
        return (*(None,) * 11, "")
    whole, relative = code.propagated, code.propagated.normalized_l2
    sqnr_db = -20 * math.log10(relative) if 0 < relative < math.inf else -math.inf if relative else math.inf
    parts = code.local.normalized_l2, code.inherited.normalized_l2, code.gain
    return (relative, *parts, sqnr_db, whole.max_abs_error, *(None,) * 5, "")


def _own_remark(row: LayerRow) -> str:
    if row.own_code is None or not row.own_code.excluded_elements:
        return row.own_code_missing
    return f"{row.own_code.excluded_elements:,} elements left out: infinite or NaN"


def _errors(report: LayersReport, at: int) -> tuple[Value, ...]:
    errors, corners = report.errors_of(at), report.rows[at].corners
    parts = (corners.local.normalized_l2, corners.inherited.normalized_l2, corners.gain) if corners else (None,) * 3
    if errors is None:
        return (None, *parts, *(None,) * 7, "")
    return (
        errors.normalized_l2,
        *parts,
        errors.sqnr_db,
        errors.max_abs_error,
        errors.mean_ulp_error,
        errors.exact_share,
        errors.cand_only_nonfinite,
        report.rows[at].clipped or None,
        errors.elements,
        factor_text(errors.factor_error, errors.factor_error_se),
    )


def activations_table(report: LayersReport) -> Table:
    """A row for each module call: the dtypes of its inputs and outputs on both sides."""
    rows = (
        (
            name,
            row.type,
            *(_dtypes(pairs, side) for pairs in (row.inputs, row.outputs) for side in ("reference", "candidate")),
            " · ".join(map(shape_text, (pair.shape for pair in row.outputs))),
        )
        for row, name in zip(report.rows, labels_of(report), strict=True)
    )
    return table_of(of_kind("text", "layer", "type", *_SIDES, "shape"), rows)


def operators_table(report: LayersReport, *, row: int | None = None) -> Table:
    """A row for each operator: the dtypes of its inputs, its computation and its output, and its error.

    With `row`, only the operators of that module call.
    """
    names = labels_of(report)
    return table_of(
        _OPERATORS,
        (
            (
                names[operator.row],
                operator.name,
                *_flow(report.dtypes_of(operator)),
                *(
                    (None, None, None)
                    if (errors := operator.errors) is None
                    else (errors.normalized_l2, errors.max_abs_error, errors.cand_only_nonfinite)
                ),
                _factor(operator),
                f"{operator.became_equal:,} of {operator.neighbours:,}" if operator.became_equal else "",
                _integers(operator),
                operator.beyond or None,
                shape_text(operator.shape),
                f"only the {operator.only} does this" if operator.only else operator.remark,
            )
            for operator in report.operators
            if row is None or operator.row == row
        ),
    )


def _factor(operator: OperatorRow) -> str:
    errors = operator.errors
    return "" if errors is None else factor_text(errors.factor_error, errors.factor_error_se)


def _integers(row: LayerRow | OperatorRow) -> str:
    return f"{row.integers_differ:,} of {row.integers:,}" if row.integers else ""


def _remark(row: LayerRow, names: list[str]) -> str:
    if row.finished is None:
        return "had not returned when the run stopped"
    if row.same_as is not None:
        return f"same tensors as {names[row.same_as]}"
    return "; ".join(filter(None, (*row.uncompared, row.corners_missing if row.is_leaf else "")))


def _dtypes(pairs: tuple[TensorPair, ...], side: str) -> str:
    names = Counter(pair.reference_dtype if side == "reference" else pair.candidate_dtype for pair in pairs)
    return ", ".join(name if count == 1 else f"{count} × {name}" for name, count in names.items())


def returns_other_dtype(row: LayerRow) -> bool:
    """Whether the two models returned different dtypes from this call."""
    return any(pair.reference_dtype != pair.candidate_dtype for pair in row.outputs)


def flows_of(report: LayersReport) -> list[tuple[OperatorRow, OperatorDtypes]]:
    """The candidate's operators, each with the dtypes that went through it."""
    return [
        (operator, report.operator_dtypes[operator.candidate_dtypes])
        for operator in report.operators
        if operator.candidate_dtypes is not None
    ]


def _flow(flow: OperatorDtypes | None) -> tuple[str, str, str, str]:
    if flow is None:
        return "", "", "", ""
    computed = ", ".join(flow.computed) or "only moves values"
    converted = "silently promoted" if flow.is_promoted else "lowered by autocast" if flow.is_lowered else ""
    return ", ".join(dict.fromkeys(flow.inputs)), computed, flow.output, converted


def divergence_text(divergence: Divergence) -> str:
    """Where the two models took different paths, in a sentence or two."""
    where = f"{divergence.fqn or 'the model'}, call {divergence.call}"
    ahead = f"the reference continues with {divergence.reference_next or 'nothing'}"
    text = f"In {where}, the models differ: {ahead}, the candidate with {divergence.candidate_next or 'nothing'}."
    skipped = [
        f"from there the {side} calls {', '.join(names)}"
        for side, names in (("reference", divergence.reference_skipped), ("candidate", divergence.candidate_skipped))
        if names
    ]
    tail = " After it returns, they are compared again." if divergence.resumed else " Nothing after it was compared."
    return text + (f" {'; '.join(skipped)}." if skipped else "") + tail
