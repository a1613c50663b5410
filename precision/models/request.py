"""The input that a run asks for, checked against the inputs that the model offers."""

from dataclasses import dataclass
from typing import Literal

from precision.errors import InputError
from precision.results import InputChoice, ModelDescription
from precision.spec import RunSpec

OWN_DATA = InputChoice(
    name="your own data",
    description="Your own file: batch says how many samples run at once.",
    real=True,
    takes_length=True,
)
"""The input where a spec names data."""


@dataclass(frozen=True)
class InputRequest:
    """A named input of one model, with its size."""

    model: str
    choice: InputChoice
    batch: int | None
    """None where the model decides."""
    length: int | None
    text: str | None
    seed: int
    data: str | None = None
    """The user's own samples, in place of the choice's: a file or folder, or an upload."""


def request_input(description: ModelDescription, spec: RunSpec) -> InputRequest:
    """The input that `spec` asks for, with the model's default sizes where it names none.

    Raises:
        InputError: no such input, a size or text that this input does not take, or one beyond its limit.
    """
    choice = OWN_DATA if spec.data else _choice(description, spec.input)
    text, where = spec.text, f"Input {choice.name!r} of {description.id}"
    if spec.data is not None and spec.input != "default":
        raise InputError(f"Input {spec.input!r} and data of your own: leave one of them out.")
    if text is not None and not choice.takes_text:
        raise InputError(f"{where} takes no text. Leave the text empty.")
    if text is not None and not text.strip():
        raise InputError("The text is empty. Write at least one sentence, or leave it out for the default sentences.")
    return InputRequest(
        model=description.id,
        choice=choice,
        batch=_size(where, "batch", spec, choice),
        length=_size(where, "length", spec, choice),
        text=text,
        seed=spec.seed,
        data=spec.data,
    )


def _choice(description: ModelDescription, name: str) -> InputChoice:
    if name == "default":
        return description.inputs[0]
    for choice in description.inputs:
        if choice.name == name:
            return choice
    offered = ", ".join(choice.name for choice in description.inputs)
    raise InputError(f"{description.id} has no input {name!r}. It offers: {offered}.")


def _size(where: str, kind: Literal["batch", "length"], spec: RunSpec, choice: InputChoice) -> int | None:
    asked: int | None = getattr(spec, kind)
    default: int | None = getattr(choice, f"default_{kind}")
    limit: int | None = getattr(choice, f"max_{kind}")
    if asked is None:
        return default
    if not getattr(choice, f"takes_{kind}"):
        raise InputError(f"{where} has a fixed {kind}. Leave the {kind} out.")
    if limit is not None and asked > limit:
        raise InputError(f"{where} takes a {kind} of at most {limit}, not {asked}.")
    return asked
