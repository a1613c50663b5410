"""How fast a device was measured to be in a format, in words and as a table."""

import math

from precision.findings.tables import Table, of_kind, table_of
from precision.results import DeviceSpeedResult, OperatorSpeed

_UNSTEADY = 1.5
"""Upper over lower quartile of the rounds' ratios; above it something disturbed them, and they say little."""

_PLAIN = 3.0
"""A ratio that is clear even on a busy machine."""
_COLUMNS = (
    *of_kind("text", "operator", "dtype", "against float32"),
    *of_kind("time", "time", "float32"),
    *of_kind("ratio", "ratio", "lower quartile", "upper quartile"),
    *of_kind("count", "rounds"),
    *of_kind("text", "size"),
)


def speed_table(result: DeviceSpeedResult) -> Table:
    """A row for each operator and dtype: its time, float32's, and what their ratio says."""
    rows = (
        (
            row.operator,
            row.dtype,
            speed_text(row, is_busy=bool(result.warnings)),
            None if row.median_s is None else 1000 * row.median_s,
            None if row.float32_median_s is None else 1000 * row.float32_median_s,
            row.ratio,
            row.ratio_low,
            row.ratio_high,
            row.rounds,
            row.size,
        )
        for row in result.operators
    )
    return table_of(_COLUMNS, rows)


def is_slower(row: OperatorSpeed) -> bool:
    """Whether the dtype was slower than float32 in three rounds of four; False where the rounds do not show it."""
    return _is_clear(row, row.ratio_low or 0.0)


def is_faster(row: OperatorSpeed) -> bool:
    """Whether it was faster in three rounds of four; False where the rounds do not show it."""
    return _is_clear(row, 1 / (row.ratio_high or math.inf))


def _is_clear(row: OperatorSpeed, least: float) -> bool:
    """Whether the rounds agree on a factor of at least `least`; a wide spread must be exceeded, too."""
    spread = _spread(row)
    return spread is not None and least > 1 and (spread <= _UNSTEADY or least >= spread)


def _spread(row: OperatorSpeed) -> float | None:
    """Upper over lower quartile of the rounds' ratios; None where it was not measured."""
    return row.ratio_high / row.ratio_low if row.ratio_low and row.ratio_high else None


def slower_here(speed: DeviceSpeedResult, dtype: str) -> str | None:
    """The sentence that warns of a format slower than float32 on this device; None where it is not slower.

    Matrix products and convolutions decide, because they take almost all time; the slowest is named. Times measured
    on a busy machine are not used.
    """
    if speed.warnings:
        return None
    deciding = (row for row in speed.operators if row.dtype == dtype and row.operator in ("matmul", "conv2d"))
    slow = [row for row in deciding if is_slower(row)]
    if not slow:
        return None
    worst = max(slow, key=lambda row: row.ratio or 0.0)
    kind = speed.device.id.rsplit("/", 1)[-1].partition(":")[0]
    place = "this CPU" if kind == "cpu" else "this device"
    return (
        f"{dtype} is {times_text(worst.ratio or 0.0)} slower than float32 on {place} in a {worst.operator} of "
        f"{worst.size} (measured; middle half of {worst.rounds} rounds: {times_text(worst.ratio_low or 0.0)} to "
        f"{times_text(worst.ratio_high or 0.0)})."
    )


def speed_text(row: OperatorSpeed, *, is_busy: bool = False) -> str:
    """One operator's speed against float32's, or why there is none; if `is_busy`, only a large difference."""
    if row.reason is not None or row.ratio is None:
        return row.reason or "not measured"
    if is_busy and max(row.ratio, 1 / row.ratio) < _PLAIN:
        return "cannot tell: the processors were busy"
    if is_slower(row):
        return f"{times_text(row.ratio)} slower"
    if is_faster(row):
        return f"{times_text(1 / row.ratio)} faster"
    if (_spread(row) or math.inf) > _UNSTEADY:
        return f"cannot tell: {times_text(row.ratio_low or 0.0)} to {times_text(row.ratio_high or math.inf)} the time"
    return "no measurable difference"


def times_text(ratio: float) -> str:
    """A ratio.

    >>> times_text(1.234), times_text(3.46), times_text(19.4)
    ('1.23 ×', '3.5 ×', '19 ×')
    """
    return f"{ratio:.2f} ×" if ratio < 1.995 else f"{ratio:.1f} ×" if ratio < 9.95 else f"{ratio:.0f} ×"
