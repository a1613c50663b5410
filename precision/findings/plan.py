"""Plans in words and tables."""

import math
from collections import Counter
from collections.abc import Sequence

from precision.findings.decisions_judged import Yardsticks
from precision.findings.tables import Table, of_kind, table_of
from precision.formats import any_format_named
from precision.results import SensitivityReport
from precision.results.plan import Plan, Totals, Verification, root, sqnr_db
from precision.results.sensitivity import Contribution
from precision.text.units import bytes_text, count_text, fine_share_text, number_text, ratio_text

LAYER_TIMES = (
    "every layer was timed once, alone, in each format that this device computes in. On a busy machine, two runs can "
    "differ by a factor of several. Verifying the plan measures the whole pass."
)
"""How the times of layers were measured."""
_MOST_NAMES = 5
"""That one sentence lists."""
_FAR_OFF = 1.25
"""Predicted over measured RMSE, or its reciprocal, from which a prediction is said to be off."""
_FEW_NUMBERS = 32
"""Below so many output numbers one run's RMSE is easily a quarter off what is expected: 1/sqrt(2 n) (one deviation)."""
_MOST_SPREAD = 0.1
"""Relative standard error of a predicted RMSE from which it is said; two of them are nearly a quarter."""
_FAR_BELOW = 3.0
"""Measured RMSE of all layers in a format over a plan's predicted one, from which nothing measured supports it."""
_LAYERS = (
    *of_kind("text", "layer", "type", "format", "arithmetic"),
    *of_kind("error", "adds RMSE"),
    *of_kind("bytes", "bytes", "reference bytes"),
    *of_kind("time", "time"),
)
_TOTALS = (
    *of_kind("text", "in all"),
    *of_kind("decibels", "SQNR"),
    *of_kind("error", "RMSE"),
    *of_kind("text", "error is"),
    *of_kind("bytes", "bytes"),
    *of_kind("time", "layers take"),
)
_VERIFIED = (
    *of_kind("text", "the plan"),
    *of_kind("error", "RMSE"),
    *of_kind("ratio", "predicted / measured"),
    *of_kind("bytes", "bytes"),
    *of_kind("time", "whole pass"),
    *of_kind("text", "remark"),
)


def plan_table(plan: Plan, report: SensitivityReport | None = None) -> Table:
    """A row for each layer: its format, and what that costs.

    The bytes in the reference come from `report`; without it they are empty.
    """
    layers = zip(plan.layers, report.layers if report else [None] * len(plan.layers), strict=True)
    rows = (
        (
            layer.fqn or "(model)",
            layer.type,
            layer.format,
            "" if layer.format == plan.reference else _arithmetic(layer.format),
            math.sqrt(layer.squared_error),
            layer.stored_bytes,
            known.reference_bytes if known else None,
            _ms(layer.time_s),
        )
        for layer, known in layers
    )
    return table_of(_LAYERS, rows)


def totals_table(plan: Plan) -> Table:
    """The whole plan beside every layer in one format."""
    wholes = [("this plan", plan.totals), *((f"all {uniform.dtype}", uniform.totals) for uniform in plan.uniform)]
    rows = (
        (name, totals.sqnr_db, root(totals.squared_error), _known_by(totals), totals.stored_bytes, _ms(totals.time_s))
        for name, totals in wholes
    )
    return table_of(_TOTALS, rows)


def verification_table(found: Verification) -> Table:
    """What was predicted for a plan beside what its run measured."""
    measured = root(found.measured_squared_error)
    stored = found.estimated_bytes or found.measured_bytes
    unmeasured = "does not run" if found.failure else "not finite"
    remark = unmeasured if measured is None else "bytes estimated" if found.estimated_bytes else ""
    rows = (
        ("predicted", math.sqrt(found.predicted_squared_error), None, found.predicted_bytes, None, ""),
        ("measured", measured, found.ratio, stored, _ms(found.measured_time_s), remark),
    )
    return table_of(_VERIFIED, rows)


def _arithmetic(name: str) -> str:
    return "native" if any_format_named(name).computes else "simulated"


