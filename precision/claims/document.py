"""The measured claims as a Markdown document."""

from itertools import groupby

from precision.results import ClaimsResult, MeasuredClaim
from precision.text.names import escape_markdown


def claims_markdown(result: ClaimsResult) -> str:
    """Every claim under its article: verdict, finding, evidence, code."""
    model, device = escape_markdown(result.model.title), escape_markdown(result.device.name)
    parts = [f"# What the articles claim, tried on {model}\n\n{device}, {escape_markdown(result.environment.packages)}"]
    for title, claims in groupby(result.claims, lambda claim: claim.article):
        parts += [f"## {escape_markdown(title)}", *map(_claim, claims)]
    return "\n\n".join(parts) + "\n"


def _claim(claim: MeasuredClaim) -> str:
    evidence = "\n".join(f"- {escape_markdown(fact.label)}: {escape_markdown(fact.text)}" for fact in claim.evidence)
    parts = [
        f"### {escape_markdown(claim.question)}",
        *map(escape_markdown, claim.claimed),
        f"**{claim.verdict.capitalize()}**, {claim.scope}. {escape_markdown(claim.finding)}",
        evidence,
        f"Tried: {escape_markdown(claim.method)}",
        f"```python\n{claim.snippet.rstrip()}\n```",
    ]
    return "\n\n".join(filter(None, parts))
