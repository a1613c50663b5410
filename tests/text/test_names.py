from hypothesis import example, given
from hypothesis import strategies as st

from precision.text.names import NAME_CHARACTERS, UNNAMED, escape_plotly, for_markdown, for_plotly, plain

HOSTILE = [
    "![t](http://example.org/x.png)",
    "<img src=x onerror=alert(1)>",
    "weight_norm__x*y*z",
    ":red[x] :smile: $a^2$",
    "a\u202eb\u200bc\x00d\x1b[31m",
    "`code` ``more``",
    "%{customdata[0]}",
    "",
]


def test_plain_strips_what_cannot_be_seen_and_keeps_the_rest() -> None:
    assert plain("a\u202e\u2066b\u200b\x00\x1bc") == "abc"
    assert plain("line\none\ttab\u2028end") == "line one tab end"
    assert plain("weight_norm__x*y*z") == "weight_norm__x*y*z"
    assert plain("e\u0301") == "é"


def test_an_empty_or_invisible_name_is_said_to_be_unnamed() -> None:
    assert plain("") == plain("\u200b\u202e") == plain("  ") == UNNAMED


def test_long_names_keep_both_ends() -> None:
    name = "encoder.layer." + "x" * 100 + ".attention.query.weight"
    short = plain(name)
    assert len(short) == NAME_CHARACTERS
    assert short.startswith("encoder.layer.")
    assert short.endswith(".attention.query.weight")
    assert plain(name, limit=None) == name


def test_plotly_names_hold_no_tag_and_no_template() -> None:
    assert for_plotly("<b>x</b>") == "&lt;b&gt;x&lt;/b&gt;"
    assert for_plotly("%{y}") == "&#37;{y}"
    assert escape_plotly('"&') == "&quot;&amp;"


def test_markdown_names_are_code_spans_that_no_backtick_can_end() -> None:
    assert for_markdown("![t](http://example.org)") == "`![t](http://example.org)`"
    assert for_markdown("a``b") == "``` a``b ```"
    assert for_markdown("`") == "`` ` ``"


@given(st.text(max_size=200))
@example(HOSTILE[4])
def test_any_name_becomes_visible_text_within_the_limit(name: str) -> None:
    shown = plain(name)
    assert 0 < len(shown) <= NAME_CHARACTERS
    assert shown.isprintable()
    assert plain(shown) == shown
    assert "<" not in for_plotly(name)
    assert "%{" not in for_plotly(name)


@given(st.sampled_from(HOSTILE) | st.text(max_size=200))
def test_the_fence_of_a_code_span_is_longer_than_any_run_inside(name: str) -> None:
    shown = for_markdown(name)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    assert shown.endswith(fence)
    assert fence not in shown[len(fence) : -len(fence)]