def _known_by(totals: Totals) -> str:
    if totals.squared_error is None:
        return "not predicted"
    return "measured" if totals.is_measured else "predicted"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def doubts_text(plan: Plan, report: SensitivityReport) -> str:
    """Why the plan's predicted error may be far off, before it is run; empty where nothing says so."""
    if plan.totals.is_measured:
        return ""
    said = []
    columns = {name: column for column, name in enumerate(report.formats)}
    formats = (layer.format for layer in plan.layers)
    pairs = [(layer, columns[name]) for layer, name in zip(report.layers, formats, strict=True) if name in columns]
    doubted = [
        layer.fqn
        for layer, column in pairs
        if (found := layer.contributions[column]).is_doubted and found.exact_squared_error is None
    ]
    if doubted:
        said.append(f"The errors of {count_text(len(doubted), 'layer')} are doubtful and were not measured.")
    if report.output_elements < _FEW_NUMBERS and len(pairs) > 1:
        numbers = count_text(report.output_elements, "number")
        said.append(f"The output is only {numbers}, in which the errors of layers add up or cancel by chance.")
    if (spread := _spread(plan, [layer.contributions[column] for layer, column in pairs])) > _MOST_SPREAD:
        said.append(f"The random probes leave this plan's predicted RMSE uncertain by about {round(100 * spread)} %.")
    used = {layer.format for layer in plan.layers}
    checked = [each.measured_squared_error for each in report.uniform if each.dtype in used]
    least = min((each for each in checked if each), default=None)
    if least and plan.totals.squared_error is not None and plan.totals.squared_error < least / _FAR_BELOW**2:
        said.append("This plan's predicted error is far below every error that was measured.")
    for check in report.uniform:
        if check.dtype in used and check.measured_squared_error is None:
            said.append(
                f"With all layers in {check.dtype} the output is not finite, or the model does not run: no run "
                "supports the prediction."
            )
        ratio = check.ratio
        if check.dtype in used and ratio is not None and not 1 / _FAR_OFF <= ratio <= _FAR_OFF:
            said.append(f"For all layers in {check.dtype}, the prediction is {ratio_text(ratio)} × the measured RMSE.")
    return " ".join([*said, "Verify this plan before you use it."]) if said else ""


def _spread(plan: Plan, lowered: Sequence[Contribution]) -> float:
    """Standard error of a plan's predicted RMSE, relative: errors of layers have the same probes, so they add up."""
    total = plan.totals.squared_error
    sampled = (each.standard_error or 0.0 for each in lowered if each.exact_squared_error is None)
    return math.fsum(sampled) / total / 2 if total else 0.0


def judged_text(found: Verification, report: SensitivityReport, plan: Plan) -> str:
    """That a plan is of no use, breaks an output, or misses the error that was asked for; empty where none is so."""
    measured, asked = found.measured_squared_error, plan.most_squared_error
    if measured is None:
        return f"This plan cannot be used: {'its run failed' if found.failure else 'its output is not finite'}."
    size, least = report.output_mean_square, Yardsticks().broken_below_db
    reached = sqnr_db(size, measured)
    if reached is not None and reached < least:
        return f"This plan is of no use: measured SQNR {number_text(reached)} dB, below {least:g} dB."
    broken = ""
    if found.worst_sqnr_db is not None and found.worst_sqnr_db < least:
        worst = number_text(found.worst_sqnr_db)
        broken = f"This plan breaks the output {found.worst_output}: measured SQNR {worst} dB, below {least:g} dB."
    if asked is None or measured <= asked:
        return broken
    missed = f"measured {number_text(reached)} dB, and {number_text(sqnr_db(size, asked))} dB was asked for."
    return f"{broken} This plan misses what was asked: {missed} {_holding_text(report, plan, asked)}".lstrip()


def nearest_text(nearest: Verification, report: SensitivityReport) -> str:
    """What a plan measured that holds what another one misses."""
    reached = number_text(sqnr_db(report.output_mean_square, nearest.measured_squared_error))
    return f"The nearest plan that was found to hold: {reached} dB, measured, in {bytes_text(nearest.predicted_bytes)}."


def _holding_text(report: SensitivityReport, plan: Plan, asked: float) -> str:
    """The measured cast to one format that keeps what was asked in the fewest bytes."""
    sizes = {each.dtype: each.totals.stored_bytes for each in plan.uniform}
    holding = [
        check
        for check in report.uniform
        if check.measured_squared_error is not None and check.measured_squared_error <= asked and check.dtype in sizes
    ]
    if not holding:
        return f"No cast to one format keeps it; {plan.reference} does."
    best = min(holding, key=lambda check: sizes[check.dtype])
    reached = number_text(sqnr_db(report.output_mean_square, best.measured_squared_error))
    return f"All layers in {best.dtype} keep it: {reached} dB, measured, in {bytes_text(sizes[best.dtype])}."


