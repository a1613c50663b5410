"""The table of a sweep."""

import streamlit as st

from pages.ui import downloads, frame
from pages.ui.sweep.jobs import RUNS
from precision.findings.sweep import SweepPlan, weights_fit_text
from precision.findings.sweep_table import sweep_table
from precision.findings.tables import Column
from precision.results import DeviceInfo, MemoryResult, SweepResult, SweepRow
from precision.spec import RunSpec
from precision.text.names import escape_markdown
from precision.text.units import bytes_text, count_text


def table(
    base: RunSpec,
    plan: SweepPlan,
    rows: tuple[SweepRow, ...],
    memory: MemoryResult | str | None,
    devices: tuple[DeviceInfo, ...],
) -> None:
    """Every number of every run. Runs that have not started have a row too: their bytes are known by theory."""
    st.header("All numbers", anchor=False)
    if isinstance(memory, str):
        st.caption(f":material/error: No bytes by theory: {escape_markdown(memory)}")
    sizes = memory.memory if isinstance(memory, MemoryResult) else None
    lines = sweep_table(plan.specs, rows, plan.skipped, memory=sizes, devices=devices).without("bytes, estimated")
    if not lines.rows:
        return
    if len({spec.dtype for spec in plan.specs}) < len(plan.specs):  # what tells rows of a format apart comes first
        several = [name for name in ("method", "device") if len({getattr(spec, name) for spec in plan.specs}) > 1]
        lines = lines.pick(*dict.fromkeys(["format", *several, *lines.names]))
    stem = downloads.model_stem(base)
    ended = {row.spec.digest() for row in rows}
    links = [_overview(spec) if spec.digest() in ended else None for spec in plan.specs]
    downloads.table(
        lines.with_column(Column("page"), [*links, *(None for _ in plan.skipped)]),
        name=f"{stem}-sweep",
        key="sweep",
        alt="Error, bytes, memory and time of every format",
        pinned=True,
        widths={"SQNR": "small", "against the reference": 250},
        column_config={"page": st.column_config.LinkColumn(display_text="Overview")},
    )
    text = SweepResult(rows=rows, skipped=plan.skipped).model_dump_json(indent=2)
    downloads.text_file("Sweep as JSON", text, name=f"{stem}-sweep.json", mime="application/json", key="json-sweep")
    if sizes:
        _memory_caption(sizes.parameters, sizes.reference_bytes, devices)


def _memory_caption(parameters: int, reference_bytes: int, devices: tuple[DeviceInfo, ...]) -> None:
    fits = " ".join(filter(None, (weights_fit_text(reference_bytes, device) for device in devices)))
    st.caption(
        escape_markdown(
            f"{count_text(parameters, 'parameter')}, {bytes_text(reference_bytes)} in float32 by theory. "
            f"{fits or 'No device says how much memory it has.'}"
        )
    )


def _overview(spec: RunSpec) -> str:
    job = RUNS.job(spec)
    return frame.overview_address(spec, job.id if job else None)
