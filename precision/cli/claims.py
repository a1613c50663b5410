"""The articles' claims with their verdicts, as text for a terminal."""

import textwrap
from collections import Counter
from itertools import groupby
from typing import get_args

from precision.cli.heading import paragraphs, report_of
from precision.results import ClaimsResult, MeasuredClaim
from precision.results.claims import ClaimWord
from precision.text.names import plain
from precision.text.units import count_text

_WIDTH = 100


def claims_text(result: ClaimsResult, *, code: bool = False) -> str:
    """Every claim under its article: question, claim, verdict, evidence and, with `code`, the code that shows it."""
    articles = [
        paragraphs(f"“{title}”", *(_claim(claim, code=code) for claim in claims))
        for title, claims in groupby(result.claims, lambda claim: claim.article)
    ]
    return report_of(result, _summary(result), *articles)


def _summary(result: ClaimsResult) -> str:
    counts = Counter(claim.verdict for claim in result.claims)
    found = ", ".join(
        f"{count} {'depend' if word == 'depends' and count > 1 else word}"
        for word in get_args(ClaimWord)
        if (count := counts[word])
    )
    return f"{count_text(len(result.claims), 'claim')}{found and f': {found}'}."


def _claim(claim: MeasuredClaim, *, code: bool) -> str:
    lines = [
        f"{claim.question}  [{claim.id}]",
        *(line for claimed in claim.claimed for line in _wrapped(claimed)),
        *_wrapped(f"{claim.verdict.capitalize()}, {claim.scope}. {_text(claim.finding)}"),
        *(line for fact in claim.evidence for line in _wrapped(f"- {_text(fact.label)}: {_text(fact.text)}")),
        *_wrapped(f"Tried: {claim.method}"),
    ]
    if code:
        lines += ["", textwrap.indent(claim.snippet.rstrip(), "      ")]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _text(text: str) -> str:
    return plain(text, limit=None)
