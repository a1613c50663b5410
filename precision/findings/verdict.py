"""The verdict on one comparison, in words: rules over stored metrics, applied without running anything."""

import math

from precision.findings.decisions_judged import Yardsticks, flipped, turned, unaffected_text, uncertain
from precision.formats import AnyFormat, format_named, ulp_format
from precision.results import CompareResult, Comparison, ErrorMetrics, Verdict
from precision.spec import RunSpec
from precision.text.units import number_text


def judge(result: CompareResult, limits: Yardsticks | None = None) -> Verdict:
    """The verdict on a comparison; the first rule that applies wins.

    Errors are judged by their root mean square, against the same measure of the two floors. Flips are judged only
    where the error is above the repeat floor: below it, two runs of the reference may flip as well. The interval of
    the share of flips excludes 0 as soon as there is one flip. Only *amplified* says that decisions are unaffected, so
    only it needs enough samples; with too few it becomes *uncertain*. All other words say what was found in these
    samples.
    """
    limits = limits or Yardsticks()
    comparison = result.comparison
    if comparison is None:
        why = result.failure.message if result.failure else "The comparison did not finish."
        return Verdict(word="not measured", sentence=why, rule="There is no comparison to judge.")
    return (
        _not_comparable(comparison)
        or _broken(comparison.overall, result.spec.dtype, limits)
        or _decisions_changed(comparison)
        or _exact(comparison.overall)
        or _finer(result, comparison.overall)
        or _below_noise(comparison)
        or flipped(comparison, limits)
        or turned(comparison, limits)
        or _rounding_only(comparison, limits, result.spec)
        or uncertain(comparison, limits)
        or _beyond_range(comparison, result.spec.format)
        or _amplified(comparison, limits, result.spec.dtype)
    )


def _not_comparable(comparison: Comparison) -> Verdict | None:
    metrics = comparison.overall
    if comparison.uncompared:
        return Verdict(
            word="not measured",
            sentence=f"Not every output can be compared: {comparison.uncompared[0]}",
            rule="Every output needs a counterpart of the same shape and kind.",
        )
    if not metrics.elements:
        return Verdict(
            word="not measured",
            sentence=comparison.notes[0] if comparison.notes else "The output has no elements.",
            rule="The outputs have no pair of elements to compare.",
        )
    if metrics.ref_only_nonfinite:
        return Verdict(
            word="not measured",
            sentence=f"{metrics.ref_only_nonfinite:,} of {metrics.elements:,} outputs are infinite or NaN in the "
            "reference and finite in the candidate: this reference cannot be trusted. Choose a wider one.",
            rule="The reference must be finite where the candidate is.",
        )
    return None


def _broken(metrics: ErrorMetrics, dtype: str, limits: Yardsticks) -> Verdict | None:
    if metrics.cand_only_nonfinite:
        return Verdict(
            word="broken",
            sentence=f"{metrics.cand_only_nonfinite:,} of {metrics.elements:,} outputs became infinite or NaN "
            f"in {dtype}; the reference's are finite.",
            rule="Broken: an output is not finite where the reference is finite.",
        )
    if metrics.nonfinite_differ:
        return Verdict(
            word="broken",
            sentence=f"{metrics.nonfinite_differ:,} of {metrics.elements:,} outputs are infinite or NaN in both, "
            "but not the same.",
            rule="Broken: an infinite or NaN output differs from the reference's.",
        )
    if metrics.sqnr_db is not None and metrics.sqnr_db < limits.broken_below_db:
        size = "The reference is zero" if metrics.sqnr_db == -math.inf else f"SQNR {metrics.sqnr_db:.2f} dB"
        return Verdict(
            word="broken",
            sentence=f"The error is almost as large as the signal, or larger. {size}.",
            rule=f"Broken: SQNR below {limits.broken_below_db:g} dB.",
        )
    return None


def _decisions_changed(comparison: Comparison) -> Verdict | None:
    for output in comparison.outputs:
        if output.differs_as_integer:
            return Verdict(
                word="decisions changed",
                sentence=f"{output.differs_as_integer:,} of {output.metrics.elements:,} elements of the "
                f"{output.reference_dtype} output {output.path} differ.",
                rule="Decisions changed: integer outputs are not rounded, so any difference is a different answer.",
            )
    return None


