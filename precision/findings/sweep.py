"""One model in many formats, by many methods, on many devices: what to run, and what to compare of each run."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from precision.errors import InputError
from precision.findings.origins import REFERENCE_NONFINITE
from precision.findings.speed import compare_speed
from precision.findings.verdict import judge
from precision.formats import any_format_named, default_formats
from precision.results import CompareResult, DeviceInfo, ModelMemory, SkippedRun, SweepRow, Verdict
from precision.spec import CastMethod, RunSpec
from precision.text.units import bytes_text, share_text

USUAL_FORMATS: Final = default_formats("sweep")
"""The formats of a sweep by default."""
_OF_ONE: Final = {
    **dict.fromkeys(("kept", "close"), "keeps what matters"),
    "uncertain": "may keep what matters",
    "changed": "changes what matters",
}
"""What a format does, said of the only one that was measured, where the verdict's word alone is no sentence."""
KEEPING_WORDS: Final = ("exact", "kept", "close")
"""Verdicts of a candidate that kept what matters, with enough samples to say so."""
WHAT_VERDICTS_ARE: Final = (
    "A verdict says what became of what matters to the worst output, so verdicts of different formats on one input can "
    "be compared. Between inputs, compare the share of similar samples that would change: one change among very many "
    "samples is called changed, and none among fewer is called kept."
)


class SweepPlan(NamedTuple):
    """What to run, in order, and what cannot be run."""

    specs: tuple[RunSpec, ...]
    skipped: tuple[SkippedRun, ...]


def plan_sweep(
    base: RunSpec, *, formats: Sequence[str], methods: Sequence[CastMethod] = (), devices: Sequence[DeviceInfo]
) -> SweepPlan:
    """Every combination of formats, methods and devices that is possible, format by format.

    Args:
        base: model, input, seed and reference; its format, method and device are ignored.
        formats: by name.
        methods: how to cast; if empty, each format's usual way: `to`, or `dynamic` for formats with scales.
        devices: where; a device without kernels for a format is left out.

    Raises:
        InputError: no such format.
    """
    specs: list[RunSpec] = []
    skipped: list[SkippedRun] = []
    shared = base.model_dump(exclude={"dtype", "method", "device"})
    for fmt in dict.fromkeys(any_format_named(name) for name in formats):
        for device in devices:
            for method in methods or (RunSpec(dtype=fmt.name).method,):
                try:
                    spec = RunSpec.parse({**shared, "dtype": fmt.name, "method": method, "device": device.id})
                    _require_kernels(spec, device)
                except InputError as error:
                    skipped.append(SkippedRun(dtype=fmt.name, method=method, device=device.id, reason=str(error)))
                else:
                    specs.append(spec)
    return SweepPlan(tuple(specs), tuple(skipped))


def _require_kernels(spec: RunSpec, device: DeviceInfo) -> None:
    if spec.format.computes and spec.dtype not in device.native_formats:
        raise InputError(f"{device.name} ({device.id}) has no kernels for {spec.dtype}.")


def sweep_row(result: CompareResult, *, reason: str | None = None) -> SweepRow:
    """The row of one comparison; `reason` says why it stopped, where its `failure` does not."""
    metrics = result.comparison.overall if result.comparison else None
    audit, cost = result.audit, result.cost
    estimate = audit.estimated_bytes_after if audit else None
    time_s = cost.candidate_time.median_s if cost else None
    samples = _samples(result)
    return SweepRow(
        spec=result.spec,
        execution=result.execution.label,
        verdict=judge(result),
        sqnr_db=metrics.sqnr_db if metrics else None,
        mean_abs_error=metrics.mean_abs_error if metrics else None,
        max_abs_error=metrics.max_abs_error if metrics else None,
        stored_bytes=estimate if estimate is not None else audit.bytes_after if audit else None,
        bytes_are_estimated=estimate is not None,
        reference_bytes=audit.bytes_before if audit else None,
        working_bytes=result.memory.candidate_bytes if result.memory else None,
        time_s=time_s,
        time_iqr_s=cost.candidate_time.iqr_s if cost else None,
        reference_time_s=cost.reference_time.median_s if cost else None,
        speed=compare_speed(cost).text if cost else "",
        samples_per_s=samples / time_s if samples and time_s else None,
        reason=reason or (result.failure.message if result.failure else None),
        reference_nonfinite=next((said for said in result.warnings if said.startswith(REFERENCE_NONFINITE)), ""),
    )


def failed_row(spec: RunSpec, reason: str) -> SweepRow:
    """The row of a run that ended before anything was measured."""
    return SweepRow(
        spec=spec,
        verdict=Verdict(word="not measured", sentence=reason, rule="There is no comparison to judge."),
        reason=reason,
    )


