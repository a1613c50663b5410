"""The page Ranges: another format moves the window and runs nothing."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.job import engine
from precision.engine import Engine
from precision.errors import JobError
from precision.results import CompareResult, RangesResult
from tests.conftest import PATIENCE_S
from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/ranges.py"


def text_of(app: AppTest) -> str:
    return " ".join(str(each.value) for each in (*app.markdown, *app.caption)).replace("\\", "")


def run_once(app: AppTest) -> CompareResult:
    """What the run with the smallest formats gave; the page is drawn with it."""
    *_, job = app.button(key="run-smallest").click().run().session_state["side_jobs"]["smallest"].values()
    result = engine().wait(job, timeout_s=PATIENCE_S).result
    app.run()
    assert not app.exception
    assert isinstance(result, CompareResult)
    return result


def figures(app: AppTest) -> dict[str, str]:
    table = next(each.value for each in app.dataframe if "figure" in each.value)
    return dict(zip(table["figure"], table["value"], strict=True))


def jobs(app: AppTest) -> dict[str, str]:
    held: dict[str, str] = app.session_state["jobs"]
    return dict(held)


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"model": "digits", "dtype": "float8_e4m3fn"},
        {"dtype": "int8", "method": "weights-only"},
        {"reference": "float64"},
    ],
)
def test_every_kind_of_run(link: dict[str, str]) -> None:
    app = opened(PAGE, link)
    assert not app.exception
    assert not app.error
    assert link.get("dtype", "float16") in app.title[0].value
    assert len(app.get("plotly_chart")) == (2 if link.get("method") == "weights-only" else 3)
    assert app.dataframe[0].value["verdict"].notna().all()


def test_another_format_runs_nothing(running_engine: Engine) -> None:
    app = opened(PAGE, {"model": "digits"})
    before, title = jobs(app), app.title[0].value
    app.selectbox(key="format").set_value("float8_e5m2").run()
    assert "float8_e5m2" in app.title[0].value != title
    settled(app.sidebar.selectbox(key="dtype").set_value("bfloat16").run())
    assert jobs(app) == before
    app.selectbox(key="format").set_value("as in the sidebar").run()
    assert "bfloat16" in app.title[0].value
    assert running_engine.job(before["ranges"]).status == "done"


def test_the_title_names_a_smallest_format_only_where_it_is_smaller() -> None:
    app = opened(PAGE, {"model": "rotary", "dtype": "bfloat16"})
    assert app.title[0].value == "All 72 tensors fit bfloat16"
    app.selectbox(key="format").set_value("float32").run()
    assert (
        app.title[0].value == "All 72 tensors fit float32; the smallest format that holds all these values is float16"
    )


def test_rows_are_narrowed() -> None:
    app = opened(PAGE, {"model": "digits"})
    everything = len(app.dataframe[0].value)
    app.radio(key="values").set_value("weights").run()
    weights = app.dataframe[0].value
    assert 0 < len(weights) < everything
    assert set(weights["kind"]) <= {"parameter", "buffer", "non-persistent buffer"}
    app.text_input(key="find").set_value("no such tensor").run()
    assert not app.exception
    assert not app.dataframe
    assert not app.get("plotly_chart")
    assert "0 of 56 tensors: there is nothing to draw." in text_of(app)


def test_limits_change_the_verdicts() -> None:
    app = opened(PAGE, {"model": "digits"})
    assert "fits" in set(app.dataframe[0].value["verdict"])
    app.number_input(key="sqnr").set_value(150.0).run()
    assert "fits" not in set(app.dataframe[0].value["verdict"][app.dataframe[0].value["predicted SQNR (dB)"] < 150])


def test_a_format_with_block_scales_is_judged_as_the_others_are() -> None:
    app = opened(PAGE, {"model": "digits", "dtype": "mxfp8_e4m3", "method": "weights-only"})
    assert not app.exception
    assert not app.info
    assert "mxfp8_e4m3" in app.title[0].value
    shown = app.dataframe[0].value
    assert (shown["predicted SQNR (dB)"].dropna() > 20).all()
    assert {"nvfp4", "int4"} < set(app.selectbox(key="format").options)


def test_a_link_to_a_format_with_scales_needs_no_method() -> None:
    app = opened(PAGE, {"model": "digits", "dtype": "int8_per_channel"})
    assert not app.error
    assert "digits" in app.query_params["model"]
    assert "fit int8\\_per\\_channel" in app.title[0].value or "fit int8_per_channel" in app.title[0].value


def test_every_weight_in_its_smallest_format_is_run_by_a_button() -> None:
    app = opened(PAGE, {"model": "digits", "batch": "16"})
    assert "Each weight in the smallest format that holds its values: " in text_of(app)
    ran = run_once(app)
    ranges = engine().job(app.session_state["jobs"]["ranges"]).result
    assert isinstance(ranges, RangesResult)
    assert ranges.ranges is not None
    assert {name for name, _ in ran.spec.weights} == {
        each.name for each in ranges.ranges.tensors if each.kind == "parameter"
    }
    assert ran.comparison is not None
    assert f"**{ran.verdict.word.capitalize()}.**" in text_of(app) if ran.verdict else False
    assert f"Arithmetic **{ran.execution.label}**" in text_of(app)
    assert {"Top-1 agreement", "SQNR", "Mean absolute error", "Stored"} <= set(figures(app))
    assert app.button(key="run-smallest").label == "Run again with these formats"
    app.radio(key="scales").set_value("with a scale each").run()
    assert app.button(key="run-smallest").label == "Run with these formats"
    scaled = run_once(app)
    assert scaled.spec.weights != ran.spec.weights
    assert scaled.execution.label == "simulated"
    assert "Simulated, as torch does not store them" in text_of(app)
    linked = opened(PAGE, {"model": "digits", "batch": "16", "scales": "with a scale each"})
    assert linked.radio(key="scales").value == "with a scale each"


def test_a_link_to_the_run_makes_these_weights_the_candidate_of_every_page_until_they_are_removed() -> None:
    app = opened(PAGE, {"model": "tinynet"})
    run_once(app)
    (address,) = [each.proto.url for each in app.get("link_button")]
    link = dict(parse_qsl(urlsplit(address).query))
    overview = opened("pages/overview.py", link)
    assert not overview.exception
    assert "this float32 with weights in 7 × float8" in overview.title[0].value.replace("\\", "")
    assert overview.query_params["weights"] == link["weights"]
    assert "--weights" in " ".join(code.value for code in overview.code)
    for page in (
        "pages/layers.py",
        "pages/propagation.py",
        "pages/errors.py",
        "pages/regimes.py",
        "pages/sweep.py",
        PAGE,
    ):
        shown = opened(page, link)
        assert not shown.exception
        assert not shown.error
        assert shown.title[0].value != "Something went wrong"
    settled(overview.sidebar.selectbox(key="reference").set_value("float64").run())
    assert "float64 with weights" in overview.title[0].value
    (remove,) = [button for button in overview.sidebar.button if button.label.startswith("Remove the weights")]
    settled(remove.click().run())
    assert "weights" not in overview.query_params


def test_a_model_without_weights_has_nothing_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine().job(opened(PAGE, {"model": "tinynet"}).session_state["jobs"]["ranges"]).result
    assert isinstance(real, RangesResult)
    assert real.ranges is not None
    without = real.ranges.model_copy(
        update={"tensors": tuple(each for each in real.ranges.tensors if each.kind != "parameter")}
    )
    odd = real.model_copy(update={"ranges": without, "elapsed_s": 1.5})
    monkeypatch.setattr("pages.ui.job.current_result", lambda *_: odd)
    app = opened(PAGE, {"model": "tinynet"}, settle=False)
    assert not app.exception
    assert "The model has no weights: there is nothing to run." in text_of(app)
    assert not [radio for radio in app.radio if radio.key == "scales"]
    assert not [button for button in app.button if button.key == "run-smallest"]


def test_a_run_that_the_engine_does_not_take_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(PAGE, {"model": "tinynet", "seed": "11"})

    def refuse(*_: object, **__: object) -> None:
        raise JobError("The queue is full.")

    monkeypatch.setattr(Engine, "submit", refuse)
    app.button(key="run-smallest").click().run()
    assert [toast.value for toast in app.toast] == ["The queue is full."]


def test_a_dialect_is_an_answer_only_where_it_is_asked_for() -> None:
    app = opened(PAGE, {"model": "digits"})

    def answers() -> str:
        return " ".join([*app.dataframe[-1].value["smallest format"], *app.dataframe[-1].value["with scaling"]])

    assert "fnuz" not in answers() + app.title[0].value
    app.selectbox(key="format").set_value("float8_e4m3fnuz").run()
    assert not app.exception
    assert "float8_e4m3fnuz" in app.title[0].value
