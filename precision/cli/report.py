"""A comparison and a cast audit as text for a terminal."""

from precision.cli.heading import heading, paragraphs, warnings_text
from precision.cli.tables import columns, table_text
from precision.findings.cast import audit_table
from precision.findings.decisions import decision_rows
from precision.findings.key_figures import key_figures, stored_text
from precision.findings.real_kernels import real_kernels_text
from precision.findings.recommendation import recommend
from precision.findings.verdict import judge, technical_text
from precision.results import CastAudit, CompareResult
from precision.text.names import plain


def compare_text(result: CompareResult) -> str:
    """Warnings, verdict, errors, bytes, time, real kernels and the dtype of every tensor."""
    verdict = judge(result)
    recommended = recommend(result)
    decision = (f"{recommended.headline}.", *recommended.details, recommended.why)
    said = (verdict.sentence, verdict.rule, technical_text(verdict))
    kernels = real_kernels_text(result)
    return paragraphs(
        heading(result),
        _warnings(result),
        "\n  ".join(plain(each, limit=None) for each in decision if each),
        "\n  ".join(filter(None, (f"Verdict: {verdict.word}", *(plain(each, limit=None) for each in said if each)))),
        columns(list(key_figures(result))),
        _decisions(result),
        plain(kernels, limit=None) if kernels else "",
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
        *(f"Timing: {warning}" for time in times for warning in time.warnings),
    )


def _decisions(result: CompareResult) -> str:
    """What each output is and why it was taken for that, and what it decides."""
    outputs = result.comparison.outputs if result.comparison else ()
    return paragraphs(
        *(
            f"Output {plain(output.path)}. {plain(output.kind_reason, limit=None)}"
            + (f"\n{columns(list(decision_rows(output.decisions)))}" if output.decisions else "")
            for output in outputs
        )
    )


def _tensors(audit: CastAudit | None) -> str:
    if audit is None:
        return ""
    changed = sum(tensor.changed for tensor in audit.tensors)
    stored = stored_text(audit.bytes_before, audit.bytes_after)
    return paragraphs(
        f"{changed} of {len(audit.tensors)} tensors changed, stored {stored}",
        table_text(audit_table(audit.tensors).pick("tensor", "before", "after", "shape", "kind", "tied to", "why")),
    )
