"""Single samples of a real input, beside what both models make of them."""

from precision.results.base import Result


class Picture(Result):
    """A small picture."""

    height: int
    width: int
    channels: int
    """1 for grey, 3 for red, green and blue."""
    pixels: str
    """A byte each, row by row, channels last, in base64; black and white are the input's smallest and largest value."""


class ReadToken(Result):
    """A token of a text, and what stands there if the models write."""

    text: str
    """With its spaces; empty for what follows the text."""
    choices: tuple[str, str] | None = None
    """The first choice of the reference and of the candidate for this place, where they differ."""


class ShownSample(Result):
    """One sample, and what became of it."""

    place: int
    """In the input, from 0."""
    picture: Picture | None = None
    text: str = ""
    tokens: tuple[ReadToken, ...] = ()
    """Of logits of tokens: the text as the model reads it, instead of `text`."""
    classes: tuple[int, int] | None = None
    """The first class of the reference and of the candidate."""
    probabilities: tuple[float, float] | None = None
    """What each gives its own first class."""
    true_class: int | None = None
    cosine: float | None = None
    """Of an output of vectors: of the candidate's with the reference's."""

    @property
    def is_changed(self) -> bool:
        """Whether the candidate chooses another class, or another token anywhere."""
        return self.changed_tokens > 0 or (self.classes is not None and self.classes[0] != self.classes[1])

    @property
    def changed_tokens(self) -> int:
        """Places where the candidate's first choice is another token."""
        return sum(token.choices is not None for token in self.tokens)
