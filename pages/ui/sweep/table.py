"""Every number of a sweep, of the runs too that have yet to run: their bytes are known before."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.ui import downloads, frame
from pages.ui.sweep.jobs import RUNS
from precision.findings.sweep import SweepPlan, fits_text, theory_bytes
from precision.results import DeviceInfo, MemoryResult, SkippedRun, SweepResult, SweepRow
from precision.spec import RunSpec
from precision.text.metrics import metric_named
from precision.text.names import escape_markdown, plain
from precision.text.units import bytes_text, count_text


def table(
    base: RunSpec,
    plan: SweepPlan,
    rows: tuple[SweepRow, ...],
    memory: MemoryResult | str | None,
    devices: tuple[DeviceInfo, ...],
) -> None:
    """Every number of every run, of those too that have yet to run: their bytes are known before."""
    st.header("All numbers", anchor=False)
    if isinstance(memory, str):
        st.caption(f":material/error: No bytes by theory: {escape_markdown(memory)}")
    by_digest = {row.spec.digest(): row for row in rows}
    here = {device.id: device for device in devices}
    sizes = memory.memory if isinstance(memory, MemoryResult) else None
    lines = [
        _line(spec, by_digest.get(spec.digest()), theory_bytes(sizes, spec) if sizes else None, here[spec.device])
        for spec in plan.specs
    ]
    frame = pd.DataFrame([*lines, *map(_skipped_line, plan.skipped)])
    if frame.empty:
        return
    stem = "".join(character if character.isalnum() else "-" for character in base.model)[-40:].strip("-")
    downloads.table(
        frame,
        name=f"{stem}-sweep",
        key="sweep",
        alt="Error, bytes, memory and time of every format",
        column_config={
            "format": st.column_config.TextColumn(pinned=True),
            "SQNR (dB)": st.column_config.NumberColumn(
                width="small", format="%.1f", help=escape_markdown(_definition("sqnr_db"))
            ),
            "mean absolute error": downloads.scientific(),
            "max absolute error": downloads.scientific(),
            "bytes, theory": st.column_config.NumberColumn(width="small", format="localized"),
            "bytes, measured": st.column_config.NumberColumn(width="small", format="localized"),
            "working memory, measured": st.column_config.NumberColumn(format="localized"),
            "time (ms)": st.column_config.NumberColumn(width="small", format="%.3g"),
            "throughput (samples/s)": st.column_config.NumberColumn(format="%.4g"),
            "page": st.column_config.LinkColumn(display_text="Overview"),
        },
    )
    text = SweepResult(rows=rows, skipped=plan.skipped).model_dump_json(indent=2)
    downloads.text_file("Sweep as JSON", text, name=f"{stem}-sweep.json", mime="application/json", key="json-sweep")
    if sizes:
        _memory_caption(sizes.parameters, sizes.reference_bytes, devices)


def _definition(metric: str) -> str:
    return metric_named(metric).definition


def _memory_caption(parameters: int, reference_bytes: int, devices: tuple[DeviceInfo, ...]) -> None:
    fits = "; ".join(
        f"{device.id} with {bytes_text(device.memory_bytes)}: {fits_text(reference_bytes, None, device.memory_bytes)}"
        for device in devices
        if device.memory_bytes
    )
    st.caption(
        escape_markdown(
            f"{count_text(parameters, 'parameter')}, {bytes_text(reference_bytes)} in float32 by theory. "
            f"Does that fit? {fits or 'No device says how much memory it has'}."
        )
    )


def _line(spec: RunSpec, row: SweepRow | None, theory: int | None, device: DeviceInfo) -> dict[str, object]:
    stored = row.stored_bytes if row and row.stored_bytes is not None else theory
    return {  # what is looked for first stands first, within a narrow window
        "format": spec.dtype,
        "verdict": "not run yet" if row is None else row.verdict.word,
        "SQNR (dB)": None if row is None else row.sqnr_db,
        "bytes, theory": theory,
        "bytes, measured": None if row is None or row.bytes_are_estimated else row.stored_bytes,
        "time (ms)": None if row is None or row.time_s is None else 1000 * row.time_s,
        "against the reference": "" if row is None else row.speed.removesuffix(" than"),
        "throughput (samples/s)": None if row is None else row.samples_per_s,
        "max absolute error": None if row is None else row.max_abs_error,
        "mean absolute error": None if row is None else row.mean_abs_error,
        "method": spec.method.label,
        "device": plain(spec.device),
        "working memory, measured": None if row is None else row.working_bytes,
        "fits this device": "" if stored is None else
        fits_text(stored, row.working_bytes if row else None, device.memory_bytes),
        "arithmetic": "" if row is None else row.execution or "",
        "why": "" if row is None else plain(row.reason or row.verdict.sentence, limit=None),
        "page": None if row is None else _overview(spec),
    }  # fmt: skip


def _skipped_line(skipped: SkippedRun) -> dict[str, object]:
    return {
        "format": skipped.dtype,
        "method": skipped.method.label,
        "device": plain(skipped.device),
        "verdict": "not possible",
        "why": plain(skipped.reason, limit=None),
    }


def _overview(spec: RunSpec) -> str:
    job = RUNS.job(spec)
    return frame.overview_address(spec, job.id if job else None)
