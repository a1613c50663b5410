"""The model and its input."""

from typing import Literal

from precision.results.base import Result

Provenance = Literal["trained", "random", "own"]


class InputChoice(Result):
    """A named input that a model offers."""

    name: str
    description: str
    real: bool
    """False for random values: errors are then indicative only."""
    takes_batch: bool = True
    takes_length: bool = False
    takes_text: bool = False
    default_batch: int | None = None
    default_length: int | None = None
    max_batch: int | None = None
    max_length: int | None = None
    sample: str = "sample"
    """What one sample is."""


class StoredWeight(Result):
    """What one weight of a checkpoint is stored as."""

    name: str
    """Of the weight, as the checkpoint calls it."""
    format: str
    """Such as `bfloat16`, `int4` or `nf4`."""
    elements: int
    stored_bytes: int
    """With its scales, zero points and tables."""

    @property
    def bits(self) -> float:
        """Stored bits an element, scales included; 0 of nothing."""
        return 8 * self.stored_bytes / self.elements if self.elements else 0.0


class ModelDescription(Result):
    """What to know about a model before reading its numbers."""

    id: str
    title: str
    family: str
    """Group in the picker: `Article`, `Trained`, `Planted`, `Hugging Face, small`, `Hugging Face, full size`,
    `Pretrained`."""
    weights: Provenance
    licence: str
    good_for: str
    """One sentence."""
    parameters: int | None
    """Number of parameter elements, ties once; None until loaded."""
    inputs: tuple[InputChoice, ...]
    """The first is the default."""
    floating_inputs: tuple[str, ...] = ()
    """Arguments with floating-point numbers, which a cast lowers too unless they are exempt from it."""
    accuracy: str | None = None
    """Accuracy of a trained model, with the data that it was measured on."""

    @property
    def name(self) -> str:
        """The title without what it says of the weights."""
        return self.title.partition(" (")[0]

    @property
    def short_title(self) -> str:
        """The title without the part that a result's warnings repeat."""
        return self.title.removesuffix(" (random weights)")


class InputDescription(Result):
    """The input of one run, in words and shapes."""

    name: str
    real: bool
    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]
    """(name, dtype, shape) of each input tensor."""
