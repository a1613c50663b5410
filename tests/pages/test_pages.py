"""Every page, opened cold by its link, through the router, with the real engine."""

from __future__ import annotations

import pytest

from precision.engine import Engine
from precision.spec import RunSpec
from tests.conftest import PATIENCE_S
from tests.pages.conftest import COMPARISON_PAGES, PAGES, opened, settled

pytestmark = pytest.mark.usefixtures("running_engine")


@pytest.mark.parametrize("page", PAGES)
def test_opens_cold_with_a_result(page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert app.title
    assert not app.error


@pytest.mark.parametrize("page", COMPARISON_PAGES)
@pytest.mark.parametrize(
    "link",
    [
        {"model": "digits", "dtype": "bfloat16", "method": "bfloat16"},
        {"model": "digits", "dtype": "float8_e4m3fn"},
        {"dtype": "float8_e5m2", "method": "weights-only"},
        {"dtype": "bfloat16", "method": "autocast"},
        {"dtype": "float32"},
        {"dtype": "float64"},
        {"reference": "float64", "dtype": "float32"},
        {"model": "linear-5-10", "seed": "7", "batch": "3"},
    ],
    ids=lambda link: "-".join(link.values()),
)
def test_every_page_shows_every_kind_of_run(page: str, link: dict[str, str]) -> None:
    app = opened(page, link)
    assert not app.exception
    assert not app.error
    assert app.title


def test_overview_opens_with_the_articles_result() -> None:
    app = opened()
    values = {metric.label: metric.value for metric in app.metric}
    assert values["Mean absolute error"] == "2.05e-4"
    assert values["Max absolute error"] == "2.26e-4"
    assert values["Stored bytes"] == "60 B"
    assert "Check float16 first" in app.title[0].value
    assert any("TinyNet" in caption.value for caption in app.caption)
    assert "Random weights" in app.warning[0].value


def test_the_link_reproduces_the_choice_and_its_job() -> None:
    first = opened(link={"dtype": "bfloat16", "seed": "5"})
    link = dict(first.query_params)
    assert link["dtype"] == "bfloat16"
    assert link["seed"] == "5"
    second = opened(link=link)
    assert second.session_state["jobs"]["compare"] == first.session_state["jobs"]["compare"] == link["job"]
    assert second.selectbox(key="dtype").value == "bfloat16"


def test_another_format_gives_another_result() -> None:
    app = opened()
    before = {metric.label: metric.value for metric in app.metric}
    settled(app.selectbox(key="dtype").set_value("bfloat16").run())
    after = {metric.label: metric.value for metric in app.metric}
    assert before["Max absolute error"] != after["Max absolute error"]
    assert "bfloat16" in app.title[0].value


def test_an_input_can_be_left_uncast_and_the_link_says_so() -> None:
    app = opened("pages/overview.py", {"model": "linear-5-10", "dtype": "float8_e4m3fn"})
    cast = {metric.label: metric.value for metric in app.metric}
    settled(app.sidebar.multiselect(key="wide_inputs").set_value(["x"]).run())
    assert not app.exception
    link = dict(app.query_params)
    assert link["wide_inputs"] in ("x", ["x"])
    again = opened("pages/overview.py", {name: value for name, value in link.items() if name != "job"})
    for shown in (app, again):
        assert shown.sidebar.multiselect(key="wide_inputs").value == ["x"]
        assert any("inputs not cast: " in str(caption.value) for caption in shown.caption)
        assert {metric.label: metric.value for metric in shown.metric} != cast
    assert any("--wide-inputs x" in code.value for code in again.code)
    settled(again.sidebar.selectbox(key="model").set_value("tinynet").run())
    assert not [each for each in again.sidebar.multiselect if each.key == "wide_inputs"]  # it takes whole numbers only
    assert "wide_inputs" not in again.query_params


def test_a_run_that_stops_names_the_inputs_that_are_not_cast() -> None:
    app = opened("pages/overview.py", {"model": "digits", "dtype": "bfloat16", "wide_inputs": "images"})
    assert "Do not use bfloat16 here" in app.title[0].value
    assert any("this input is not cast: `images`" in error.value for error in app.error)


def test_a_method_that_cannot_give_the_format_gives_way() -> None:
    app = opened(link={"method": "half"})
    settled(app.selectbox(key="dtype").set_value("bfloat16").run())
    assert app.selectbox(key="method").value == "to"
    assert not app.error


def test_what_others_add_to_a_link_is_ignored_with_a_note() -> None:
    app = opened(link={"utm_source": "*news*", "dtype": "bfloat16", "chart": "ulp"})
    assert "bfloat16" in app.title[0].value
    assert "utm_source" not in app.query_params
    assert app.query_params["chart"] in ("ulp", ["ulp"])  # of another page
    first = opened(link={"a": "1", "b`": "2", "dtype": "float13"}, settle=False)
    assert first.toast[0].value == "Ignored in the link: `a`, `` b` ``."
    assert "Unknown format" in first.error[0].value
    assert not first.run().toast


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"model": "tinynett"}, "tinynet"),
        ({"dtype": "float13"}, "Unknown format"),
        ({"batch": "99999"}, "4096"),
        ({"method": "half", "dtype": "bfloat16"}, "gives float16"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value.values()),
)
@pytest.mark.parametrize("page", COMPARISON_PAGES)
def test_a_malformed_link_is_explained_and_never_followed_silently(
    page: str, link: dict[str, str], message: str
) -> None:
    app = opened(page, link)
    assert not app.exception
    assert app.title[0].value == "This link cannot be followed"
    assert message in app.error[0].value.replace("\\", "")
    assert not app.metric
    settled(app.button[0].click().run())
    assert not app.error


