"""The page Mixed precision: sensitivity, the best plan for a budget, a run that verifies it, its code."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.job import engine
from precision.cli.arguments import parser
from precision.engine import Engine, Job
from precision.errors import JobError
from precision.results import SensitivityResult
from precision.spec import RunSpec
from tests.charts.test_plan_charts import REPORTS
from tests.conftest import PATIENCE_S, until
from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/mixed_precision.py"
LINK: dict[str, str | list[str]] = {"model": "linear-5-10", "lower_to": ["bfloat16", "float16", "int8"]}


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def text_of(app: AppTest) -> str:
    shown = [*app.markdown, *app.caption, *app.info, *app.warning]
    return " ".join(str(each.value) for each in shown).replace("\\", "")


def verified(app: AppTest) -> AppTest:
    """The page once the plan's run has ended; AppTest has no browser that would ask again."""
    for job in app.session_state["side_jobs"]["plan"].values():
        engine().wait(job, timeout_s=PATIENCE_S)
    return app.run()


@pytest.mark.parametrize(
    "link",
    [
        LINK,
        {"model": "digits", "batch": "16", "rows": "block", "order": "model order"},
        {"model": "overflow", "budget": "time"},
        {"model": "tinynet", "reference": "float64", "budget": "error"},
    ],
    ids=lambda link: str(link["model"]),
)
def test_it_shows_a_sensitivity_and_a_plan(link: dict[str, str | list[str]]) -> None:
    app = opened(PAGE, link)
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == 4
    assert metrics(app)["Stored bytes"]
    assert re.search(r"forward pass(es)? of the reference", text_of(app))


def test_a_heading_names_the_format_that_a_layer_cannot_take() -> None:
    assert "layers do not work in float16" in opened(PAGE, {"model": "overflow"}).header[0].value


def test_the_title_is_the_plan_and_once_it_has_run_the_decision(running_engine: Engine) -> None:
    app = opened(PAGE, {"model": "digits", "batch": "64", "lower_to": ["bfloat16", "int8"]})
    said = app.title[0].value.replace("\\", "")
    error = 10 ** (-float(metrics(app)["SQNR, predicted"].removesuffix(" dB")) / 20)
    assert float(re.findall(r"off by (.*) %", said)[0]) == pytest.approx(100 * error, rel=0.05)
    verified(app.button(key="verify").click().run())
    (job,) = app.session_state["side_jobs"]["plan"].values()
    changed = running_engine.job(job).result.comparison.outputs[0].decisions.changed_samples  # type: ignore[union-attr]
    assert changed == 0
    assert ": all 64 test images keep their class" in app.title[0].value.replace("\\", "")


def test_the_slider_moves_the_plan_and_the_link_carries_every_control() -> None:
    app = opened(PAGE, {**LINK, "most_bytes": "100.0"})
    assert metrics(app)["SQNR, predicted"] == "exact"
    app.slider(key="most_bytes").set_value(50.0).run()
    small = metrics(app)
    assert small["Stored bytes"] != metrics(opened(PAGE, {**LINK, "most_bytes": "100.0"}))["Stored bytes"]
    link = dict(app.query_params)
    assert metrics(opened(PAGE, link)) == small
    assert metrics(opened(PAGE, {**link, "dtype": "bfloat16"})) == small


def test_a_budget_outside_the_slider_is_told() -> None:
    app = opened(PAGE, {**LINK, "most_bytes": "3"})
    assert "which is not between" in text_of(app)


def test_constraints_hold() -> None:
    app = opened(PAGE, {**LINK, "most_bytes": "60"})
    app.checkbox(key="native").check().run()
    formats = set(app.dataframe[0].value["format"])
    assert "int8" not in formats
    fqn = app.dataframe[0].value["layer"][0]
    settled(app.selectbox(key="keep_more").set_value(fqn).run())
    assert not app.exception
    assert set(app.dataframe[0].value["format"]) == {"float32"}
    assert app.sidebar.multiselect(key="keep").value == [fqn]


