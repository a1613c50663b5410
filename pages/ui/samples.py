"""Single samples of a real input, as a row of cards that wraps: the picture or the text, and what became of it.

Of a language model's texts, the places are marked where the candidate would write another token.
"""

import base64
from html import escape
from io import BytesIO

import streamlit as st
from PIL import Image

from precision.results import CompareResult, Picture, ReadToken, ShownSample
from precision.text.names import UNNAMED, escape_markdown, plain
from precision.text.units import count_text, fine_share_text, number_text

_STYLE = """
<style>
.px-samples {display: flex; flex-wrap: wrap; gap: 0.75rem}
.px-samples > div {width: 6.5rem; padding: 0.5rem; border: 1px solid #7C7C82; border-radius: 0.5rem}
.px-samples > .px-text {width: 16rem}
.px-samples > .px-tokens {width: 26rem; max-width: 100%}
.px-samples mark {color: inherit; background: #D55E0040; border-bottom: 2px solid #D55E00}
.px-samples > .px-changed {border: 2px solid #D55E00}
.px-samples img {width: 100%; image-rendering: pixelated; display: block; border-radius: 0.25rem}
.px-samples p {margin: 0.35rem 0 0; font-size: 0.8rem; line-height: 1.3; overflow-wrap: anywhere}
</style>
"""

_CHOICES_SHOWN = 4
_WORDS_BEFORE = 3
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def section(result: CompareResult) -> None:
    """The samples, the worst first; nothing where the input is not real."""
    shown = result.samples
    if not shown:
        return
    st.markdown(f"**{_finding(shown)}**")
    if any(sample.tokens for sample in shown):
        st.caption(
            f"Marked: the first choice for this place changes. Below each text: after these words, what "
            f"{result.spec.reference} would write → what {escape_markdown(result.candidate_name)} would."
        )
    st.html(f'{_STYLE}<div class="px-samples" role="list">{"".join(map(_card, shown))}</div>')


def _finding(shown: tuple[ShownSample, ...]) -> str:
    if shown[0].cosine is not None:
        return f"The {count_text(len(shown), 'sample')} whose vectors moved most, the worst first"
    changed = sum(sample.is_changed for sample in shown)
    if shown[0].tokens:
        worst = "Texts with the most first choices that change, the worst first"
        return worst if changed else "Texts in which no first choice changes: the closest calls, the closest first"
    closest = "the closest calls, the closest first"
    if not changed:
        return f"Samples that keep their class: {closest}"
    if changed == len(shown):
        return "Samples whose class changed, the closest calls first"
    return f"{count_text(changed, 'sample')} whose class changed, then {closest}"


def _card(sample: ShownSample) -> str:
    kind = "px-tokens" if sample.tokens else "px-text" if sample.text else ""
    classes = " ".join(filter(None, (kind, "px-changed" if sample.is_changed else "")))
    said = "".join(f"<p>{escape(line)}</p>" for line in _lines(sample))
    seen = f"<p>{escape(plain(sample.text, limit=None))}</p>" if sample.text else ""
    if sample.tokens:
        seen = f"<p>{''.join(map(_token, sample.tokens))}</p>"
    if sample.picture:
        seen = f'<img alt="sample {sample.place}" src="data:image/png;base64,{_png(sample.picture)}">'
    return f'<div role="listitem" class="{classes}">{seen}{said}</div>'


def _token(token: ReadToken) -> str:
    """As it stands in the text; marked where the choices for its place differ."""
    text = escape(_spaced(token.text))
    return f"<mark>{text or ' …'}</mark>" if token.choices else text


def _spaced(text: str) -> str:
    """As `plain`, with a space where the text begins or ends with one."""
    words = plain(text, limit=None) if text.strip() else ""
    words = _UNREADABLE if words == UNNAMED else words
    return " " * (text[:1].isspace()) + words + " " * (bool(words) and text[-1:].isspace())


def _choices(tokens: tuple[ReadToken, ...]) -> list[str]:
    """How many changed; after the last words, what the reference and the candidate would write."""
    places = [place for place, token in enumerate(tokens) if token.choices]
    changed = f"{len(places)} of {count_text(len(tokens) - 1, 'first choice')} changed"
    lines = [changed if places else "all first choices kept"]
    for place in places[:_CHOICES_SHOWN]:
        before = _spaced("".join(token.text for token in tokens[:place])).split(" ")[-_WORDS_BEFORE:]
        said = " → ".join(f"“{_visible(choice)}”" for choice in tokens[place].choices or ())
        lines.append(f"… {' '.join(before).strip()} {said}")
    if len(places) > _CHOICES_SHOWN:
        lines.append(f"and {len(places) - _CHOICES_SHOWN} more")
    return lines


def _visible(token: str) -> str:
    """With its first space, which tells a new word from the end of the last one."""
    return _spaced(token).replace(" ", "␣", 1) if token.startswith(" ") else _spaced(token)


def _lines(sample: ShownSample) -> list[str]:
    if sample.tokens:
        return _choices(sample.tokens)
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