def theory_bytes(memory: ModelMemory, spec: RunSpec) -> int | None:
    """Stored bytes of the run's candidate, by theory; None where only the cast can tell.

    They depend on the method: autocast stores float32, and some methods leave some tensors unchanged.
    """
    like = spec.method.row.bytes_like
    if spec.keep or like is None:
        return None
    return memory.reference_bytes if like == "reference" else memory.stored_bytes(spec.dtype)


def _samples(result: CompareResult) -> int | None:
    shapes = [shape for _, _, shape in result.input.tensors if shape] if result.input else []
    return shapes[0][0] if shapes else None


def smallest_keeping(rows: Sequence[SweepRow]) -> SweepRow | None:
    """Of the runs that keep what matters, the one with the fewest stored bytes, then the best SQNR; None without."""
    keeping = [row for row in rows if row.verdict.word in KEEPING_WORDS and row.stored_bytes is not None]
    return min(keeping, key=lambda row: (row.stored_bytes or 0, -(row.sqnr_db or 0.0)), default=None)


def most_exact_keeping(rows: Sequence[SweepRow]) -> SweepRow | None:
    """Of the runs that keep what matters, the one with the best SQNR, then the fewest bytes; None without."""
    keeping = [row for row in rows if row.verdict.word in KEEPING_WORDS and row.sqnr_db is not None]
    return max(keeping, key=lambda row: (row.sqnr_db or 0.0, -(row.stored_bytes or 0)), default=None)


def sweep_finding(rows: Sequence[SweepRow], planned: int | None = None) -> str:
    """What a sweep found, in a sentence without a full stop.

    It names the smallest and the most exact of the runs that keep what matters, with the decibels and bytes of both.
    `planned` is the number of runs in the sweep, more than `rows` while it is running or where it was cancelled.
    """
    measured = [row for row in rows if row.verdict.word != "not measured"]
    formats = len({row.spec.dtype for row in measured})
    if not rows:
        return "nothing is measured yet"
    begun = so_far(rows, planned)
    if not measured:
        why = rows[0].verdict.sentence.removesuffix(".")
        which = "" if len({row.verdict.sentence for row in rows}) == 1 else f"{rows[0].spec.dtype}: "
        return f"{begun}nothing could be compared: {which}{why[:1].lower()}{why[1:]}"
    smallest, most_exact = smallest_keeping(measured), most_exact_keeping(measured)
    if formats == 1:
        only = smallest or measured[0]
        word = only.verdict.word
        return f"{begun}{only.spec.dtype} {_OF_ONE.get(word, f'is {word}')}{_in_numbers(only)}"
    if smallest is None:
        return f"{begun}none{'' if begun else f' of {formats} formats'} is sure to keep what matters"
    said = begun or f"of {formats} formats, "
    fewest, keeping = f"{said}{smallest.spec.dtype} needs the fewest bytes", "of those that keep what matters"
    if most_exact is None or most_exact.spec.dtype == smallest.spec.dtype:
        also = "" if most_exact is None else " and has the smallest error"
        return f"{fewest}{also} {keeping}{_in_numbers(smallest)}"
    exact = f"{most_exact.spec.dtype} has the smallest error{_in_numbers(most_exact)}"
    return f"{fewest} {keeping}{_in_numbers(smallest)}, {exact}"


def so_far(rows: Sequence[SweepRow], planned: int | None) -> str:
    """The words before a finding about only some of the planned runs; empty where all have ended."""
    return "" if planned is None or len(rows) >= planned else f"so far, {len(rows)} of {planned}: "


def _in_numbers(row: SweepRow) -> str:
    quality = "" if row.sqnr_db is None or math.isinf(row.sqnr_db) else f"{row.sqnr_db:.1f} dB"
    size = ""
    if row.stored_bytes is not None and row.reference_bytes:
        size = f"{share_text(row.stored_bytes / row.reference_bytes)} of the bytes"
    numbers = " in ".join(filter(None, (quality, size)))
    return f" ({numbers})" if numbers else ""


def fits_text(stored_bytes: int, working_bytes: int | None, memory_bytes: int | None) -> str:
    """Whether a model fits in a device's whole memory, and what was counted.

    >>> fits_text(2**30, None, 4 * 2**30), fits_text(2**30, 2**32, 2**32), fits_text(1, None, None)
    ('yes: 25 % for weights', 'no', 'unknown')
    """
    if memory_bytes is None:
        return "unknown"
    share = (stored_bytes + (working_bytes or 0)) / memory_bytes
    if share > 1:
        return "no"
    return f"yes: {_percent(share)} for weights" + ("" if working_bytes is None else " and a pass")


def weights_fit_text(stored_bytes: int, device: DeviceInfo) -> str:
    """Whether a model's weights fit in a device's whole memory, in a sentence; empty where its size is unknown."""
    if not device.memory_bytes:
        return ""
    share, named = stored_bytes / device.memory_bytes, f"{device.id} ({bytes_text(device.memory_bytes)})"
    if share > 1:
        return f"Does not fit {named}."
    return f"Fits {named}: weights take {_percent(share).replace('<', 'less than')}."


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.005 else "< 1 %"
