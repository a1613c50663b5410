"""What a claim is before it is measured. Needs no torch."""

from __future__ import annotations

from precision.results import ClaimText, Statement

LOADING = "Loading Models in Different Data Types"
HALF_OR_TO = "The Difference between model.half() and model.to(dtype=torch.float16)"


class Claim(ClaimText):
    """One question, what the articles say to it in our words, and code that shows the answer."""

    code: str
    """The last lines of the claim's snippet.

    They may read `device`. A claim for this model also has `model`, and `run(model, dtype)`, which returns the first
    output. What they import from `precision.measure.claims.shown` is written out in the snippet.
    """

    @property
    def on_model(self) -> bool:
        """Whether the code reads the model."""
        return self.scope.startswith("for this model")


def loading(*texts: str) -> tuple[Statement, ...]:
    """What the article on loading says."""
    return tuple(Statement(article=LOADING, text=text) for text in texts)


def half_or_to(*texts: str) -> tuple[Statement, ...]:
    """What the article on the two calls says."""
    return tuple(Statement(article=HALF_OR_TO, text=text) for text in texts)
