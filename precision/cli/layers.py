"""A comparison layer by layer as text for a terminal."""

from precision.cli.heading import nothing_text, report_of
from precision.cli.tables import table_text
from precision.findings.autocast import lowering, lowering_text
from precision.findings.layers import calls_table, depths_of, operators_table
from precision.findings.origins import causes
from precision.findings.remedies import remedies_texts
from precision.results import LayersReport, LayersResult
from precision.spec import CastMethod
from precision.text.names import plain

_OPERATORS = (
    *("layer", "operator", "inputs", "computed in", "output"),
    *("relative error", "max absolute error", "new NaN or ±inf", "systematic", "became equal"),
    *("integers that differ", "converted", "remark"),
)


def layers_text(result: LayersResult, *, operators: bool = False) -> str:
    """Warnings, where the first infinity or NaN appears, and a line for every module call, own code (and operator)."""
    report = result.report
    if report is None:
        return nothing_text(result, "No layer was compared.")
    found = lowering(result) if result.spec.method is CastMethod.AUTOCAST else None
    return report_of(
        result,
        *causes(report),
        _stopped(report),
        "\n".join(remedies_texts(result)),
        table_text(
            calls_table(report).without("mean ULP error", "exact share", "elements", "remark"),
            indents=depths_of(report),
        ),
        lowering_text(found) if found else "",
        table_text(operators_table(report).pick(*_OPERATORS)) if operators else "",
        "\n".join(plain(note, limit=None) for note in report.notes),
    )


def _stopped(report: LayersReport) -> str:
    if report.stopped is None:
        return ""
    mixed = f" In a different dtype than the others: {', '.join(report.stopped.mixed)}." if report.stopped.mixed else ""
    return f"Stopped: {plain(report.stopped.message, limit=None)}{mixed}"
