"""What kind of event made a value that is not finite, told from the inputs of the operator on both sides."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from precision.measure.lockstep.operator_calls import OperatorCall
from precision.measure.lockstep.values import magnitudes
from precision.results.origins import NonfiniteKind

_DOMAINS = {
    **dict.fromkeys(("acos", "arccos", "asin", "arcsin", "atanh", "arctanh", "erfinv"), (-1.0, 1.0)),
    **dict.fromkeys(("sqrt", "rsqrt", "log", "log2", "log10", "xlogy", "lgamma"), (0.0, math.inf)),
    "pow": (0.0, math.inf),
    "log1p": (-1.0, math.inf),
    "acosh": (1.0, math.inf),
    "arccosh": (1.0, math.inf),
    "logit": (0.0, 1.0),
}
"""Between which inputs an operator has a finite real result; at the ends themselves it may be infinite."""
_SUMS = ("add", "sub", "mm", "linear", "conv", "mul")
"""Parts of the names of operators that are finite at 0: a zero there is not at fault."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """The kind, and the input at fault where one is."""

    kind: NonfiniteKind
    detail: str = ""
    argument: int | None = None
    """Place of the input at fault among the operator's floating-point arguments."""
    kernel: str = ""
    """The kernel inside the operator that it happened in, where that has several."""
    smallest: float | None = None
    largest: float | None = None
    input_there: float | None = None
    reference_there: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Event:
    """An operator (or a kernel in it) with an output that is not finite, beside the same on the other side."""

    name: str
    given: tuple[Tensor, ...]
    exact_given: tuple[Tensor, ...] | None
    """None where the other side did not run it, or its inputs are gone."""
    output: Tensor
    exact: Tensor | None
    kernel: str = ""

    @classmethod
    def of(cls, call: OperatorCall, other: OperatorCall | None, *, output: Tensor, exact: Tensor | None) -> Self:
        """Of an operator's call; of the kernel at fault where it is made of several."""
        if (inside := call.inside) is not None:
            return cls(
                name=inside.name,
                given=inside.low_given,
                exact_given=inside.wide_given,
                output=inside.low_output,
                exact=inside.wide_output,
                kernel=inside.name,
            )
        exact_given = None
        if other is not None and all(given.is_intact for given in (*call.given, *other.given)):
            exact_given = tuple(given.tensor for given in other.given)
        given = tuple(given.tensor for given in call.given)
        return cls(name=call.name, given=given, exact_given=exact_given, output=output, exact=exact)


def domain_of(operator: str) -> tuple[float, float] | None:
    """Between which inputs an operator is real; None where that is everywhere, or not known."""
    return _DOMAINS.get(_bare(operator))


def cause_of(event: Event) -> Cause:
    """What made the elements that are not finite on this side only; the inputs are finite."""
    places = _bad(event)
    for argument, (low, wide) in reversed([*enumerate(_pairs_there(event, places))]):  # a divisor before the dividend
        if (kind := _fault(event, low, wide)) is None:
            continue
        at = _first_fault(event, low, wide, kind)
        seen = magnitudes(event.given[argument])
        return Cause(
            kind=kind,
            argument=argument,
            kernel=event.kernel,
            smallest=seen.smallest,
            largest=seen.largest,
            input_there=float(low[at]),
            reference_there=float(wide[at]) if event.exact_given is not None else None,
        )
    kind = "overflow" if bool(event.output.isinf().any()) else "unknown"
    return Cause(kind=kind, kernel=event.kernel)


def _bad(event: Event) -> Tensor:
    bad = ~event.output.isfinite()
    if event.exact is not None and event.exact.shape == bad.shape:
        return bad & event.exact.isfinite()
    return bad


def _pairs_there(event: Event, places: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Every input at the places of the bad elements, on both sides; none where it is no elementwise operator.

    Without the other side, an input stands for itself.
    """
    found = []
    others = event.given if event.exact_given is None else event.exact_given
    for low, wide in zip(event.given, others, strict=False):
        if low.shape != wide.shape or not _broadcasts(low, places):
            return []
        values = [side.detach().broadcast_to(places.shape)[places].double() for side in (low, wide)]
        found.append((values[0], values[1]))
    return found


def _broadcasts(tensor: Tensor, places: Tensor) -> bool:
    sizes = zip(reversed(tensor.shape), reversed(places.shape), strict=False)
    return tensor.dim() <= places.dim() and all(size in (1, wanted) for size, wanted in sizes)


def _fault(event: Event, low: Tensor, wide: Tensor) -> NonfiniteKind | None:
    """What is wrong with an input at the bad elements; None where nothing is."""
    if not low.numel():
        return None
    if bool(_left(event, low, wide).any()):
        return "domain"
    lost = (low == 0) & (wide != 0)
    if bool(lost.any()) and not any(part in event.name for part in _SUMS):
        return "underflow" if bool((wide[lost].abs() <= _tiniest(event.output.dtype) / 2).any()) else "cancellation"
    return None


def _first_fault(event: Event, low: Tensor, wide: Tensor, kind: NonfiniteKind) -> int:
    at = _left(event, low, wide) if kind == "domain" else (low == 0) & (wide != 0)
    return int(at.nonzero()[0])


def _left(event: Event, low: Tensor, wide: Tensor) -> Tensor:
    """Which values left the domain that the other side's are in."""
    outside = _outside(event.name, low)
    return outside if event.exact_given is None else outside & ~_outside(event.name, wide)


def _tiniest(dtype: torch.dtype) -> float:
    """The smallest positive value: what is at most half of it becomes 0."""
    info = torch.finfo(dtype)
    return float(info.smallest_normal) * float(info.eps)


def _outside(name: str, values: Tensor) -> Tensor:
    """Which values have no finite result: outside the domain, or at an end of it that is not 0."""
    start, end = _DOMAINS.get(_bare(name), (-math.inf, math.inf))
    beyond = (values < start) | (values > end)
    if _bare(name) in {"atanh", "arctanh", "log1p", "logit", "erfinv"}:
        beyond |= ((values == start) & (start != 0)) | (values == end)
    return beyond


def _bare(name: str) -> str:
    return name.removesuffix("_")


def is_mask(output: Tensor, reference: Tensor | None) -> bool:
    """Whether what is infinite in the candidate is −inf, where the reference has one negative number throughout."""
    infinite = output.isinf()
    if reference is None or reference.shape != output.shape or not bool(infinite.any()):
        return False
    there = reference[infinite]
    return bool((output[infinite] < 0).all()) and bool((there == there[0]).all()) and bool(there[0] < 0)


def of_infinities(call: OperatorCall) -> str:
    """What combination of infinities makes NaN in an operator, in symbols."""
    if "softmax" in call.name or "attention" in call.name:
        return "a row of −inf only, or with +inf"
    if "div" in call.name:
        return "inf / inf"
    if any(part in call.name for part in ("mul", "mm", "linear", "conv", "einsum", "bmm")):
        return "0 × inf, or inf − inf in a sum"
    return "inf − inf"
