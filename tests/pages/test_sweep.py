"""The page Sweep: bytes before anything runs, a row for every run, each a job that other pages know."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.job import engine
from precision.engine import Engine, device_speed_store
from precision.findings.sweep import USUAL_FORMATS
from precision.results import CompareResult, DeviceSpeedResult
from precision.spec import Analysis, RunSpec
from tests.conftest import PATIENCE_S, until
from tests.pages.conftest import opened

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/sweep.py"
LINK: dict[str, str | list[str]] = {"model": "linear-5-10", "formats": ["bfloat16", "int8"]}


def sweep_of(app: AppTest) -> list[dict[str, object]]:
    return [
        dict(zip(map(str, app.dataframe[0].value.columns), row, strict=True))
        for row in app.dataframe[0].value.to_numpy().tolist()
    ]


def counted(app: AppTest) -> AppTest:
    """The page once bytes are known; AppTest has no browser that would ask again."""
    until(lambda: bool(app.dataframe) and not app.dataframe[0].value["bytes, theory"].isna().any(), again=app.run)
    return app


def ended(app: AppTest) -> AppTest:
    until(lambda: "cancel" not in [button.key for button in app.button], again=app.run)
    return app


def test_bytes_are_known_before_anything_runs() -> None:
    app = counted(opened(PAGE, {"model": "tinynet"}))
    assert not app.exception
    assert not app.error
    rows = sweep_of(app)
    assert {row["verdict"] for row in rows} == {"not run yet"}
    assert list(app.dataframe[0].value.columns[:2]) == ["format", "verdict"]
    assert next(row for row in rows if row["format"] == "float16")["bytes, theory"] == 60
    assert all(str(row["fits this device"]).startswith("yes") for row in rows)


@pytest.mark.parametrize(
    ("formats", "asked", "shown"),
    [("bfloat16,int8", "`bfloat16,int8`", None), (["int8", "nope"], "`nope`", ["int8"]), (["int8"], None, ["int8"])],
)
def test_formats_that_a_link_asks_for_in_vain_are_told(
    formats: str | list[str], asked: str | None, shown: list[str] | None
) -> None:
    app = counted(opened(PAGE, {**LINK, "formats": formats}))
    app.run()
    told = [caption.value for caption in app.caption if "the link asks for" in caption.value]
    assert bool(told) == bool(asked)
    assert app.multiselect(key="formats").value == (shown or list(USUAL_FORMATS))
    if asked:
        assert f"Formats: the link asks for {asked}, which is not here. Shown instead: " in told[0]
        app.multiselect(key="formats").set_value(["float16"]).run()
        assert not [caption for caption in app.caption if "the link asks for" in caption.value]


def test_every_format_is_run_and_its_row_is_that_of_its_overview() -> None:
    app = counted(opened(PAGE, LINK))
    before = sweep_of(app)
    assert [row["format"] for row in before] == ["bfloat16", "int8"]
    ended(app.button(key="run-sweep").click().run())
    assert not app.exception
    rows = sweep_of(app)
    assert all(row["verdict"] not in ("not run yet", "not measured") for row in rows)
    assert rows[0]["bytes, theory"] == rows[0]["bytes, measured"]
    assert len(app.get("plotly_chart")) == 2
    assert "of 2 formats" in app.title[0].value or "no format" in app.title[0].value


def test_errors_come_first_and_times_on_request() -> None:
    app = ended(counted(opened(PAGE, LINK | {"run": "yes", "seed": "71"})))
    rows = sweep_of(app)
    assert all(row["SQNR (dB)"] is not None and row["time (ms)"] != row["time (ms)"] for row in rows)  # NaN
    ended(app.button(key="time-sweep").click().run())
    timed = sweep_of(app)
    assert [row["SQNR (dB)"] for row in timed] == [row["SQNR (dB)"] for row in rows]
    assert all(isinstance(row["time (ms)"], float) and row["time (ms)"] > 0 for row in timed)
    assert not {"time-sweep", "run-sweep"} & {button.key for button in app.button}
    link = str(timed[0]["page"]).removeprefix("./?")
    overview = opened(link=dict(part.split("=", 1) for part in link.split("&")))
    assert overview.session_state["jobs"]["compare"] in link
    assert "bfloat16" in overview.title[0].value


def test_what_overview_has_measured_is_not_run_again() -> None:
    overview = opened(link={"model": "linear-5-10", "dtype": "int8", "seed": "72"})
    app = ended(counted(opened(PAGE, LINK | {"run": "yes", "seed": "72"})))
    known = overview.session_state["jobs"]["compare"]
    assert known in app.session_state["side_jobs"]["sweep"].values()
    times = {row["format"]: row["time (ms)"] for row in sweep_of(app)}
    assert times["int8"] > 0  # type: ignore[operator]
    assert times["bfloat16"] != times["bfloat16"]


def test_overview_shows_the_errors_of_a_sweep_until_it_has_its_own() -> None:
    link = {"model": "vit-base", "dtype": "bfloat16", "seed": "73"}
    app = ended(counted(opened(PAGE, {**link, "formats": ["bfloat16"], "run": "yes"})))
    sqnr = sweep_of(app)[0]["SQNR (dB)"]
    overview = opened(link=link, settle=False)
    assert engine().job(overview.session_state["jobs"]["compare"]).result is None
    assert "bfloat16" in overview.title[0].value
    assert any("Speed: being measured." in each.value.replace("\\", "") for each in overview.markdown)
    assert isinstance(sqnr, float)


def test_a_link_of_a_sweep_shows_its_results_to_another_session() -> None:
    first = opened(PAGE, LINK)
    assert "run" not in first.query_params
    ended(first.button(key="run-sweep").click().run())
    assert first.query_params["run"] == "yes"

    second = opened(PAGE, LINK | {"run": "yes"}, settle=False)  # one draw is enough for what the engine has
    assert second.title[0].value == first.title[0].value
    assert second.session_state["side_jobs"]["sweep"] == first.session_state["side_jobs"]["sweep"]
    assert "run-sweep" not in [button.key for button in second.button]

    wider = ended(opened(PAGE, LINK | {"formats": ["bfloat16", "mxfp8_e4m3"], "run": "yes"}))
    assert [row["format"] for row in sweep_of(wider)] == ["bfloat16", "mxfp8_e4m3"]
    assert all(row["verdict"] not in ("not run yet", "not measured") for row in sweep_of(wider))


def test_a_choice_of_which_nothing_was_asked_for_has_no_run_in_its_link() -> None:
    app = ended(opened(PAGE, LINK | {"run": "yes"}))
    app.multiselect(key="formats").set_value(["int8", "int4"]).run()
    assert app.query_params["run"] == "yes"
    app.multiselect(key="formats").set_value(["int4"]).run()
    assert "run" not in app.query_params
    assert "run-sweep" in [button.key for button in app.button]


def test_what_is_not_possible_says_why() -> None:
    app = opened(PAGE, {"model": "linear-5-10", "formats": ["int8", "float16"], "methods": "autocast"})
    until(lambda: bool(app.dataframe), again=app.run)
    impossible = [row for row in sweep_of(app) if row["verdict"] == "not possible"]
    assert [(row["format"], row["method"]) for row in impossible] == [("int8", "autocast")]
    assert list(app.dataframe[0].value.columns[:3]) == ["format", "method", "verdict"]
    assert "gives bfloat16 or float16, not int8" in str(impossible[0]["why"])


def test_cancelled_runs_are_not_begun_again(running_engine: Engine) -> None:
    link: dict[str, str | list[str]] = {
        "model": "bert-tiny",
        "batch": "512",
        "length": "256",
        "formats": ["float16", "bfloat16", "int8"],
    }
    app = counted(opened(PAGE, link))
    app.button(key="run-sweep").click().run()
    assert any(button.key == "cancel" for button in app.button)
    assert app.query_params["run"] == "yes"
    app.button(key="cancel").click().run()
    assert not app.exception
    app.run()
    assert "run" not in app.query_params
    for job in app.session_state["side_jobs"]["sweep"].values():
        running_engine.wait(job, timeout_s=PATIENCE_S)
    app.run()
    assert {engine().job(job).status for job in app.session_state["side_jobs"]["sweep"].values()} <= {
        "cancelled",
        "done",
    }
    assert "run-sweep" in [button.key for button in app.button]
    (cancelled,) = [info.value for info in app.info if info.value.startswith("Cancelled: ")]
    measured = int(cancelled.split()[1])
    assert cancelled == f"Cancelled: {measured} of 3 were measured."
    assert not measured or f"so far, {measured} of 3" in app.title[0].value


def test_without_a_format_there_is_nothing_to_run() -> None:
    app = opened(PAGE, {"model": "linear-5-10"})
    app.multiselect(key="formats").set_value([]).run()
    assert not app.exception
    assert "run-sweep" not in [button.key for button in app.button]
    assert "at least one format" in app.info[0].value


def test_a_format_slower_than_float32_here_is_told_once_it_is_measured(
    running_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECISION_DATA", str(tmp_path))
    app = opened(link={"model": "linear-5-10", "dtype": "float16"})
    assert "measure-device" in [button.key for button in app.button]
    result = running_engine.job(app.session_state["jobs"]["compare"]).result
    assert isinstance(result, CompareResult)
    row = {
        "operator": "matmul", "dtype": "float16", "size": "512×512 by 512×512", "median_s": 0.147,
        "float32_median_s": 0.0077, "ratio": 19.1, "ratio_low": 18.0, "ratio_high": 20.0, "rounds": 7, "reason": None,
    }  # fmt: skip
    speed = DeviceSpeedResult(
        spec=RunSpec(analysis=Analysis.DEVICE_SPEED), device=result.device, environment=result.environment,
        failure=None, warnings=(), elapsed_s=1.0, measured_at=result.measured_at, operators=(row,),
    )  # fmt: skip
    device_speed_store.keep(speed, tmp_path)
    app.run()
    assert "19 × slower than float32 on this CPU" in app.warning[-1].value.replace("\\", "")
    assert "measure-device" not in [button.key for button in app.button]
    assert not [said for said in opened(link={"dtype": "float8_e4m3fn"}).warning if "slower" in said.value]


def test_a_device_is_measured_where_asked_for(
    running_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECISION_DATA", str(tmp_path))
    app = opened(link={"model": "linear-5-10", "dtype": "bfloat16"})
    app.button(key="measure-device").click().run()
    assert not app.exception
    for job in list(app.session_state["side_jobs"]["device-speed"].values()):
        running_engine.wait(job, timeout_s=PATIENCE_S)
        app.run()
    assert not app.exception
    assert len(list((tmp_path / "device-speed").iterdir())) == 1


def test_a_measurement_of_the_device_can_be_cancelled_and_asked_for_again(
    running_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECISION_DATA", str(tmp_path))
    app = opened(link={"model": "linear-5-10", "dtype": "bfloat16"})
    before = running_engine.submit(RunSpec(model="bert-base", batch=64, length=512), session="somebody else")
    app.button(key="measure-device").click().run()
    assert "measure-device" not in [button.key for button in app.button]
    app.button(key="cancel-device-speed").click().run()
    app.run()
    running_engine.cancel(before.id, session="somebody else")
    assert "measurement of this device was cancelled" in app.info[-1].value
    assert "measure-device" in [button.key for button in app.button]
