"""How an output's error compares with that of rounding: the second sentence of a verdict.

The floor belongs to the format, so these words do not tell which of two formats is better.
"""

from precision.findings.decisions_judged import Yardsticks
from precision.formats import AnyFormat, format_named, ulp_format
from precision.results import OutputComparison, RoundingVerdict
from precision.spec import RunSpec
from precision.text.units import number_text, ratio_text

_CLOSER = 2.0
"""The reference's error against float64 over the candidate's, from which most of the difference is the reference's."""
THE_REST = "the rest comes from inputs, weights and operators"
"""Where an error beyond that of rounding the output was made."""


def against_rounding(output: OutputComparison, spec: RunSpec, limits: Yardsticks) -> RoundingVerdict | None:
    """The first rule that applies; None where the error has no size: of integers, or beside new infinities and NaNs."""
    if output.metrics.rmse is None or output.rounding_floor is None or output.metrics.nonfinite_differ:
        return None
    return (
        _without_error(output)
        or _finer(output, spec)
        or _rounding_only(output, spec, limits)
        or _beyond_range(output, spec.format)
        or _amplified(output, spec.dtype, limits)
    )


def _without_error(output: OutputComparison) -> RoundingVerdict | None:
    if output.metrics.rmse:
        return None
    return RoundingVerdict(word="exact", sentence="There is no error.", rule="Exact: no pair of elements differs.")


def _finer(output: OutputComparison, spec: RunSpec) -> RoundingVerdict | None:
    """Where float64 was run, it decides whose error it is."""
    share = output.truth.own_share if output.truth else None
    if share is None or share < _CLOSER:
        fmt = ulp_format(spec.format)
        if share is not None or fmt is None or fmt.mantissa_bits <= format_named(spec.reference).mantissa_bits:
            return None
        return RoundingVerdict(
            word="finer than the reference",
            sentence=f"{spec.dtype} is finer than {spec.reference}, and no run in float64 tells whose error it is.",
            rule="Finer: the candidate's format has more mantissa bits than the reference's, and there is no float64 "
            "run.",
        )
    return RoundingVerdict(
        word="finer than the reference",
        sentence=f"The candidate is closer to float64 than the {spec.reference} reference is: most of the difference "
        "is the reference's own error.",
        rule=f"Finer: the reference's RMSE against float64 is at least {_CLOSER:g} × the candidate's.",
    )


def _rounding_only(output: OutputComparison, spec: RunSpec, limits: Yardsticks) -> RoundingVerdict | None:
    rmse, rounding = _sizes(output)
    if _count_beyond_range(output, spec.format) or rmse > limits.rounding_multiple * rounding:
        return None
    wider = "" if output.candidate_dtype == spec.dtype else f"; the output itself is {output.candidate_dtype}"
    return RoundingVerdict(
        word="rounding only",
        sentence=f"The error is {ratio_text(rmse / rounding)} times the error of only rounding the output to "
        f"{spec.dtype}{wider or f': on average, computing in {spec.dtype} cannot be much better'}.",
        rule=f"Rounding only: RMSE ≤ {limits.rounding_multiple:g} × rounding floor.",
    )


def _count_beyond_range(output: OutputComparison, target: AnyFormat) -> int:
    """Reference outputs that the format cannot hold; 0 for formats with scales."""
    floor = output.rounding_floor
    beyond = output.metrics.finite_pairs - floor.finite_pairs if floor else 0
    return max(0, beyond) if ulp_format(target) else 0


def _beyond_range(output: OutputComparison, target: AnyFormat) -> RoundingVerdict | None:
    beyond, fmt = _count_beyond_range(output, target), ulp_format(target)
    if not beyond or fmt is None:
        return None
    return RoundingVerdict(
        word="amplified",
        sentence=f"{beyond:,} of {output.metrics.elements:,} reference outputs are beyond the range of {fmt.name} "
        f"(largest value {fmt.max:g}), so there is no rounding floor to compare with.",
        rule="Amplified: a reference output does not fit the format.",
    )


def _amplified(output: OutputComparison, dtype: str, limits: Yardsticks) -> RoundingVerdict:
    rmse, rounding = _sizes(output)
    if rounding:
        size = f"The error is {ratio_text(rmse / rounding)} times the error of only rounding the output to {dtype}"
    else:
        size = f"Rounding the output to {dtype} alone gives no error, but it differs (RMSE {number_text(rmse)})"
    return RoundingVerdict(
        word="amplified",
        sentence=f"{size}: {THE_REST}.",
        rule=f"Amplified: RMSE > {limits.rounding_multiple:g} × rounding floor.",
    )


def _sizes(output: OutputComparison) -> tuple[float, float]:
    """RMSE of the error and of rounding."""
    floor = output.rounding_floor
    return output.metrics.rmse or 0.0, (floor.rmse if floor else None) or 0.0
