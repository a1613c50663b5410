"""What every layer adds to the error in every format, as text for a terminal."""

from __future__ import annotations

import math

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns
from precision.findings.sensitivity.method import kinds_text, method_text
from precision.results import Contribution, LayerSensitivity, SensitivityReport, SensitivityResult
from precision.text.names import plain
from precision.text.units import bytes_text, number_text

_NO_ERROR = "exact"
_KINDS = ("", " RUN", " ALL BUT")
_ALL_KINDS = ", predicted and run, and where all layers but this are"


def sensitivity_text(result: SensitivityResult) -> str:
    """A line for every layer, the worst first: the output's SQNR where it alone is in a format; then whole casts."""
    report = result.report
    if report is None:
        return paragraphs(heading(result), warnings_text(*result.warnings), "No layer was measured.")
    is_exact = result.spec.exact and report.method == "adjoint probes"
    return paragraphs(
        heading(result),
        warnings_text(*result.warnings),
        f"{method_text(report, exact=result.spec.exact)} Arithmetic: {kinds_text(report)}.",
        f"SQNR of the output in dB where this layer alone is in the format{_ALL_KINDS if is_exact else ''}:",
        columns(
            [_header(report, is_exact), *(_row(report, layer, is_exact) for layer in sorted(report.layers, key=_worst))]
        ),
        columns([["EVERY LAYER IN", "PREDICTED RMSE", "MEASURED RMSE", "PREDICTED / MEASURED"], *_checks(report)]),
    )


def _header(report: SensitivityReport, is_exact: bool) -> list[str]:
    kinds = _KINDS if is_exact else _KINDS[:1]
    return [
        "LAYER",
        "TYPE",
        "CALLS",
        "WEIGHTS",
        *(f"{name.upper()}{kind}" for name in report.formats for kind in kinds),
    ]


def _row(report: SensitivityReport, layer: LayerSensitivity, is_exact: bool) -> list[str]:
    cells = []
    for contribution in layer.contributions:
        cells.append(_sqnr(report, contribution, contribution.squared_error))
        if is_exact:
            cells.append(_sqnr(report, contribution, contribution.exact_squared_error))
            cells.append(_sqnr(report, contribution, contribution.all_but_squared_error))
    name = plain(layer.fqn, limit=None) if layer.fqn else "(model)"
    return [name, plain(layer.type), str(layer.calls), bytes_text(layer.reference_bytes), *cells]


def _sqnr(report: SensitivityReport, contribution: Contribution, squared_error: float | None) -> str:
    if squared_error is None:
        return f"{contribution.nonfinite:,} not finite" if contribution.nonfinite else "does not run"
    if squared_error == 0:
        return _NO_ERROR
    if report.output_mean_square == 0:
        return number_text(-math.inf)
    return f"{10 * math.log10(report.output_mean_square / squared_error):.1f}"


def _worst(layer: LayerSensitivity) -> float:
    """Sorts by the largest error in any format; those that are not finite come first."""
    errors = [each.squared_error for each in layer.contributions]
    return -max((math.inf if error is None else error for error in errors), default=0.0)


def _checks(report: SensitivityReport) -> list[list[str]]:
    rows = []
    for check in report.uniform:
        predicted, measured = check.predicted_squared_error, check.measured_squared_error
        ratio = math.sqrt(predicted / measured) if predicted is not None and measured else None
        rows.append([check.dtype, _rmse(predicted), _rmse(measured), "" if ratio is None else f"{ratio:.2f}"])
    return rows


def _rmse(squared_error: float | None) -> str:
    return "not finite" if squared_error is None else number_text(math.sqrt(squared_error))
