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


class ShownSample(Result):
    """One sample, and what became of it."""

    place: int
    """In the input, from 0."""
    picture: Picture | None = None
    text: str = ""
    classes: tuple[int, int] | None = None
    """The first class of the reference and of the candidate."""
    probabilities: tuple[float, float] | None = None
    """What each gives its own first class."""
    true_class: int | None = None
    cosine: float | None = None
    """Of an output of vectors: of the candidate's with the reference's."""

    @property
    def is_changed(self) -> bool:
        """Whether the candidate chooses another class."""
        return self.classes is not None and self.classes[0] != self.classes[1]
