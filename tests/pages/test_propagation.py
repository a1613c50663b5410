"""Layer by layer: the pages Propagation and Layers with real runs."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from precision.engine import Engine
from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/propagation.py"


def selectbox(app: AppTest, label: str) -> str:
    return str(next(box.value for box in app.selectbox if box.label == label))


def captions(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption)


def local_error(app: AppTest, layer: str) -> float:
    rows = app.dataframe[-1].value
    return float(rows["local"][list(rows["layer"]).index(layer)])


def test_opens_with_the_layer_in_which_most_error_is_born() -> None:
    app = opened(PAGE)
    assert not app.exception
    assert app.title[0].value.startswith("Of the layers measured alone\\, most error is added in linear\\_1")
    assert selectbox(app, "Layer call") == "linear_1"
    assert list(app.dataframe[-1].value["layer"]) == [
        "the model (TinyNet)",
        "token_embedding",
        "linear_1",
        "layernorm_1",
        "linear_2",
        "layernorm_2",
        "head",
    ]


def test_the_link_opens_the_layer_and_narrows_the_table() -> None:
    app = opened(PAGE, {"layer": "head", "find": "NORM", "limit": "0.5"})
    assert selectbox(app, "Layer call") == "head"
    assert app.number_input(key="limit").value == 0.5
    assert list(app.dataframe[-1].value["layer"]) == ["layernorm_1", "layernorm_2"]


def test_a_click_keeps_a_module_in_float32_and_runs_on() -> None:
    app = opened(PAGE, {"layer": "linear_1"})
    born = local_error(app, "linear_1")
    settled(next(button for button in app.button if "linear" in button.label).click().run())
    assert not app.error
    assert app.multiselect(key="keep").value == ["linear_1"]
    assert app.query_params["keep"] == "linear_1"
    assert local_error(app, "linear_1") < born  # now only its input and output are rounded
    assert "the rounding of its inputs on the way in" in captions(app)
    settled(app.multiselect(key="keep").set_value([]).run())
    assert "keep" not in app.query_params


@pytest.mark.parametrize(
    ("choice", "operator", "module"), [("product", "mul", "blocks.0.feed_forward"), ("residual", "add", "blocks.1")]
)
def test_the_operator_of_a_planted_overflow_is_named(choice: str, operator: str, module: str) -> None:
    app = opened(PAGE, {"model": "overflow", "input": choice})
    title = app.title[0].value.replace("\\", "")
    assert title.endswith(f"operator {operator} in {module}")
    assert selectbox(app, "Layer call") == module
    assert any(f"operator {operator} in {module}" in text.value.replace("\\", "") for text in app.markdown)


def test_from_an_overflow_to_the_format_that_mends_it_by_one_click() -> None:
    app = opened(PAGE, {"model": "overflow", "dtype": "float16"})
    assert "Find a plan: a format for every layer" in [link.proto.label for link in app.get("page_link")]
    settled(app.button(key="remedy-bfloat16").click().run())
    assert not app.exception
    assert app.query_params["dtype"] == "bfloat16"
    assert "most error is added in" in app.title[0].value


def test_own_code_has_rows_a_chart_and_a_button() -> None:
    app = opened(PAGE, {"model": "rotary", "layer": "blocks.0"})
    assert not app.exception
    rows = app.dataframe[-1].value
    at = list(rows["layer"]).index("blocks.0:code")
    assert rows["type"][at] == "RotaryBlock, own code"
    assert 0 < rows["local"][at] < rows["inherited"][at]
    assert "what its own code makes" in captions(app)
    settled(next(button for button in app.button if "blocks.0:code" in button.label.replace("\\", "")).click().run())
    assert not app.exception
    assert app.query_params["keep"] == "blocks.0:code"


def test_what_is_kept_already_is_not_advised_again() -> None:
    app = opened(PAGE, {"model": "overflow", "input": "product", "keep": "blocks.0.feed_forward"})
    assert "operator to in blocks.0.feed_forward" in app.title[0].value.replace("\\", "")
    said = " ".join(text.value.replace("\\", "") for text in app.markdown)
    assert "keep blocks.0 in float32 (16 output elements still infinite or NaN)" in said
    assert not any("Keep blocks.0 in the reference" in button.label.replace("\\", "") for button in app.button)


def test_a_click_leaves_an_input_uncast_that_helps_so() -> None:
    app = opened(PAGE, {"model": "linear-5-10", "regime": "x1e6", "keep": "fc:wide"})
    button = next(button for button in app.button if button.label == "Leave the input x uncast, and run again")
    settled(button.click().run())
    assert not app.error
    assert app.multiselect(key="wide_inputs").value == ["x"]
    assert app.query_params["wide_inputs"] in ("x", ["x"])
    assert not [button for button in app.button if button.label.startswith("Leave the input")]


@pytest.mark.parametrize("page", [PAGE, "pages/layers.py", "pages/errors.py", "pages/number_formats.py"])
def test_errors_in_tables_have_one_notation(page: str) -> None:
    formats = {}
    for table in opened(page).dataframe:
        columns = json.loads(table.proto.columns)
        for name in table.value.select_dtypes("float").columns.difference(["SQNR (dB)", "exact share", "bits"]):
            formats[name] = columns[name]["type_config"]["format"]
    assert formats
    assert set(formats.values()) <= {"%.3e", "%.7g"}, formats


def test_a_nan_among_the_worst_elements_is_no_empty_cell() -> None:
    app = opened(PAGE, {"model": "overflow", "layer": "head"})
    table = app.dataframe[0]
    assert set(table.value["candidate"]) & {"NaN", "Infinity", "-Infinity"}
    assert "NaN" in set(table.value["candidate"])
    assert json.loads(table.proto.columns)["candidate"]["alignment"] == "right"
    assert table.value["absolute error"].isna().all()


def test_what_is_inside_a_kept_module_says_so_and_cannot_be_kept_again() -> None:
    app = opened(PAGE, {"model": "digits", "keep": "features", "layer": "features.3"})
    assert not app.error
    assert "`features` is kept in float32" in captions(app)
    assert not [button for button in app.button if button.label.startswith("Keep")]
    app.selectbox(key="layer").set_value("classifier.1").run()
    assert "kept in float32:" in captions(app)  # in the header alone
    assert "is kept in float32" not in captions(app)
    assert [button for button in app.button if button.label.startswith("Keep classifier\\.1")]


def test_a_layer_of_another_model_gives_way() -> None:
    app = opened(PAGE, {"layer": "head"})
    settled(app.selectbox(key="model").set_value("linear-5-10").run())
    assert not app.exception
    assert selectbox(app, "Layer call") != "head"


@pytest.mark.parametrize("part", ["activations", "operators"])
def test_layers_shows_the_dtypes_that_flow(part: str) -> None:
    app = opened("pages/layers.py", {"part": part, "method": "autocast"})
    assert not app.exception
    table = app.dataframe[-1].value
    if part == "operators":
        linear = table[table["operator"] == "linear"]
        assert set(linear["computed in"]) == {"float16"}
        assert set(table[table["operator"] == "layer_norm"]["computed in"]) == {"float32"}
    else:
        assert set(table["outputs, reference"]) == {"float32"}
        assert table.set_index("layer").loc["head", "outputs, candidate"] == "float16"


def test_both_analyses_of_one_choice_are_kept(running_engine: Engine) -> None:
    app = opened("pages/overview.py")
    settled(app.switch_page(PAGE).run())
    jobs = app.session_state["jobs"]
    assert set(jobs) == {"compare", "layers"}
    assert all(running_engine.job(job).status == "done" for job in jobs.values())