def test_a_device_that_is_not_here_is_named_with_those_that_are() -> None:
    app = opened(link={"device": "cuda:7"})
    assert "cuda:7" in app.error[0].value.replace("\\", "")
    assert not app.metric
    settled(app.button[0].click().run())
    assert not app.error
    assert app.sidebar.selectbox(key="device").value == "cpu"


def test_a_job_of_another_server_is_simply_run_again() -> None:
    app = opened(link={"job": "from-before-the-restart"})
    assert not app.error
    assert app.metric


@pytest.mark.parametrize(
    ("page", "analysis", "heading"),
    [
        ("pages/overview.py", "compare", "Comparing BERT base classifier in float16 with float32"),
        ("pages/propagation.py", "layers", "Comparing BERT base classifier in float16 with float32"),
        ("pages/ranges.py", "ranges", "Counting the values of BERT base classifier in float32"),
    ],
)
def test_a_cancelled_run_is_said_kept_and_can_be_run_again(
    page: str, analysis: str, heading: str, running_engine: Engine
) -> None:
    app = opened(page, {"model": "bert-base"}, settle=False)
    assert [title.value for title in app.title] == [heading]
    job = app.session_state["jobs"][analysis]
    app.button[0].click().run()
    assert running_engine.wait(job, timeout_s=30).status == "cancelled"
    app.run()
    assert [title.value for title in app.title] == ["Nothing was measured"]
    assert "cancelled" in app.info[0].value
    assert [button.label for button in app.button] == ["Run again"]


def test_a_checkpoint_without_a_name_is_asked_for() -> None:
    app = opened()
    app.sidebar.selectbox(key="model").set_value("hf:").run()
    assert [title.value for title in app.title] == ["Which model?"]
    assert "in the sidebar" in app.info[0].value


def test_a_simulated_time_is_called_so() -> None:
    app = opened(link={"dtype": "float8_e4m3fn"})
    assert "Time per run, simulated" in [metric.label for metric in app.metric]
    assert any("arithmetic **simulated**" in caption.value for caption in app.caption)


