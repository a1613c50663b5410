"""What can be taken from a page to others: its link, a picture of its answer, the PyTorch code, the command."""

import json
from urllib.parse import urlencode

import streamlit as st

from pages.ui import view_state
from precision.findings.cast_code import cast_code
from precision.results import AnalysisResult, RunResult
from precision.text.units import moment_text

ANSWER = "answer"
"""Key of the container with the title and what stands below it."""
_PICTURE = """\
<style>
.px-picture {all: unset; cursor: pointer; padding: 0.3rem 0.7rem; border: 1px solid #7C7C82; border-radius: 0.4rem}
.px-picture:focus-visible {outline: 2px solid currentColor; outline-offset: 2px}
</style>
<button class="px-picture" type="button">Save a picture of the answer</button>
<script>
(() => {
  const footer = FOOTER, width = 1200, edge = 60;
  const text = (element) => {
    const copy = element.cloneNode(true);
    copy.querySelectorAll('[role="img"], button, svg').forEach((icon) => icon.remove());
    return copy.textContent.trim();
  };
  const draw = () => {
    const answer = document.querySelector(".st-key-answer"), title = answer.querySelector("h1");
    const family = getComputedStyle(title).fontFamily, canvas = document.createElement("canvas");
    const said = [...answer.querySelectorAll("p")].filter((each) => !each.closest("a, button"));
    const parts = [[text(title), 44, 700], ...said.map((each) => [text(each), 26, 400]), [footer, 20, 400]];
    const pen = canvas.getContext("2d"), lines = [];
    let y = edge;
    for (const [words, size, weight] of parts.filter(([words]) => words)) {
      pen.font = `${weight} ${size}px ${family}`;
      let line = "";
      for (const word of words.split(/\\s+/)) {
        if (line && pen.measureText(`${line} ${word}`).width > width - 2 * edge) {
          lines.push([line, y += size * 1.35, pen.font]);
          line = word;
        } else line = line ? `${line} ${word}` : word;
      }
      lines.push([line, y += size * 1.35, pen.font]);
      y += 18;
    }
    canvas.width = width;
    canvas.height = y + edge - 18;
    pen.fillStyle = getComputedStyle(document.querySelector('[data-testid="stApp"]')).backgroundColor;
    pen.fillRect(0, 0, width, canvas.height);
    pen.fillStyle = getComputedStyle(title).color;
    for (const [line, at, font] of lines) {
      pen.font = font;
      pen.fillText(line, edge, at);
    }
    const link = document.createElement("a");
    link.href = canvas.toDataURL("image/png");
    link.download = "precision-explorer.png";
    link.click();
  };
  document.querySelector(".px-picture").onclick = draw;
})();
</script>
"""
"""It draws the words that are on the page, warnings too, so that the picture says no more and no less."""


def popover(result: AnalysisResult | None, *, command: str) -> None:
    """Draw the menu beside a page's title; `command` prints the same numbers, where there is one."""
    # Code without colours: Streamlit's are too pale for some readers.
    with st.popover("Share", icon=":material/ios_share:", type="tertiary", key="share"):
        st.caption("The link: it shows this page as it is.")
        st.code(_address(), language=None, wrap_lines=True)
        footer = f"Precision Explorer{f' · measured on {moment_text(result.measured_at)}' if result else ''}"
        st.html(_PICTURE.replace("FOOTER", json.dumps(footer)), unsafe_allow_javascript=True)
        st.caption("A picture of a chart: the camera above it, when the mouse is on it.")
        if isinstance(result, RunResult) and (code := cast_code(result)):
            st.caption("The cast in PyTorch")
            st.code(code, language=None, wrap_lines=True)
        if command:
            st.caption("The same numbers on the command line")
            st.code(command, language=None, wrap_lines=True)


def _address() -> str:
    """The address of the page as it is; whoever opens it is not taken on the tour."""
    query = {name: st.query_params.get_all(name) for name in st.query_params} | {"tour": ["off"]}
    return f"{view_state.page_address()}?{urlencode(query, doseq=True)}"
