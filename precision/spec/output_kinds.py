"""What an output of a model is: it decides what matters to it, and so the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, Self

from precision.errors import InputError
from precision.text.lookup import looked_up

Decides = Literal["classes", "crossings", "neighbours", "values"]
"""By what an output is judged: its largest score, the side of one half, the nearest other vector, or its values."""


class OutputKind(StrEnum):
    """What an output is."""

    label: str
    decides: Decides
    about: str
    """What one is, and what matters to it."""
    _value_: str

    def __new__(cls, name: str, label: str, decides: Decides, about: str) -> Self:
        """A member is its name, which command line and links use. (`OutputKind("image")` makes none.)"""
        member = str.__new__(cls, name)
        member._value_ = name
        member.label, member.decides, member.about = label, decides, about
        return member

    CLASS_SCORES = (
        "class-scores",
        "class scores",
        "classes",
        "Scores (samples, classes): a sample's largest one is its class.",
    )
    TOKEN_LOGITS = (
        "token-logits",
        "logits of tokens",
        "classes",
        "Scores (texts, tokens, vocabulary): a token's largest one is the word that follows.",
    )
    CLASS_PROBABILITIES = (
        "class-probabilities",
        "probabilities of classes",
        "classes",
        "Probabilities that add up to 1: the largest one is the class.",
    )
    PROBABILITIES = (
        "probabilities",
        "probabilities of events",
        "crossings",
        "Probabilities from 0 to 1, each for itself: what counts is whether it is above one half.",
    )
    EMBEDDING = (
        "embedding",
        "embedding",
        "neighbours",
        "One vector a sample: its direction, and which other one is nearest.",
    )
    REGRESSION = ("regression", "regression", "values", "Numbers whose size counts.")
    BOXES = ("boxes", "boxes", "values", "Coordinates of boxes: their size counts.")
    IMAGE = ("image", "image", "values", "Pixels: their size counts.")
    AUDIO = ("audio", "audio", "values", "A waveform: the size of its samples counts.")
    OTHER = ("other", "other", "values", "Nothing is known about what it decides: its values are compared.")


def kinds_of(entries: Sequence[str]) -> Mapping[str, OutputKind]:
    """The kind of each output that is named, by path; of all others under the empty path.

    Args:
        entries: each a kind, or `path=kind`.

    Raises:
        InputError: a kind is unknown, or an output has two.

    >>> kinds_of(("other", "logits=class-scores"))
    {'': <OutputKind.OTHER: 'other'>, 'logits': <OutputKind.CLASS_SCORES: 'class-scores'>}
    """
    names = {kind.value: kind for kind in OutputKind}
    kinds: dict[str, OutputKind] = {}
    for entry in entries:
        path, _, name = entry.rpartition("=")
        kind = looked_up(name.strip().lower(), names, unknown="Unknown kind of output")
        if kinds.setdefault(path.strip(), kind) != kind:
            raise InputError(f"{path.strip() or 'All outputs'}: two kinds, {kinds[path.strip()]} and {kind}.")
    return kinds
