"""The claims of the articles, one after the other, each with its verdict."""

from collections import Counter
from itertools import groupby

import streamlit as st

from pages.ui import downloads, frame, state
from pages.ui.job import current_result
from pages.ui.linked import selectbox
from precision.claims.claim import HALF_OR_TO, LOADING
from precision.claims.document import claims_markdown
from precision.models.catalogue import describe
from precision.results import ClaimsResult, MeasuredClaim
from precision.results.claims import ClaimWord
from precision.text.names import escape_markdown, plain

HOW_TO_READ = """\
Two articles make these claims: one about loading models in other data types, one about `half()` and
`to(torch.float16)`. They are written here in our words. Each was tested just now, on this model and device.

- **True**, **false**: what was measured agrees with the claim, or contradicts it.
- **Depends**: it is true in part, or for a reason that the claim does not name; the sentence says which.
- **Not testable here**: this machine or this model does not have what the claim is about. Nothing is guessed.
- A click on a claim unfolds what was claimed and found, what the verdict is valid for (this model, this device, or the
  installed packages), and the evidence.
- The **code** shows the evidence in a new process. It is plain PyTorch and Transformers. Where it imports `precision`
  to load a model of this product, run it where this package is installed, or in its folder.
"""
_WORDS: tuple[ClaimWord, ...] = ("true", "false", "depends", "not testable here")
_BADGES: dict[ClaimWord, tuple[str, str]] = {
    "true": (":material/check_circle:", "green"),
    "false": (":material/cancel:", "red"),
    "depends": (":material/alt_route:", "orange"),
    "not testable here": (":material/block:", "gray"),
}
_ALL = "all"
_TELLING = ("tinynet", "resnet-tiny", "rotary", "t5-tiny", "bert-tiny")
"""Together, these models have what the claims are about: batch norms, complex buffers, islands, a classifier."""


def section() -> None:
    """How many claims have each verdict, then one claim after the other."""
    result = current_result(ClaimsResult, shows=lambda _: True)
    claims = result.claims
    frame.header(f"{frame.model_name(result)}: {_finding(result)}", result)
    if not claims:
        frame.footer(result, how_to_read=HOW_TO_READ)
        return
    counts = Counter(claim.verdict for claim in claims)
    st.markdown(" ".join(_badge(word, f"{counts[word]} {word}") for word in _WORDS if counts[word]))
    _other_models(result.spec.model)
    shown = _picked(claims)
    if not shown:
        st.info("No claim has this verdict in this article.", icon=":material/filter_alt_off:")
    for title, of_article in groupby(shown, lambda claim: claim.article):
        st.header(escape_markdown(title), anchor=False)
        for claim in of_article:
            _one(claim, result.environment.packages)
    if len(claims) == result.of or result.failure:  # files of a growing result are gone before they are downloaded
        name, text = f"{downloads.file_stem(result)}-claims.md", claims_markdown(result)
        downloads.text_file("Claims as Markdown", text, name=name, mime="text/markdown", key="markdown-claims")
        frame.footer(result, how_to_read=HOW_TO_READ)


def _finding(result: ClaimsResult) -> str:
    false = sum(claim.verdict == "false" for claim in result.claims)
    measured, of = len(result.claims), result.of
    if measured < of:
        return f"{measured} of {of} claims tested so far: {false or 'none'} {'are' if false > 1 else 'is'} false"
    return f"{false} of {measured} claims {'does' if false == 1 else 'do'} not hold here"


def _badge(word: ClaimWord, text: str) -> str:
    icon, colour = _BADGES[word]
    return f":{colour}-badge[{icon} {escape_markdown(text)}]"


def _other_models(current: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Models that show most:", width="content")
        for model in _TELLING:
            st.button(
                escape_markdown(describe(model).short_title),
                key=f"try-{model}",
                type="tertiary",
                disabled=model == current,
                on_click=state.choose_model,
                args=(model,),
                help="Tests the claims on this model.",
            )


def _picked(claims: tuple[MeasuredClaim, ...]) -> list[MeasuredClaim]:
    left, right = st.columns(2)
    verdict = selectbox("Verdict", (_ALL, *_WORDS), key="verdict", place=left)
    article = selectbox("Article", (_ALL, LOADING, HALF_OR_TO), key="article", place=right)
    return [
        claim
        for claim in claims
        if verdict in (_ALL, claim.verdict) and article in (_ALL, *(said.article for said in claim.statements))
    ]


def _one(claim: MeasuredClaim, packages: str) -> None:
    """A line with verdict, question, claim and the finding's first sentence; all that belongs to it, to unfold."""
    first = claim.finding.partition(". ")[0].removesuffix(".") + "."
    badge = _badge(claim.verdict, claim.verdict)
    said = escape_markdown(f"Claimed: {claim.statements[0].text} Found: {first}")
    with st.expander(f"{badge} **{escape_markdown(claim.question)}** {said}"):
        st.markdown("  \n".join(map(escape_markdown, (*claim.claimed, f"Found: {claim.finding}"))))
        where = f" Packages: {packages}." if claim.scope == "with the installed packages" else ""
        st.caption(escape_markdown(f"Valid {claim.scope}. Tried: {claim.method}{where}"))
        facts = (f"{plain(fact.label)}: {plain(fact.text, limit=None)}" for fact in claim.evidence)
        st.markdown("\n".join(f"- {escape_markdown(fact)}" for fact in facts))
        st.code(claim.snippet, language="python")
