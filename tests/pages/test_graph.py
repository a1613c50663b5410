"""The page Graph without a browser: what the component is sent, and the panel of what is chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")
PAGE = "pages/graph.py"


def sent(app: AppTest) -> dict[str, Any]:
    (graph,) = (each for each in app.get("bidi_component") if each.proto.component_name.endswith(".graph"))
    data: dict[str, Any] = json.loads(graph.proto.json)
    return data


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_the_boxes_have_the_numbers_of_the_run_and_the_path_its_names() -> None:
    app = opened(PAGE, {"model": "overflow"})
    assert not app.exception
    assert app.title[0].value.startswith("The first infinity or NaN appears in operator mul")
    data = sent(app)
    names = [box[2] for box in data["boxes"]]
    assert data["lit"] == "nonfinite"
    assert names[data["path"][0]] == "blocks.0.feed_forward:mul"
    edges = {(names[a], names[b]) for a, b in data["edges"]}
    assert ("blocks.0.feed_forward:relu", "blocks.0.feed_forward:mul") in edges
    broken = data["boxes"][names.index("blocks.0.feed_forward:mul")]
    assert broken[5] == "∞ / NaN"
    assert broken[10].endswith("operator, error carried: ∞ / NaN, float16")


def test_the_link_chooses_a_layer_and_shows_its_panel() -> None:
    app = opened(PAGE, {"node": "linear_1"})
    assert sent(app)["chosen"] == "linear_1"
    assert list(metrics(app)) == ["Error carried", "Born here", "Inherited", "Gain"]
    assert float(metrics(app)["Born here"]) > 0
    assert any("Takes: float32 → **float16**" in text.value for text in app.markdown)


def test_an_operator_has_its_dtypes_and_no_error_of_its_own() -> None:
    app = opened(PAGE, {"model": "overflow", "node": "blocks.0.feed_forward:mul"})
    assert list(metrics(app)) == ["Error carried", "Largest error"]
    assert any("computes in float16" in text.value for text in app.markdown)
    assert any("are new NaN or infinities" in text.value for text in app.markdown)


def test_fits_are_measured_on_request_and_shown_in_the_panel_too() -> None:
    app = opened(PAGE, {"colour": "fit", "node": "linear_1", "seed": "4711"})  # no other test counts its values
    assert not app.exception
    assert not app.error
    assert all(box[5] == "" for box in sent(app)["boxes"])
    button = next(button for button in app.button if button.label == "Count the values")
    settled(button.click().run())
    for _ in range(50):
        if any(box[5] for box in sent(app)["boxes"]):
            break
        app.run()
    verdicts = {box[5] for box in sent(app)["boxes"] if box[5]}
    assert verdicts <= {"fits", "needs scaling", "too coarse", "subnormals lose precision", "underflows", "overflows"}
    assert verdicts


def test_an_unknown_box_in_a_link_is_named() -> None:
    app = opened(PAGE, {"node": "nowhere"})
    assert not app.exception
    assert any("nowhere" in caption.value for caption in app.caption)
