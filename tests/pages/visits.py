"""Opens pages in a process of its own, whose workers have the environment that it was given; prints what they show."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

from streamlit.testing.v1 import AppTest

from pages.ui.job import engine
from precision.models import pasted
from tests.pages.conftest import PAGES, opened, settled

Said = Mapping[str, object]


def every_page() -> dict[str, Said]:
    """Of a model that the variable names."""
    return {page: said(opened(page, {"model": "python:linear", "dtype": "bfloat16"})) for page in PAGES}


def pasting() -> dict[str, Said]:
    """What the editor's own text gives, then its link in another session, and code that raises."""
    app = opened()
    app.sidebar.selectbox(key="model").set_value(pasted.PASTED_PREFIX).run()
    asked = said(app)
    used = settled(app.sidebar.button(key="use-code").click().run())
    shown = {"asked": asked, "used": said(used), "link": said(opened(link={"model": used.query_params["model"]}))}
    app.sidebar.text_area(key="pasted_code").set_value("inputs = 1\n1 / 0").run()
    return {**shown, "raises": said(settled(app.sidebar.button(key="use-code").click().run()))}


def said(app: AppTest) -> Said:
    """What a page shows."""
    return {
        "title": app.title[0].value if app.title else None,
        "model": "".join(app.query_params.get("model", "")),
        "errors": [each.value for each in (*app.error, *app.exception)],
        "info": [each.value for each in app.info],
    }


def main() -> None:
    """Make the visits that the first argument names."""
    visits: dict[str, Callable[[], dict[str, Said]]] = {"every-page": every_page, "pasting": pasting}
    sys.stdout.write("\n" + json.dumps(visits[sys.argv[1]]()))
    engine().close()


if __name__ == "__main__":
    main()
