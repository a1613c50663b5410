import plotly.graph_objects as go

from precision.charts.frame import Info, Space, alt_text, config, figure_of, is_empty, without_words


def framed(title: str, detail: str = "", empty: str | None = None) -> go.Figure:
    return figure_of("Bars", Info(title=title, detail=detail, empty=empty), lambda figure, words: Space())


def test_titles_are_wrapped_then_escaped() -> None:
    figure = framed("<b>" + "word " * 20, "a & b")
    lines = figure.layout.title.text.split("<br>")
    assert len(lines) == 3
    assert lines[0].startswith("&lt;b&gt;word")
    assert figure.layout.title.subtitle.text == "a &amp; b"
    assert alt_text(figure).startswith("Bars: <b>word")


def test_a_longer_title_makes_the_figure_taller_not_the_drawing_smaller() -> None:
    short, long = (framed("word " * words).layout for words in (2, 40))
    assert long.height > short.height
    assert long.height - long.margin.t == short.height - short.margin.t


def test_a_page_can_take_the_words_and_leave_the_drawing() -> None:
    short, long = (framed("word " * words, "detail " * words) for words in (2, 40))
    assert without_words(long) == ("word " * 40, "detail " * 40)
    without_words(short)
    assert long.layout.title.text is None
    assert (long.layout.height, long.layout.margin.t) == (short.layout.height, short.layout.margin.t)
    assert not is_empty(long)
    assert is_empty(framed("Nothing", empty="No data."))


def test_the_description_names_what_is_drawn_what_is_found_and_why_not() -> None:
    assert alt_text(framed("Nothing", empty="No data.")) == "Bars: Nothing. No data."


def test_png_settings_name_the_file_and_upload_nothing() -> None:
    settings = config("tinynet-float16")
    assert settings["toImageButtonOptions"] == {"format": "png", "scale": 2, "filename": "tinynet-float16"}
    assert not settings["showSendToCloud"]
    assert not settings["displaylogo"]