def _exact(metrics: ErrorMetrics) -> Verdict | None:
    if metrics.exact_share != 1:
        return None
    return Verdict(
        word="exact",
        sentence=f"All {metrics.elements:,} outputs equal the reference's.",
        rule="Exact: every output equals the reference's.",
    )


def _finer(result: CompareResult, metrics: ErrorMetrics) -> Verdict | None:
    fmt = ulp_format(result.spec.format)
    if fmt is None or fmt.mantissa_bits <= format_named(result.spec.reference).mantissa_bits:
        return None
    return Verdict(
        word="finer than the reference",
        sentence=f"{result.spec.dtype} is finer than the {result.spec.reference} reference: "
        f"the difference (RMSE {number_text(metrics.rmse)}) is mostly the reference's own error.",
        rule="Finer: the candidate's format has more mantissa bits than the reference's.",
    )


def _below_noise(comparison: Comparison) -> Verdict | None:
    rmse, repeat = comparison.overall.rmse or 0.0, comparison.repeat_floor.rmse or 0.0
    if rmse > repeat:
        return None
    return Verdict(
        word="below noise",
        sentence=f"The error (RMSE {number_text(rmse)}) is no larger than the difference between two runs of the "
        f"reference ({number_text(repeat)}).",
        rule="Below noise: RMSE ≤ repeat floor.",
    )


def _rounding_only(comparison: Comparison, limits: Yardsticks, spec: RunSpec) -> Verdict | None:
    rmse, rounding = comparison.overall.rmse or 0.0, comparison.rounding_floor.rmse or 0.0
    if _count_beyond_range(comparison, spec.format) or rmse > limits.rounding_multiple * rounding:
        return None
    return Verdict(
        word="rounding only",
        sentence=f"The error is {rmse / rounding:.2f} times the error of only rounding the outputs to {spec.dtype}"
        f"{_remark(comparison, spec.dtype)}.",
        rule=f"Rounding only: RMSE ≤ {limits.rounding_multiple:g} × rounding floor.",
    )


def _count_beyond_range(comparison: Comparison, target: AnyFormat) -> int:
    """Reference outputs that the format cannot hold; 0 for formats with scales."""
    beyond = comparison.overall.finite_pairs - comparison.rounding_floor.finite_pairs
    return max(0, beyond) if ulp_format(target) else 0


def _beyond_range(comparison: Comparison, target: AnyFormat) -> Verdict | None:
    beyond, fmt = _count_beyond_range(comparison, target), ulp_format(target)
    if not beyond or fmt is None:
        return None
    return Verdict(
        word="amplified",
        sentence=f"{beyond:,} of {comparison.overall.elements:,} reference outputs are beyond the range of {fmt.name} "
        f"(largest value {number_text(fmt.max)}), so there is no rounding floor to compare with.",
        rule="Amplified: a reference output does not fit the format.",
    )


def _amplified(comparison: Comparison, limits: Yardsticks, dtype: str) -> Verdict:
    rmse, rounding = comparison.overall.rmse or 0.0, comparison.rounding_floor.rmse or 0.0
    if rounding:
        size = f"The error is {rmse / rounding:.2f} times the error of only rounding the outputs to {dtype}"
    else:
        size = f"Rounding the outputs to {dtype} alone gives no error, but they differ (RMSE {number_text(rmse)})"
    sqnr = comparison.overall.sqnr_db
    quality = f" (SQNR {sqnr:.1f} dB)" if sqnr is not None else ""
    return Verdict(
        word="amplified",
        sentence=f"{size}{quality}: the model's layers add to it.{unaffected_text(comparison)}",
        rule=f"Amplified: RMSE > {limits.rounding_multiple:g} × rounding floor, outputs finite, "
        f"SQNR ≥ {limits.broken_below_db:g} dB, decisions not seen to change.",
    )


def _remark(comparison: Comparison, dtype: str) -> str:
    wider = {output.candidate_dtype for output in comparison.outputs if output.candidate_dtype != dtype}
    if wider:
        return f"; the outputs themselves are {' and '.join(sorted(wider))}"
    return f": on average, computing in {dtype} cannot be much better"
