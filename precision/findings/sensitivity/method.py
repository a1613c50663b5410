"""How a sensitivity was measured, in words."""

from precision.formats import any_format_named
from precision.results import SensitivityReport
from precision.text.units import count_text


def method_text(report: SensitivityReport, *, exact: bool) -> str:
    """How the errors were found, and at what cost; `exact` says whether exact runs were requested."""
    cost = f"This took as long as {report.forward_equivalents:,.0f} passes of the reference."
    if report.method == "exact sweep":
        return f"Exact sweep, measured: the model was run with one layer lowered at a time. {report.reason} {cost}"
    vectors = count_text(report.probes, "random vector") if report.is_sampled else "a vector for each output"
    passes = f"{report.backward_passes:,} backward pass{'' if report.backward_passes == 1 else 'es'}"
    runs = sum(each.exact_squared_error is not None for layer in report.layers for each in layer.contributions)
    which = "for every layer and format" if exact else "where the estimate is uncertain"
    ran = f" {count_text(runs, 'exact run')} {which}." if runs else ""
    return f"Adjoint probes, estimated: {vectors} in {passes}.{ran} {cost}"


def kinds_text(report: SensitivityReport) -> str:
    """In which formats torch computes, and which are simulated."""
    native = [name for name in report.formats if any_format_named(name).computes]
    simulated = [name for name in report.formats if name not in native]
    parts = (("native", native), ("simulated", simulated))
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in parts if names)