def test_a_plan_is_run_and_its_errors_stand_side_by_side(running_engine: Engine) -> None:
    app = opened(PAGE, {**LINK, "native": "true", "most_bytes": "50"})
    verified(app.button(key="verify").click().run())
    assert not app.exception
    assert "**Verified.** Measured" in text_of(app)
    assert "No cast to one format that takes no more bytes had less error" in text_of(app)
    (job,) = app.session_state["side_jobs"]["plan"].values()
    assert running_engine.job(job).spec.plan
    app.slider(key="most_bytes").set_value(100.0).run()
    assert "**Verified.**" not in text_of(app)


def test_plan_run_and_code_name_the_own_code_that_stays_wide() -> None:
    link = {"model": "gpt2-tiny", "lower_to": "bfloat16", "native": "true", "most_bytes": "54"}
    app = opened(PAGE, link)
    assert text_of(app).count("still compute in float32: transformer.h.0.attn") == 1
    assert "lower (estimated)" in text_of(app)
    assert any("# Between layers, " in code.value for code in app.code)
    verified(app.button(key="verify").click().run())
    assert text_of(app).count("still compute in float32: transformer.h.0.attn") == 1
    assert "Verify this plan" not in text_of(app)
    app.slider(key="most_bytes").set_value(100.0).run()
    assert "still compute" not in text_of(app)


def test_code_is_offered_for_native_plans_alone() -> None:
    native = opened(PAGE, {**LINK, "native": "true", "most_bytes": "50"})
    assert any("def lower_layers(model):" in code.value for code in native.code)
    simulated = opened(PAGE, {"model": "linear-5-10", "lower_to": "int8", "most_bytes": "30"})
    assert not any("def lower_layers(model):" in code.value for code in simulated.code)
    assert "a runtime must provide" in text_of(simulated)
    commands = [code.value for code in simulated.code if code.value.startswith("python -m precision ")]
    read = [parser().parse_args(shlex.split(command)[3:]) for command in commands]  # each is one that is taken
    assert {arguments.command for arguments in read} == {"plan", "sensitivity"}


def test_exact_runs_are_asked_for_by_a_toggle() -> None:
    app = opened(PAGE, LINK)
    assert "Casts of the whole model were run" in text_of(app)
    settled(app.toggle(key="exact").set_value(True).run())
    assert not app.exception
    assert re.search(r"\d+ exact runs", text_of(app))
    result = engine().job(app.session_state["jobs"]["sensitivity"]).result
    assert isinstance(result, SensitivityResult)
    assert result.report is not None
    assert result.report.layers[0].contributions[0].exact_squared_error is not None


def test_without_a_format_one_is_asked_for() -> None:
    app = opened(PAGE, LINK)
    app.multiselect(key="lower_to").set_value([]).run()
    assert not app.exception
    assert app.title[0].value == "Which formats?"


def test_a_cancelled_measurement_keeps_the_formats_measured_so_far(running_engine: Engine) -> None:
    app = opened(PAGE, {"model": "bert-tiny", "batch": "16"}, settle=False)
    assert app.title[0].value.startswith("Measuring how much error each format")
    job = app.session_state["jobs"]["sensitivity"]
    until(lambda: running_engine.job(job).partial is not None)
    app.button(key="cancel").click().run()
    running_engine.wait(job, timeout_s=PATIENCE_S)
    app.run()
    assert not app.exception
    assert "The result is partial" in text_of(app)
    assert len(app.get("plotly_chart")) == 4


