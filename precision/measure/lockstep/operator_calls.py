"""What is kept of one operator call until it is compared: its tensors, and which of them are not finite."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from precision.measure.lockstep.sources import Names
from precision.measure.lockstep.values import Magnitudes, version_of


@dataclass(kw_only=True, eq=False)
class KeptOutput:
    """An operator's output, until it is compared; a clone from the moment when it is about to be overwritten."""

    tensor: Tensor
    version: int | None
    storage: int
    is_clone: bool = False

    @property
    def is_intact(self) -> bool:
        """Whether it still holds what the operator returned."""
        return self.is_clone or self.version is None or version_of(self.tensor) == self.version


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """An argument of an operator, as it was after the call."""

    tensor: Tensor
    version: int | None
    storage: int
    name: str = ""
    """What made it; where a result is not finite, also which stored tensor it is. Empty where that is not known."""
    is_stored: bool = False
    """Whether the model stores it: a parameter, a buffer or a tensor attribute; not known of finite results."""

    @property
    def is_intact(self) -> bool:
        """Whether it still holds what the operator was given."""
        return self.version is None or version_of(self.tensor) == self.version


@dataclass(frozen=True, kw_only=True)
class Nonfinite:
    """A non-finite output, and what the inputs were like."""

    inputs_have_nan: bool
    inputs_have_infinity: bool
    smallest_input: float | None
    """Of the finite ones; None without floating-point inputs."""
    largest_input: float | None
    output_has_nan: bool

    @classmethod
    def of(cls, inputs: Sequence[Magnitudes], *, output_has_nan: bool) -> Self:
        """Of what each input was like."""
        return cls(
            inputs_have_nan=any(each.has_nan for each in inputs),
            inputs_have_infinity=any(each.has_infinity for each in inputs),
            smallest_input=min((each.smallest for each in inputs if each.smallest is not None), default=None),
            largest_input=max((each.largest for each in inputs if each.largest is not None), default=None),
            output_has_nan=output_has_nan,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Inside:
    """A kernel inside an operator: as the operator ran, and as it runs on the same inputs in a wide dtype."""

    name: str
    low_given: tuple[Tensor, ...]
    wide_given: tuple[Tensor, ...]
    low_output: Tensor
    wide_output: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class OperatorCall:
    """One operator call."""

    name: str
    number: int
    """Of its side's operators, in the order in which they ran."""
    sources: Names
    """Of all that it was given."""
    inputs: tuple[str, ...]
    """dtypes of its tensor arguments; those without dimensions, which promote no others, say so."""
    computed: tuple[str, ...]
    outputs: tuple[KeptOutput, ...]
    nonfinite: Nonfinite | None
    given: tuple[Given, ...] = ()
    """Its floating-point arguments, without those that it has overwritten."""
    indexes: tuple[Given, ...] = ()
    """Its integer and boolean arguments."""
    inside: Inside | None = None
    """The kernel inside that made its first value that is not finite, where it is made of several."""