@pytest.mark.parametrize(
    ("link", "field", "value", "message"),
    [
        ({}, "seed", -1, "seed = '-1': at least 0 is needed."),
        ({}, "seed", 2**32, "seed = '4294967296': it must be less than 4294967296."),
        ({"model": "linear-5-10"}, "batch", 5000, "batch = '5000': at most 4096 is allowed."),
        ({"model": "linear-5-10"}, "batch", 0, "batch = '0': at least 1 is needed."),
        ({"model": "digits"}, "batch", 451, "Input 'test-set' of digits takes a batch of at most 450, not 451."),
        ({"model": "bert-tiny"}, "length", 513, "Input 'random' of bert-tiny takes a length of at most 512, not 513."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_number_beyond_its_limits_is_told_in_words(
    link: dict[str, str], field: str, value: int, message: str
) -> None:
    app = opened("pages/errors.py", link, settle=False)
    box = app.sidebar.number_input(key=field)
    assert (box.min, box.max) == (None, None)  # else the browser would keep the value to itself
    box.set_value(value).run()
    assert app.title[0].value == "This choice cannot be run"
    assert [error.value.replace("\\", "") for error in app.error] == [message]
    app.button[0].click().run()
    assert not app.error


@pytest.mark.parametrize(
    ("page", "link", "asked", "shown"),
    [
        ("pages/layers.py", {"part": "nope"}, "`nope`", "`stored tensors`"),
        ("pages/layers.py", {"show": "`x`"}, "`` `x` ``", "`all`"),
        ("pages/errors.py", {"chart": "![x](http://example.org)"}, "`![x](http://example.org)`", "`absolute`"),
        ("pages/ranges.py", {"values": "nope"}, "`nope`", "`all`"),
        ("pages/ranges.py", {"format": "float13"}, "`float13`", "`float16, as in the sidebar`"),
        ("pages/propagation.py", {"layer": "nope"}, "`nope`", "`linear_1`"),
        ("pages/number_formats.py", {"overflow": "nope"}, "`nope`", "`infinite or NaN`"),
        ("pages/errors.py", {"model": "t5-tiny", "output": "nope"}, "`nope`", "`"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_a_view_asks_for_in_vain_is_told(page: str, link: dict[str, str], asked: str, shown: str) -> None:
    app = opened(page, link)
    app.run()
    (told,) = [caption.value for caption in app.caption if "the link asks for" in caption.value]
    assert f"the link asks for {asked}, which is not here. Shown instead: {shown}" in told


@pytest.mark.parametrize("asked", ["abc", "-1", "nan", "1e400"])
def test_a_limit_that_is_none_is_told_and_another_ends_the_remark(asked: str) -> None:
    app = opened("pages/propagation.py", {"limit": asked})
    app.run()
    (told,) = [caption.value for caption in app.caption if "the link asks for" in caption.value]
    assert f"the link asks for `{asked}`, which is not a number from 0 up. Shown instead: `0.01`." in told
    app.number_input(key="limit").set_value(0.5).run()
    assert not [caption for caption in app.caption if "the link asks for" in caption.value]


def test_a_limit_that_is_one_is_followed_in_silence() -> None:
    app = opened("pages/propagation.py", {"limit": "0.5"})
    assert app.number_input(key="limit").value == 0.5
    assert not [caption for caption in app.caption if "the link asks for" in caption.value]


def test_another_choice_ends_the_remark() -> None:
    app = opened("pages/errors.py", {"chart": "nope"})
    app.radio(key="chart").set_value("signed").run()
    assert not [caption for caption in app.caption if "the link asks for" in caption.value]
    app.radio(key="chart").set_value("absolute").run()
    assert not [caption for caption in app.caption if "the link asks for" in caption.value]


def test_what_is_missing_in_a_table_is_an_empty_cell() -> None:
    app = opened("pages/layers.py")
    assert [table.proto.placeholder for table in app.dataframe] == [""]


def test_layers_say_which_operators_autocast_lowered() -> None:
    link = {"method": "autocast", "dtype": "bfloat16", "part": "operators"}
    app = opened("pages/layers.py", link)
    assert len(app.get("plotly_chart")) == 1
    said = [text.value for text in app.markdown if "Not in bfloat16" in text.value]
    assert [text.replace("\\", "") for text in said] == ["Not in bfloat16, but in float32: 2 × layer_norm, embedding."]


def test_real_kernels_are_beside_a_simulated_run_only() -> None:
    app = opened(link={"dtype": "int8", "method": "dynamic"})
    said = [caption.value for caption in app.caption if "3 of 3 linear layers ran" in caption.value]
    assert len(said) == 1
    assert not [caption for caption in opened().caption if "kernel" in caption.value]


@pytest.mark.parametrize(
    ("dtype", "method", "estimated"),
    [("int8", "weights-only", "stored in int8: 88 B (estimated)"), ("float8_e4m3fn", "to", "")],
)
def test_bytes_of_a_format_that_no_dtype_stores_are_estimated_beside(dtype: str, method: str, estimated: str) -> None:
    overview = opened(link={"dtype": dtype, "method": method})
    stored = next((metric.label, metric.value) for metric in overview.metric if metric.label.startswith("Stored"))
    said = [caption.value for caption in overview.caption if caption.value.startswith("Held here")]
    header = next(header.value for header in overview.header if "tensors" in header.value).replace("\\", "")
    layers = opened("pages/layers.py", {"dtype": dtype, "method": method}).title[0].value.replace("\\", "")
    if estimated:
        assert (stored, said) == (("Stored bytes, estimated", "88 B"), ["Held here in 120 B."])
        assert header == "4 of 11 tensors rounded to int8, held in float32"
        assert layers == f"{header}; {estimated}"
    else:
        assert (stored, said) == (("Stored bytes", "30 B"), [])
        assert header == "11 of 11 tensors changed dtype"
        assert layers == "11 of 11 tensors change: 120 B become 30 B"


def test_cancel_by_one_of_two_viewers_says_that_the_run_goes_on(running_engine: Engine) -> None:
    app = opened(link={"model": "bert-base", "dtype": "bfloat16", "seed": "91"}, settle=False)
    job = app.session_state["jobs"]["compare"]
    running_engine.submit(running_engine.job(job).spec, session="somebody else")
    app.button(key="cancel").click().run()
    assert [toast.value for toast in app.toast] == ["The run goes on: somebody else is waiting for it too."]
    assert not running_engine.job(job).finished
    running_engine.cancel(job, session="somebody else")
    app.button(key="cancel").click().run()
    assert not app.toast
    assert running_engine.wait(job, timeout_s=PATIENCE_S).status == "cancelled"


def test_a_waiting_run_says_that_its_worker_restarts(running_engine: Engine) -> None:
    opened()
    before = running_engine.submit(
        RunSpec(model="bert-base", dtype="bfloat16", seed=92), session="somebody else", fresh=True
    )
    running_engine.set_waiting_for("cpu", "restarting")
    app = opened(link={"seed": "31"}, settle=False)
    (progress,) = app.get("progress")
    assert progress.proto.text.startswith("The worker is restarting.")
    running_engine.set_waiting_for("cpu", "waiting")
    running_engine.cancel(before.id, session="somebody else")
    assert not settled(app).get("progress")
