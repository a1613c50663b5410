"""What the Overview says of decisions, and its yardsticks."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from precision.spec.output_kinds import OutputKind
from tests.pages.conftest import opened

pytestmark = pytest.mark.usefixtures("running_engine")


def said(app: AppTest) -> str:
    return " ".join(text.value for text in app.markdown).replace("\\", "")


def test_another_kind_of_output_is_chosen_runs_again_and_is_in_the_link() -> None:
    app = opened(link=DIGITS)
    job = app.session_state["jobs"]["compare"]
    picker = app.selectbox(key="kind of output, class-scores")
    picker.set_value(OutputKind.REGRESSION).run()
    assert app.session_state["outputs"] == ("output=regression",)
    assert app.query_params["outputs"] == "output=regression"
    assert app.session_state["jobs"]["compare"] != job
    assert not app.exception


DIGITS = {"model": "digits", "dtype": "float16"}


def test_the_digits_decisions_are_shown_with_their_accuracy() -> None:
    app = opened(link=DIGITS)
    assert not app.exception
    values = {metric.label: metric.value for metric in app.metric}
    assert values["Top-1 agreement"] == "100 %"
    assert values["Accuracy"] == "99.6 %"
    assert {"Mean KL divergence", "Mean delta-p"} <= values.keys()
    assert "450 of 450 samples keep their class" in [header.value for header in app.header]
    said = " ".join(caption.value for caption in app.caption).replace("\\", "")
    assert "95 %: 99.2 % to 100 %" in said
    assert "Against float64" in said
    assert "Taken for class scores" in said


def test_changing_a_yardstick_judges_anew_without_another_run() -> None:
    app = opened(link=DIGITS)
    title = app.title[0].value.replace("\\", "")
    assert ": all 450 samples kept their class; at most 0.85 % of similar samples would change" in title
    job = app.session_state["jobs"]["compare"]
    assert "Amplified: The error" in said(app)
    app.number_input(key="rounding_multiple").set_value(4.0).run()
    assert "Rounding only: The error" in said(app)
    app.number_input(key="broken_below").set_value(80.0).run()
    assert app.title[0].value.endswith(": its outputs are broken")
    assert app.session_state["jobs"]["compare"] == job
    assert not app.exception


def test_margins_can_be_those_of_probabilities_and_the_link_says_so() -> None:
    app = opened(link=DIGITS | {"margin": "probability"})
    assert not app.exception
    assert app.radio(key="margin").value == "probability"


def test_an_output_that_decides_nothing_known_has_no_decisions() -> None:
    app = opened()
    assert "Top-1 agreement" not in {metric.label for metric in app.metric}
    assert not any(radio.key == "margin" for radio in app.radio)


def test_outputs_that_are_not_finite_have_a_sentence_instead_of_decisions() -> None:
    app = opened(link={"model": "overflow"})
    assert "No decision to compare: no sample has finite outputs in both" in [header.value for header in app.header]
    assert "Top-1 agreement" not in {metric.label for metric in app.metric}
    assert not any(radio.key == "margin" for radio in app.radio)
    assert any("4 samples with infinities or NaN left out" in caption.value for caption in app.caption)
