"""What an output is taken for, and why: by what the caller says, by its name, or by its values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.metrics.outputs import Leaf
from precision.spec.output_kinds import OutputKind, kinds_of

_ADD_UP_WITHIN = 1e-3
_MOST_ZEROS = 0.01
"""Of probabilities, that may be exactly 0."""
_SIDE = 8
"""Pixels: smaller planes are no images."""
_LOOKED_AT = 2**20
"""Elements, to see whether values lie between 0 and 1."""
_SCORE_LAYERS = ("classifier", "fc", "logits", "score", "scores", "cls", "head", "heads")
_NAMES: Mapping[OutputKind, str] = {
    OutputKind.BOXES: r"box",
    OutputKind.EMBEDDING: r"embed|pool|vector|feature|state|representation",
    OutputKind.AUDIO: r"audio|wave|speech",
    OutputKind.IMAGE: r"image|pixel",
}
"""What an output's name says of it."""


class Taken(NamedTuple):
    """What an output is taken for, and why."""

    kind: OutputKind
    why: str


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a model's outputs before they are looked at."""

    chosen: Mapping[str, OutputKind] = field(default_factory=dict)
    """By path; under the empty path that of all others."""
    labels: Tensor | None = None
    """True classes `(samples,)`."""
    score_layers: Mapping[int, str] = field(default_factory=dict)
    """The model's layers whose name says that they give scores, by the number of scores."""

    @classmethod
    def of(cls, module: nn.Module, outputs: tuple[str, ...], labels: Tensor | None) -> Known:
        """Of a model with labels, and with what its request says of its `outputs`."""
        found = {}
        for fqn, child in module.named_modules():
            weight = getattr(child, "weight", None)
            if fqn.rsplit(".", 1)[-1] in _SCORE_LAYERS and isinstance(weight, Tensor) and weight.dim() == 2:
                found[weight.shape[0]] = fqn
        return cls(chosen=kinds_of(outputs), labels=labels, score_layers=found)

    def require(self, leaves: tuple[Leaf, ...]) -> None:
        """Check that every output that was named is there.

        Raises:
            InputError: one is not; the message lists those that are.
        """
        paths = [leaf.path for leaf in leaves]
        for path, kind in self.chosen.items():
            if path and path not in paths:
                raise InputError(f"outputs = {path}={kind}: the model has no such output. It has: {', '.join(paths)}.")

    def taken(self, leaf: Leaf) -> Taken:
        """What an output is taken for: what the caller says, else a guess, whose reason says what it rests on."""
        chosen = self.chosen.get(leaf.path) or self.chosen.get("")
        if chosen is None:
            return self._guessed(leaf)
        if _fits(leaf, chosen):
            return Taken(chosen, f"Taken for {chosen.label}, as chosen.")
        guessed = self._guessed(leaf)
        return Taken(guessed.kind, f"It does not have the shape of {chosen.label}, which was chosen. {guessed.why}")

    def _guessed(self, leaf: Leaf) -> Taken:
        shape, name = leaf.shape, re.split(r"[.\[]", leaf.path)[-1]
        if leaf.kind == "complex":
            return Taken(OutputKind.OTHER, "Complex numbers: their real and imaginary parts are compared.")
        if leaf.kind != "floating":
            return Taken(OutputKind.OTHER, "Whole numbers or truth values: they are compared one by one.")
        if not shape or "attention" in leaf.path:
            return Taken(OutputKind.OTHER, "A single number." if not shape else "Weights of attention decide nothing.")
        if leaf.tensor.numel() and (scores := self._scores(leaf, name)) is not None:
            return scores
        for kind, pattern in _NAMES.items():
            if re.search(pattern, name, re.IGNORECASE) and _fits(leaf, kind):
                return Taken(kind, f"Taken for {kind.label}: the model calls it {name}.")
        if _between_0_and_1(leaf.tensor):
            kind = OutputKind.IMAGE if _is_plane(shape) else OutputKind.PROBABILITIES
            return Taken(kind, f"Taken for {kind.label}: all values lie between 0 and 1.")
        if _is_plane(shape):
            return Taken(OutputKind.IMAGE, f"Taken for an image: {shape[1]} channels of {shape[2]} × {shape[3]}.")
        if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
            return Taken(OutputKind.REGRESSION, "Taken for regression: one number a sample.")
        return Taken(OutputKind.OTHER, "Neither its name nor its values say what it is.")

    def _scores(self, leaf: Leaf, name: str) -> Taken | None:
        """Scores or probabilities of classes; None for what shows no sign of them."""
        shape = leaf.shape
        if len(shape) < 2 or shape[-1] < 2 or leaf.tensor.dim() < 2:
            return None
        labelled = self.labels is not None and len(shape) == 2 and self.labels.shape == shape[:1]
        named = re.search(r"logit|score", name, re.IGNORECASE) is not None
        layer = self.score_layers.get(shape[-1]) if len(shape) == 2 and shape[0] > 1 and "." not in leaf.path else None
        if (dimension := probability_dimension(leaf)) is not None:
            rows = "each row adds up to 1" if dimension == -1 else "they add up to 1 along dimension 1"
            return Taken(
                OutputKind.CLASS_PROBABILITIES,
                f"Taken for probabilities of classes: they lie between 0 and 1, and {rows}.",
            )
        if labelled:
            return Taken(OutputKind.CLASS_SCORES, "Taken for class scores: the input has a true class for each row.")
        if named and len(shape) == 4 and leaf.tensor.dim() == 4:
            return Taken(
                OutputKind.OTHER,
                f"The model calls it {name}, but of {len(shape)} dimensions it is not certain which holds the classes: "
                "the values are compared.",
            )
        if named and leaf.clustered:
            return Taken(
                OutputKind.TOKEN_LOGITS,
                f"Taken for logits of tokens: the model calls it {name}, and each row has several positions.",
            )
        if named:
            return Taken(OutputKind.CLASS_SCORES, f"Taken for class scores: the model calls it {name}.")
        if layer and name in ("output", "0]", "1]") and not _between_0_and_1(leaf.tensor):
            return Taken(
                OutputKind.CLASS_SCORES,
                f"Taken for class scores: it is as wide as the output of the model's layer {layer}.",
            )
        return None