def test_a_cancelled_run_of_a_plan_says_so_and_can_be_run_again(running_engine: Engine) -> None:
    app = opened(PAGE, LINK)
    before = running_engine.submit(RunSpec(model="bert-base", batch=64, length=512), session="somebody else")
    app.button(key="verify").click().run()
    (job,) = app.session_state["side_jobs"]["plan"].values()
    app.button(key="cancel-plan").click().run()
    assert running_engine.wait(job, timeout_s=PATIENCE_S).status == "cancelled"
    running_engine.cancel(before.id, session="somebody else")
    app.run()
    assert "The run of this plan was cancelled" in text_of(app)
    verified(app.button(key="verify").click().run())
    assert "**Verified.** Measured" in text_of(app)


@pytest.mark.parametrize("name", REPORTS)
def test_every_odd_sensitivity_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine().job(opened(PAGE, LINK).session_state["jobs"]["sensitivity"]).result
    assert isinstance(real, SensitivityResult)
    odd = real.model_copy(update={"report": REPORTS[name], "elapsed_s": float(list(REPORTS).index(name))})
    monkeypatch.setattr("pages.ui.job.current_result", lambda *_, **__: odd)
    for limit in ("bytes", "error"):
        app = opened(PAGE, {**LINK, "budget": limit}, settle=False)
        assert not app.exception
        assert not app.error
        assert app.title[0].value != "Something went wrong"
        is_empty = not (REPORTS[name].layers and REPORTS[name].formats)
        drawn = {chart.key for chart in app.get("plotly_chart")}  # those without anything to show are sentences
        assert drawn <= {"chart-sensitivity", "chart-front", "chart-strip", "chart-predicted"}
        assert ("chart-sensitivity" in drawn) != is_empty


def test_a_link_to_a_verified_plan_makes_it_the_candidate_of_every_page_until_it_is_removed() -> None:
    app = opened(PAGE, {**LINK, "native": "true", "most_bytes": "50"})
    verified(app.button(key="verify").click().run())
    (address,) = [each.proto.url for each in app.get("link_button")]
    link = dict(parse_qsl(urlsplit(address).query))
    overview = opened("pages/overview.py", link)
    assert not overview.exception
    assert " this plan of 1 × float16" in overview.title[0].value
    again = opened(PAGE, {**LINK, "native": "true", "most_bytes": "50"})
    assert again.button(key="verify").label == "Run the plan again"
    assert "SQNR, measured" in [metric.label for metric in again.metric]
    assert overview.query_params["plan"] == link["plan"]
    assert "--plan" in " ".join(code.value for code in overview.code)
    for page in ("pages/propagation.py", "pages/sweep.py", PAGE):
        shown = opened(page, link)
        assert not shown.exception
        assert not shown.error
        assert shown.title[0].value != "Something went wrong"
    (remove,) = [button for button in overview.sidebar.button if button.label == "Remove the plan"]
    settled(remove.click().run())
    assert "plan" not in overview.query_params
    assert "plan of" not in overview.title[0].value


def test_a_failed_run_of_a_plan_says_why_and_can_be_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine().job(opened(PAGE, LINK).session_state["jobs"]["sensitivity"])
    failed = replace(real, status="failed", result=None, error="The worker died.")
    monkeypatch.setattr("pages.ui.side_jobs.known_job", lambda _: failed)
    app = opened(PAGE, LINK)
    assert not app.exception
    assert [error.value for error in app.error] == ["The worker died\\."]
    assert app.button(key="verify").label == "Run the plan again"


def test_a_run_that_the_engine_does_not_take_is_told_and_can_be_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = opened(PAGE, LINK | {"seed": "11"})
    submit = Engine.submit

    def refuse_plans(engine: Engine, spec: RunSpec, *, session: str, fresh: bool = False) -> Job:
        if spec.plan:
            raise JobError("The queue is full.")
        return submit(engine, spec, session=session, fresh=fresh)

    monkeypatch.setattr(Engine, "submit", refuse_plans)
    app.button(key="verify").click().run()
    assert [toast.value for toast in app.toast] == ["The queue is full."]
    assert app.button(key="verify").label == "Verify by a run"
