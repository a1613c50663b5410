"""The page Casting: every route, the articles' claims, autocast, and one training step."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.job import engine
from precision.engine import Engine
from precision.results import ClaimsResult, RoutesResult
from precision.spec import Analysis
from precision.text.names import escape_markdown
from tests.conftest import PATIENCE_S, until
from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/casting.py"


def text_of(app: AppTest) -> str:
    shown = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning]
    return " ".join(str(each.value) for each in shown).replace("\\", "")


def test_the_title_names_the_route_that_drops_imaginary_parts() -> None:
    app = opened(PAGE, {"model": "rotary"})
    assert not app.exception
    said = ".to(dtype) drops the imaginary part of 1 tensor, .half() keeps it"
    assert said in app.title[0].value.replace("\\", "")
    table = app.dataframe[0].value
    assert table["route"][0] == ".half()"
    assert table["complex"].to_list()[:2] == ["complex64", "≠ float16"]
    assert "torchao float8 dynamic" in text_of(app)


def test_only_differences_are_shown_until_all_facts_are_asked_for() -> None:
    app = opened(PAGE, {"model": "tinynet"})
    some = set(app.dataframe[0].value.columns)
    assert "ties" not in some
    assert "ties: none" in text_of(app)
    app.toggle(key="differences").set_value(False).run()
    assert set(app.dataframe[0].value.columns) > some
    assert "ties" in app.dataframe[0].value.columns
    assert "ties" in opened(PAGE, {"model": "tinynet", "differences": "false"}).dataframe[0].value.columns


def test_each_mark_is_a_difference_from_the_baseline(running_engine: Engine) -> None:
    app = opened(PAGE, {"model": "t5-tiny"})
    result = running_engine.job(app.session_state["jobs"]["routes"]).result
    assert isinstance(result, RoutesResult)
    table = app.dataframe[1].value.set_index("route")
    for facts in result.report.routes:
        if facts.same_output_as_baseline is not None:
            assert table["output bits"][facts.method.label].startswith("≠") is not facts.same_output_as_baseline
    follows = app.dataframe[2].value["route"].to_list()
    assert "torchao int8 dynamic" in follows
    assert "dynamic, int8_per_channel" not in follows
    assert "dynamic, int8_per_channel" in table.index
    assert "from_pretrained(dtype=) keeps in float32" in text_of(app)


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn"])
def test_routes_to_other_formats_are_shown(dtype: str) -> None:
    app = opened(PAGE, {"model": "tinynet", "dtype": dtype})
    assert not app.exception
    assert ".half()" not in app.dataframe[0].value["route"].to_list()


def test_claims_are_counted_filtered_and_each_has_its_code(running_engine: Engine) -> None:
    app = opened(PAGE, {"model": "linear-5-10", "section": "Claims"})
    assert not app.exception
    result = running_engine.job(app.session_state["jobs"]["claims"]).result
    assert isinstance(result, ClaimsResult)
    false = [claim for claim in result.claims if claim.verdict == "false"]
    assert app.title[0].value.endswith(f"{len(false)} of {len(result.claims)} claims do not hold here")
    snippets = {claim.snippet.strip() for claim in result.claims}
    assert snippets <= {code.value.strip() for code in app.code}
    app.selectbox(key="verdict").set_value("false").run()
    assert not app.exception
    lines = [each for each in app.expander if "-badge[" in each.label]
    assert len(lines) == len(false)
    for line, claim in zip(lines, false, strict=True):
        assert not line.proto.expanded
        assert escape_markdown(claim.question) in line.label
        assert f"Found: {claim.finding}" in line.markdown[0].value.replace("\\", "")


def test_another_model_is_a_click_away() -> None:
    app = opened(PAGE, {"model": "linear-5-10", "section": "Claims"})
    app.button(key="try-tinynet").click().run()
    assert app.sidebar.selectbox(key="model").value == "tinynet"
    assert app.query_params["model"] == "tinynet"
    app.button(key="cancel").click().run()


def test_claims_appear_as_they_are_tried_and_stay_when_cancelled(running_engine: Engine) -> None:
    app = opened(PAGE, {"model": "bert-tiny", "section": "Claims", "seed": "7"}, settle=False)
    job = app.session_state["jobs"]["claims"]
    until(lambda: running_engine.job(job).partial is not None)
    app.run()
    assert not app.exception
    assert "of 24 claims tested so far:" in app.title[0].value
    app.button(key="cancel").click().run()
    running_engine.wait(job, timeout_s=PATIENCE_S)
    app.run()
    assert not app.exception
    assert "The result is partial" in text_of(app)
    assert "so far" in app.title[0].value


def test_autocast_tells_the_rule_of_every_operator() -> None:
    app = opened(PAGE, {"model": "tinynet", "section": "Autocast", "dtype": "bfloat16"})
    assert not app.exception
    table = app.dataframe[0].value
    rules = dict(zip(table["operator"], table["rule"], strict=True))
    assert (rules["linear"], rules["relu"]) == ("lower", "as given")
    lowered = sum(rule == "lower" for rule in rules.values())
    assert app.title[0].value == f"Autocast lowers {lowered} of {len(rules)} operators to bfloat16"


def of_the_model(app: AppTest) -> AppTest:
    """The page once its own run of the model has ended."""
    for job in app.session_state["side_jobs"]["autocast"].values():
        engine().wait(job, timeout_s=PATIENCE_S)
    return app.run()


def test_autocast_runs_the_model_too_and_draws_it() -> None:
    app = of_the_model(opened(PAGE, {"model": "tinynet", "section": "Autocast", "dtype": "bfloat16"}))
    assert not app.exception
    assert len(app.get("plotly_chart")) == 1
    assert "Not in bfloat16, but in float32: 2 × layer_norm, embedding. Arithmetic" in text_of(app)
    assert app.session_state["method"] != "autocast"
    assert app.query_params.get("method") is None
    app.sidebar.selectbox(key="dtype").set_value("float16").run()
    of_the_model(settled(app))
    assert "Not in float16, but in float32" in text_of(app)


def test_where_all_of_a_model_ran_in_the_format_nothing_is_named_that_did_not() -> None:
    app = of_the_model(opened(PAGE, {"model": "linear-5-10", "section": "Autocast", "dtype": "bfloat16"}))
    assert "Arithmetic **native**" in text_of(app)
    assert "unnamed" not in text_of(app)


def test_autocast_tells_which_operators_cannot_be_trained() -> None:
    app = opened(PAGE, {"model": "tinynet", "section": "Autocast", "dtype": "float16"})
    told = app.dataframe[0].value.set_index("operator")
    assert told["with gradients"]["linear"] == "the same"
    for name, said, rule in zip(told.index, told["with gradients"], told["rule"], strict=True):
        untrainable = said.startswith("raises") and rule != "not run"
        assert untrainable == (f"`{name}`" in text_of(app).partition("With gradients required")[2][:80])


@pytest.mark.parametrize("section", ["Autocast", "Training"])
def test_where_the_format_has_no_such_thing_another_is_offered(section: str) -> None:
    app = opened(PAGE, {"model": "tinynet", "section": section, "dtype": "float8_e4m3fn"})
    assert not app.exception
    assert not app.session_state["jobs"]
    app.button(key="choose-bfloat16").click().run()
    assert not app.exception
    assert app.sidebar.selectbox(key="dtype").value == "bfloat16"


def test_training_runs_only_where_it_is_asked_for() -> None:
    app = opened(PAGE, {"model": "linear-5-10", "section": "Training"})
    assert not app.exception
    assert Analysis.TRAINING not in app.session_state["jobs"]
    settled(app.button(key="run-training").click().run())
    assert not app.exception
    assert len(app.get("plotly_chart")) == 2
    methods = app.dataframe[0].value["method"].to_list()
    assert methods == ["pure", "pure, scaled", "autocast", "autocast, scaled"]
    assert "Train under autocast" in text_of(app)
    assert "autocast, scaled**: all gradients together are within" in text_of(app)
    table = app.dataframe[2].value
    assert set(table["parameter"]) == {"fc.weight", "fc.bias"}
    settled(app.text_input(key="find").set_value("BIAS").run())
    assert app.dataframe[2].value["parameter"].to_list() == ["fc.bias"]
    settled(app.text_input(key="find").set_value("").run())
    again = opened(PAGE, {**app.query_params, "section": "Training"})
    assert again.title[0].value == app.title[0].value
    settled(app.selectbox(key="dtype").set_value("bfloat16").run())
    assert "run-training" in [button.key for button in app.button]


def test_an_unknown_section_is_told() -> None:
    app = opened(PAGE, {"model": "tinynet", "section": "Nonsense"})
    assert "the link asks for `Nonsense`" in text_of(app)