def left_wide_text(plan: Plan) -> str:
    """What the plan leaves in the reference's precision besides layers: modules' own code, and other tensors."""
    said = []
    own = sum(layer.has_modules_inside for layer in plan.layers)
    if code := plan.wide_code:
        names = ", ".join(fqn or "the model itself" for fqn in code[:_MOST_NAMES])
        more = f", and {len(code) - _MOST_NAMES:,} more" if len(code) > _MOST_NAMES else ""
        said.append(
            f"Between layers, {len(code):,} of {count_text(own, 'module')} still compute{'s' if own == 1 else ''} in "
            f"{plan.reference}: {names}{more}.{_price_text(plan)}"
        )
    if plan.outside:
        names = ", ".join(f"{each.fqn} ({each.kind})" for each in plan.outside[:_MOST_NAMES])
        size = bytes_text(sum(each.bytes for each in plan.outside))
        said.append(f"No plan changes {size} outside the layers: {names}{', …' * (len(plan.outside) > _MOST_NAMES)}.")
    return " ".join(said)


def _price_text(plan: Plan) -> str:
    """What it would cost to lower the own code that the plan leaves wide, after a space."""
    price, now = plan.code_lowered, plan.totals.sqnr_db
    if price is None:
        return ""
    if price.sqnr_db is None or now is None:
        return f" With that in {price.dtype}, some of it becomes infinite or NaN, or does not run."
    before, after = round(now, 1), round(price.sqnr_db, 1)
    if before == after:
        change = "still be that of no error" if after == math.inf else f"stay at the predicted {after:.1f} dB"
    elif before == math.inf:
        change = f"be {after:.1f} dB instead of no error"
    else:
        step = f"{abs(before - after):.1f} dB {'lower' if before > after else 'higher'}"
        change = f"be {after:.1f} dB instead of the predicted {before:.1f} dB, {step}"
    saved = plan.totals.stored_bytes - price.stored_bytes
    smaller = f", and {bytes_text(saved)} fewer would be stored" if saved > 0 else ""
    return f" With that in {price.dtype}, the SQNR would {change} (estimated){smaller}."


def plan_finding(plan: Plan, report: SensitivityReport) -> str:
    """What a plan saves, and how far its outputs are off, in a clause."""
    share = plan.totals.stored_bytes / max(plan.uniform[0].totals.stored_bytes, 1)
    error, size = root(plan.totals.squared_error), root(report.output_mean_square)
    how = "measured" if plan.totals.is_measured else "predicted"
    if error is None:
        off = "its error is not predicted"
    elif not error:
        off = "outputs exactly the same"
    else:
        off = f"outputs off by {fine_share_text(error / size) if size else number_text(error, 3)} ({how})"
    return f"{fine_share_text(share)} of the bytes, {off}"


def formats_text(plan: Plan) -> str:
    """How many layers have each format, the most frequent first."""
    counts = Counter(name for _, name in plan.pairs).most_common()
    return ", ".join(f"{count:,} × {name}" for name, count in counts)


def comparison_text(verification: Verification, report: SensitivityReport, plan: Plan) -> str:
    """The plan's measured error beside those of whole casts to one format that take no more bytes.

    A plan that is itself such a cast is not compared with itself.
    """
    measured = verification.measured_squared_error
    if measured is None:
        return ""
    sizes = {each.dtype: each.totals.stored_bytes for each in plan.uniform}
    own = {name for _, name in plan.pairs}
    small = [
        check for check in report.uniform if sizes[check.dtype] <= verification.predicted_bytes and {check.dtype} != own
    ]
    if not small:
        return "No other measured cast to one format takes so few bytes."
    names = {
        check.dtype: "(not finite, or it does not run)"
        if check.measured_squared_error is None
        else f"{number_text(sqnr_db(report.output_mean_square, check.measured_squared_error))} dB"
        for check in small
    }
    better = [
        check.dtype
        for check in small
        if check.measured_squared_error is not None and check.measured_squared_error < measured
    ]
    listed = ", ".join(f"{name} {said}" for name, said in names.items())
    if better:
        return f"Of casts to one format that take no more bytes, {', '.join(better)} had less error: {listed}."
    return f"No cast to one format that takes no more bytes had less error, all measured: {listed}."
