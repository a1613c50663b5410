"""A claim before it is measured."""

from precision.results import ClaimText, Statement

LOADING = "Loading Models in Different Data Types"
HALF_OR_TO = "The Difference between model.half() and model.to(dtype=torch.float16)"


class Claim(ClaimText):
    """One question, what the articles say about it in our words, and code that shows the answer."""

    code: str
    """The last lines of the claim's snippet.

    They can use `device`. A claim for this model can also use `model` and `run(model, dtype)`, which returns the first
    output. Their imports from `precision.measure.claims.shown` are written out in the snippet.
    """

    @property
    def on_model(self) -> bool:
        """Whether the code uses the model."""
        return self.scope.startswith("for this model")


def loading(*texts: str) -> tuple[Statement, ...]:
    """Statements of the article on loading."""
    return tuple(Statement(article=LOADING, text=text) for text in texts)


def half_or_to(*texts: str) -> tuple[Statement, ...]:
    """Statements of the article on the two calls."""
    return tuple(Statement(article=HALF_OR_TO, text=text) for text in texts)
