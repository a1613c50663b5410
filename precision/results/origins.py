"""Where infinities and NaNs come from."""

from typing import Literal

from precision.results.base import Result

Side = Literal["reference", "candidate"]
NonfiniteKind = Literal[
    "overflow", "underflow", "cancellation", "domain", "infinities", "stored value", "mask", "unknown"
]
"""How a value that is not finite came about:

- `overflow`: a result, or a step inside, passed the end of the format.
- `underflow`: an input was too small for the format and is 0, where the operator has no finite result.
- `cancellation`: an input is 0 since two values that differ in the reference became equal.
- `domain`: an input left the operator's domain, such as beyond 1 for `acos`, or came to its end.
- `infinities`: NaN of infinities, such as inf − inf, inf / inf or a row of nothing but −inf.
- `stored value`: an input is stored by the model, and is not finite after the cast.
- `mask`: −inf where the reference has one large negative number in all places, as masks have.
"""


class NonfiniteOrigin(Result):
    """Where infinities or NaNs first appeared: in the candidate while the reference stayed finite, or in both."""

    side: Side = "candidate"
    row: int
    """Row of the innermost module call."""
    fqn: str
    call: int
    operator: str | None
    """None where operators were not recorded."""
    inside: str = ""
    """The kernel inside the operator, where that has several."""
    kind: NonfiniteKind
    detail: str = ""
    """Which infinities made NaN, where they did."""
    elements: int
    """Not finite, and finite on the other side; without that, all."""
    smallest_input: float | None
    """Smallest finite value that the operator (or the module) was given; of the input at fault, where one is."""
    largest_input: float | None
    argument: str = ""
    """The input at fault: which stored tensor it is, or what made it."""
    input_there: float | None = None
    """The value of that input at the first element that is not finite."""
    reference_there: float | None = None
    """The reference's value there."""
    reference_max: float | None
    """Largest finite magnitude of the reference's output: the value that would have to be stored."""
    dtype: str
    """Of the candidate's output."""
    format_max: float
    """Largest finite value of that dtype (of the simulated format, where arithmetic is simulated)."""
    reaches_output: bool = False
    """Whether an output is not finite because of it. Where not, an operator made a finite but wrong value of it."""