def probability_dimension(leaf: Leaf) -> int | None:
    """The dimension along which values add up to 1: the last, or 1 as of the channels of pixels; None of neither."""
    if _add_up_to_1(leaf.tensor):
        return -1
    if leaf.rows is not None or leaf.tensor.dim() < 3 or leaf.tensor.shape[1] < 2:
        return None
    few = leaf.tensor[: max(1, _LOOKED_AT // leaf.tensor[0].numel())]
    return 1 if _add_up_to_1(few.movedim(1, -1)) else None


def _fits(leaf: Leaf, kind: OutputKind) -> bool:
    """Whether an output has the shape that its kind is judged by."""
    if kind.decides == "values":
        return True
    shape = leaf.shape
    if leaf.kind != "floating" or not shape:
        return False
    return kind.decides == "crossings" or (len(shape) >= 2 and shape[-1] >= 2)


def _is_plane(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] in (1, 3) and min(shape[2:]) >= _SIDE


def _between_0_and_1(tensor: Tensor) -> bool:
    """Whether finite values lie in 0 to 1; many exact zeros are a sign of cut-off values, not of probabilities."""
    flat = tensor.reshape(-1)[:_LOOKED_AT].float()
    if _exceeds(flat):
        return False
    flat = flat[flat.isfinite()]
    in_range = bool(flat.numel() and (flat >= 0).all() and (flat <= 1).all() and (flat < 1).any())
    return in_range and int((flat == 0).sum()) <= _MOST_ZEROS * flat.numel()


def _add_up_to_1(tensor: Tensor) -> bool:
    rows = tensor.reshape(-1, tensor.shape[-1])
    rows = rows[: max(1, _LOOKED_AT // rows.shape[1])].float()
    if _exceeds(rows):
        return False
    rows = rows[rows.isfinite().all(1)]
    if not len(rows):
        return False
    sums = rows.sum(1)
    return bool(((rows >= 0) & (rows <= 1)).all() and torch.isclose(sums, torch.ones(()), atol=_ADD_UP_WITHIN).all())


def _exceeds(values: Tensor) -> bool:
    """Whether all are finite, and some outside 0 to 1; costs one read."""
    if not values.numel():
        return False
    low, high = values.aminmax()
    return bool((low < 0) | (high > 1)) and bool((high - low).isfinite())
