"""What was tried against infinities, NaNs and broken outputs, and what it gave."""

from typing import Literal

from precision.results.base import Result

RemedyKind = Literal[
    "input",
    "operator wide",
    "operator back",
    "own code",
    "own code wide",
    "module",
    "format",
    "autocast",
    "scale",
    "clamp",
    "larger eps",
    "smallest finite",
]
"""In order of what they cost:

- `input`: an input is not cast.
- `operator wide`: the operator runs in the reference's precision, and its result stays in it.
- `operator back`: the same, but its result is cast back.
- `own code`: all operators that a module calls outside the modules in it run in the reference's precision.
- `own code wide`: the same, and what the module returns stays in it.
- `module`: a module is kept in the reference's precision.
- `format`: the other format of 16 bits.
- `autocast`: autocast instead of a cast of the whole model.
- `scale`: values that leave the range of the format are computed divided by a power of two.
- `clamp`: values are clamped to the operator's domain, or its result to the range of the format.
- `larger eps`: an input that became 0 is raised to the smallest normal number of the format.
- `smallest finite`: a mask of −inf becomes the smallest finite number of the format.
"""


ScaleKind = Literal["first", "all", "added", "eps", "shift", "before", "back", "output"]
"""What a scale by a power of two does to an operator:

- `first`: its first input is divided.
- `all`: each of its inputs is.
- `added`: what it adds, such as a bias, is divided too.
- `eps`: so is its `eps`.
- `shift`: of `exp`, whose result is divided by subtracting the logarithm from what goes in.
- `before`: what goes into it is multiplied back first.
- `back`: its result is multiplied back. Without an operator: what the model returns.
- `output`: what a module returns is stored divided, and multiplied when it is read.
"""


class ScaleStep(Result):
    """One place where values are divided by a power of two, or multiplied back."""

    kind: ScaleKind
    fqn: str
    operator: str = ""
    call: int = 0
    """Which of the module's own calls of that operator, from 1; 0 where there is only one."""
    bits: int
    """The power; negative where values are made larger first."""


class Remedy(Result):
    """One change to the candidate, and the outputs with it."""

    kind: RemedyKind
    fqn: str = ""
    """Of the module that is kept, or that the operator runs in; empty for the model itself."""
    operator: str = ""
    input: str = ""
    """The name of the argument that is not cast."""
    format: str = ""
    """The format that is cast to instead, where it is another."""
    scales: tuple[ScaleStep, ...] = ()
    """Where values were scaled, in the order of the run."""
    tried: bool
    sqnr_db: float | None = None
    """Of all outputs against the reference with this change; None where nothing finite could be compared."""
    nonfinite: int = 0
    """Output elements that are infinite or NaN with it, and finite in the reference."""
    failure: str = ""
    """Why the model does not run with it."""


class Remedies(Result):
    """All that was tried, in order of cost."""

    before_db: float | None
    """SQNR of the outputs without any; None where one is infinite or NaN, or none could be compared."""
    tried: tuple[Remedy, ...]
    """Also those that were left untried."""
