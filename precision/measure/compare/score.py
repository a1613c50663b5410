"""A caller's own score of both models."""

from collections.abc import Callable

from torch import nn

from precision.errors import InputError
from precision.measure.casting.cast_model import CastModel
from precision.measure.preparation import Prepared
from precision.results import Score

Validate = Callable[[nn.Module], float]


class Runnable(nn.Module):
    """A cast model, called as the module that it was cast from: its inputs are cast, its outputs are left as they are.

    Its parameters are those of the cast model.
    """

    def __init__(self, model: CastModel) -> None:
        super().__init__()
        self._model = model
        self.stored = model.stored

    def forward(self, *args: object, **kwargs: object) -> object:
        """The output of one pass, in eval mode and without gradients."""
        return self._model(args, kwargs)


def scored(run: Prepared, validate: Validate) -> Score:
    """The score of the reference and of the candidate.

    Raises:
        InputError: `validate` raised, or gave something that is no number.
    """
    found = []
    for name, model in ((run.spec.reference, run.reference), (run.spec.candidate, run.candidate)):
        run.progress.step(f"Your own score of {name}", 0.99)
        try:
            value: object = validate(Runnable(model).eval())
        except Exception as error:
            raise InputError(f"validate raised with the {name} model: {type(error).__name__}: {error}") from error
        try:
            found.append(float(value))  # type: ignore[arg-type]
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"validate gave a {type(value).__name__} for the {name} model. Return a number."
            ) from error
    return Score(reference=found[0], candidate=found[1])
