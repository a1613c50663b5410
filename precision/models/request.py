"""What a run asks of a model's input, checked against what the model offers. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from precision.errors import InputError
from precision.results import InputChoice, ModelDescription
from precision.spec import RunSpec


@dataclass(frozen=True)
class InputRequest:
    """A named input of one model with its size settled."""

    model: str
    choice: InputChoice
    batch: int | None
    """None where the model decides."""
    length: int | None
    text: str | None
    seed: int


def request_input(description: ModelDescription, spec: RunSpec) -> InputRequest:
    """The input that `spec` asks of the model, with the model's own sizes where it asks for none.

    Args:
        description: the model.
        spec: the run; its `input`, `batch`, `length` and `text` are read.

    Raises:
        InputError: no such input, a size or text that this input does not take, or one beyond its limit.
    """
    choice = _choice(description, spec.input)
    text = spec.text
    if text is not None and not choice.takes_text:
        raise InputError(f"Input {choice.name!r} of {description.id} takes no text. Leave the text empty.")
    if text is not None and not text.strip():
        raise InputError("The text is empty. Write at least one sentence, or leave it out for the default sentences.")
    where = f"Input {choice.name!r} of {description.id}"
    return InputRequest(
        model=description.id,
        choice=choice,
        batch=_size(
            where,
            "batch",
            asked=spec.batch,
            taken=choice.takes_batch,
            default=choice.default_batch,
            limit=choice.max_batch,
        ),
        length=_size(
            where,
            "length",
            asked=spec.length,
            taken=choice.takes_length,
            default=choice.default_length,
            limit=choice.max_length,
        ),
        text=text,
        seed=spec.seed,
    )


def _choice(description: ModelDescription, name: str) -> InputChoice:
    if name == "default":
        return description.inputs[0]
    for choice in description.inputs:
        if choice.name == name:
            return choice
    offered = ", ".join(choice.name for choice in description.inputs)
    raise InputError(f"{description.id} has no input {name!r}. It offers: {offered}.")


def _size(
    where: str, kind: str, *, asked: int | None, taken: bool, default: int | None, limit: int | None
) -> int | None:
    if asked is None:
        return default
    if not taken:
        raise InputError(f"{where} has a fixed {kind}. Leave the {kind} out.")
    if limit is not None and asked > limit:
        raise InputError(f"{where} takes a {kind} of at most {limit}, not {asked}.")
    return asked
