"""How fast the device is in each dtype: measured on request, with a warning where a format is slower than float32."""

import streamlit as st

from pages.ui import downloads
from pages.ui.side_jobs import SideJobs
from precision.engine import EngineConfig, device_speed_store
from precision.findings.device_speed import slower_here, speed_table
from precision.results import AnalysisResult, DeviceSpeedResult, RunResult
from precision.spec import Analysis, RunSpec
from precision.text.names import escape_markdown

_MEASUREMENTS = SideJobs("device-speed", "measurement of this device")
_AGAIN = "Measure this device again"


def banner(result: RunResult) -> None:
    """If the run computed in its format: a warning that this is slower than float32 here, or a button to find out."""
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
    """Every operator in every dtype beside float32, on the device of a run."""
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
        downloads.table(speed_table(speed), name="device-speed", key="speed", alt="Time of operators in every dtype")
        _offer(result, label=_AGAIN)


def _known(result: AnalysisResult) -> DeviceSpeedResult | None:
    """The stored measurement of the device; one that this session has just made is stored first."""
    folder = EngineConfig.from_environment().data
    asked = _asked(result)
    job = _MEASUREMENTS.job(asked)
    if job is not None and isinstance(job.result, DeviceSpeedResult):
        device_speed_store.keep(job.result, folder)
        _MEASUREMENTS.forget(asked)
    return device_speed_store.kept(result.device, result.environment, folder)


def _offer(result: AnalysisResult, *, label: str = "Measure this device") -> None:
    asked = _asked(result)
    job = _MEASUREMENTS.show(asked)
    if job is not None and job.result is not None:
        st.rerun()  # it has ended since this draw began, and must be stored
    if job is not None and not job.finished:
        return
    st.button(
        label,
        icon=":material/speed:",
        key="measure-device",
        type="tertiary",
        on_click=_MEASUREMENTS.start_or_tell,
        args=(asked,),
        kwargs={"fresh": True},
        help="Times operators in every dtype beside float32, a few seconds. The result is kept for this machine.",
    )


def _asked(result: AnalysisResult) -> RunSpec:
    return RunSpec(device=result.spec.device, analysis=Analysis.DEVICE_SPEED)
