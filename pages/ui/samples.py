"""Single samples of a real input, as a row of cards that wraps: the picture or the text, and what became of it."""

import base64
from html import escape
from io import BytesIO

import streamlit as st
from PIL import Image

from precision.results import CompareResult, Picture, ShownSample
from precision.text.names import plain
from precision.text.units import count_text, fine_share_text, number_text

_STYLE = """
<style>
.px-samples {display: flex; flex-wrap: wrap; gap: 0.75rem}
.px-samples > div {width: 6.5rem; padding: 0.5rem; border: 1px solid #7C7C82; border-radius: 0.5rem}
.px-samples > .px-text {width: 16rem}
.px-samples > .px-changed {border: 2px solid #D55E00}
.px-samples img {width: 100%; image-rendering: pixelated; display: block; border-radius: 0.25rem}
.px-samples p {margin: 0.35rem 0 0; font-size: 0.8rem; line-height: 1.3; overflow-wrap: anywhere}
</style>
"""


def section(result: CompareResult) -> None:
    """The samples, the worst first; nothing where the input is not real."""
    shown = result.samples
    if not shown:
        return
    st.markdown(f"**{_finding(shown)}**")
    st.html(f'{_STYLE}<div class="px-samples" role="list">{"".join(map(_card, shown))}</div>')


def _finding(shown: tuple[ShownSample, ...]) -> str:
    if shown[0].cosine is not None:
        return f"The {count_text(len(shown), 'sample')} whose vectors moved most, the worst first"
    changed = sum(sample.is_changed for sample in shown)
    closest = "the closest calls, the closest first"
    if not changed:
        return f"Samples that keep their class: {closest}"
    if changed == len(shown):
        return "Samples whose class changed, the closest calls first"
    return f"{count_text(changed, 'sample')} whose class changed, then {closest}"


def _card(sample: ShownSample) -> str:
    classes = " ".join(filter(None, ("px-text" if sample.text else "", "px-changed" if sample.is_changed else "")))
    said = "".join(f"<p>{escape(line)}</p>" for line in _lines(sample))
    seen = f"<p>{escape(plain(sample.text, limit=None))}</p>" if sample.text else ""
    if sample.picture:
        seen = f'<img alt="sample {sample.place}" src="data:image/png;base64,{_png(sample.picture)}">'
    return f'<div role="listitem" class="{classes}">{seen}{said}</div>'


def _lines(sample: ShownSample) -> list[str]:
    if sample.cosine is not None:
        return [f"cosine {number_text(sample.cosine)}"]
    if sample.classes is None or sample.probabilities is None:
        return []
    (before, after), (sure, now) = sample.classes, map(fine_share_text, sample.probabilities)
    lines = [f"class {before} → {after}" if sample.is_changed else f"class {before}, kept", f"{sure} → {now}"]
    if sample.true_class not in (None, after):
        lines.append("now wrong" if sample.true_class == before else f"truly {sample.true_class}")
    return lines


def _png(picture: Picture) -> str:
    size = (picture.width, picture.height)
    image = Image.frombytes("L" if picture.channels == 1 else "RGB", size, base64.b64decode(picture.pixels))
    written = BytesIO()
    image.save(written, format="png")
    return base64.b64encode(written.getvalue()).decode()
