"""How fast the device is in each dtype: measured where asked for, told where a format is slower than float32."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.ui import downloads, state
from pages.ui.job import engine
from precision.engine import EngineConfig, device_speed_store
from precision.errors import PrecisionError
from precision.findings.device_speed import slower_here, speed_text
from precision.results import AnalysisResult, DeviceSpeedResult, RunResult
from precision.spec import Analysis, RunSpec
from precision.text.names import escape_markdown, plain

_POLL_S = 0.5
_AGAIN = "Measure this device again"


def banner(result: RunResult) -> None:
    """Where the run computed in its format: a warning if that is slower than float32 here, or a button to find out."""
    if result.execution.label != "native" or result.spec.dtype in ("float32", result.spec.reference):
        return
    speed = _known(result)
    if speed is None:
        _offer(result)
    elif speed.warnings:
        st.caption(f":material/speed: {escape_markdown(' '.join(speed.warnings))}")
        _offer(result, label=_AGAIN)
    elif said := slower_here(speed, result.spec.dtype):
        st.warning(escape_markdown(said), icon=":material/hourglass_bottom:")


def section(result: AnalysisResult) -> None:
    """Every operator in every dtype, beside float32.

    Args:
        result: of a run on the device.
    """
    speed = _known(result)
    with st.expander("How fast is this device in each dtype?", icon=":material/speed:"):
        if speed is None:
            st.caption("Matrix products, convolutions, layer norm and softmax, side by side with float32.")
            _offer(result)
            return
        environment = speed.environment
        st.caption(
            escape_markdown(
                f"Measured on {speed.device.name}, {environment.threads} threads, {environment.cpu_capability}, torch "
                f"{environment.torch}. Times are medians of the rounds' quickest calls; the ratio is the median of the "
                f"rounds' ratios. {' '.join(speed.warnings)}"
            )
        )
        downloads.table(_rows(speed), name="device-speed", key="speed", alt="Time of operators in every dtype")
        _offer(result, label=_AGAIN)


def _rows(speed: DeviceSpeedResult) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "operator": [row.operator for row in speed.operators],
            "dtype": [row.dtype for row in speed.operators],
            "against float32": [
                plain(speed_text(row, is_busy=bool(speed.warnings)), limit=None) for row in speed.operators
            ],
            "time (ms)": [None if row.median_s is None else 1000 * row.median_s for row in speed.operators],
            "float32 (ms)": [
                None if row.float32_median_s is None else 1000 * row.float32_median_s for row in speed.operators
            ],
            "ratio": [row.ratio for row in speed.operators],
            "lower quartile": [row.ratio_low for row in speed.operators],
            "upper quartile": [row.ratio_high for row in speed.operators],
            "rounds": [row.rounds for row in speed.operators],
            "size": [row.size for row in speed.operators],
        }
    )


def _known(result: AnalysisResult) -> DeviceSpeedResult | None:
    return device_speed_store.kept(result.device, result.environment, EngineConfig.from_environment().data)


def _offer(result: AnalysisResult, *, label: str = "Measure this device") -> None:
    job = state.device_job()
    if job is not None:
        _measuring(job)
        return
    st.button(
        label,
        icon=":material/speed:",
        key="measure-device",
        type="tertiary",
        on_click=_measure,
        args=(result.spec.device,),
        help="Times operators in every dtype beside float32, a few seconds; kept for this machine.",
    )


def _measure(device: str) -> None:
    asked = RunSpec(device=device, analysis=Analysis.DEVICE_SPEED)
    try:
        state.follow_device_job(engine().submit(asked, session=state.session_id(), fresh=True).id)
    except PrecisionError as error:
        st.toast(plain(str(error), limit=None), icon=":material/error:")


@st.fragment(run_every=_POLL_S)
def _measuring(job_id: str) -> None:
    job = engine().job(job_id)
    if not job.finished:
        st.caption(f":material/hourglass_top: Measuring this device: {escape_markdown(job.stage)} …")
        return
    state.follow_device_job(None)
    if isinstance(job.result, DeviceSpeedResult):
        device_speed_store.keep(job.result, EngineConfig.from_environment().data)
    else:
        st.toast(plain(job.error or "The measurement was cancelled."), icon=":material/error:")
    st.rerun()
