"""Where infinities and NaNs first appear, and what to do about them."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from precision.formats import NumericFormat
from precision.measure.lockstep.operators import Nonfinite, OperatorCall
from precision.measure.lockstep.pairs import Matched, PairNumbers, matched, rounded
from precision.measure.lockstep.rows import LayerDraft
from precision.measure.lockstep.values import magnitudes
from precision.measure.rounding import dtype_name
from precision.results.layers import NonfiniteOrigin
from precision.text.names import plain
from precision.text.units import number_text

MAX_ORIGINS = 8
_CASTS = frozenset({"to", "type", "type_as", "half", "bfloat16"})
_MARKS = frozenset({"masked_fill", "masked_fill_", "where", "full", "full_like", "fill_"})
"""Operators by which code writes infinities on purpose."""
_SOFTMAXES = ("softmax", "attention")
"""Parts of the names of operators that turn a row of −inf into NaN."""
_BFLOAT16_MAX = float(torch.finfo(torch.bfloat16).max)
_MOST_HALVINGS_WRITTEN_OUT = 20
"""Larger factors are written as powers of two."""

Kind = Literal["overflow", "nan", "nan from infinities"]


class Origins:
    """Collects the origins of a run in order; `simulated` is the format that the candidate rounds to, if it does."""

    def __init__(self, simulated: NumericFormat | None) -> None:
        self._simulated = simulated
        self._found: list[tuple[LayerDraft, NonfiniteOrigin]] = []

    def first(self, places: dict[int, int]) -> tuple[NonfiniteOrigin, ...]:
        """The first ones; `places` gives the row of each draft, by its `id`."""
        return tuple(found.model_copy(update={"row": places[id(draft)]}) for draft, found in self._found[:MAX_ORIGINS])

    @property
    def notes(self) -> list[str]:
        """What is left out."""
        if len(self._found) <= MAX_ORIGINS:
            return []
        return [f"Infinities or NaNs first appear in {len(self._found)} places: the first {MAX_ORIGINS} are listed."]

    def look_at_module(self, draft: LayerDraft, found: Matched, given: Sequence[Tensor]) -> None:
        """Whether a module call with these outputs, given these tensors in the candidate, is an origin."""
        errors = draft.numbers.errors if draft.numbers else None
        if errors is None or not errors.cand_only_nonfinite:
            return
        if any(draft is outer for row, _ in self._found for outer in (row, *row.above)):
            return  # it is in this call already
        nonfinite = _of_module(given, [pair[1].tensor for pair in found.floating])
        kind = None if nonfinite is None else _kind(nonfinite)
        if nonfinite is not None and kind is not None and not (self._found and kind == "nan from infinities"):
            self._add(draft, nonfinite, kind, operator=None, found=found, elements=errors.cand_only_nonfinite)

    def look_at_operator(
        self, draft: LayerDraft, call: OperatorCall, found: Matched | None, numbers: PairNumbers | None
    ) -> None:
        """Whether an operator of the candidate, run in the call of `draft`, is an origin.

        `found` matches its outputs with the reference's, and `numbers` are their errors: None where the reference did
        not run it.
        """
        nonfinite = call.nonfinite
        kind = None if nonfinite is None else _kind(nonfinite)
        if nonfinite is None or kind is None or _is_consequence(call, kind, earlier=bool(self._found)):
            return
        if numbers is not None and numbers.errors is not None:
            elements = numbers.errors.cand_only_nonfinite
        elif call.name in _MARKS or kind == "nan from infinities" or nonfinite.largest_input is None:
            return  # nothing to hold it against, and perhaps on purpose
        else:
            elements = sum(int((~kept.tensor.isfinite()).sum()) for kept in call.outputs if kept.is_intact)
        if elements:
            self._add(draft, nonfinite, kind, found=found or _alone(call), operator=call.name, elements=elements)

    def _add(
        self, draft: LayerDraft, seen: Nonfinite, kind: Kind, *, found: Matched, operator: str | None, elements: int
    ) -> None:
        dtype = next((candidate.tensor.dtype for _, candidate in found.floating), torch.float32)
        limit = _limit(dtype, self._simulated if operator is None else None)
        # An operator that only the candidate ran is paired with itself.
        exact = [reference.tensor for reference, candidate in found.floating if reference is not candidate]
        sizes = [size for tensor in exact if (size := magnitudes(tensor).largest) is not None]
        # What a cast is given is what should fit: the output of a module that is kept wide, as a rule.
        is_cast = operator in _CASTS
        reference_max = seen.largest_input if is_cast else max(sizes, default=None)
        origin = NonfiniteOrigin(
            row=0,
            fqn=draft.fqn,
            call=draft.call,
            operator=operator,
            kind=kind,
            elements=elements,
            largest_input=None if seen.largest_input is None else rounded(seen.largest_input),
            reference_max=None if reference_max is None else rounded(reference_max),
            dtype=dtype_name(dtype),
            format_max=limit,
            advice=(
                *_range_advice(kind, dtype=dtype_name(dtype), limit=limit, reference_max=reference_max),
                _keeping(draft.fqn, dtype_name(dtype), is_cast=is_cast, reference_max=reference_max, limit=limit),
            ),
        )
        self._found.append((draft, origin))


def _kind(nonfinite: Nonfinite) -> Kind | None:
    """Which kind of origin a non-finite output is; None where it only handed on what its inputs had."""
    if nonfinite.inputs_have_nan:
        return None
    if nonfinite.inputs_have_infinity:
        return "nan from infinities" if nonfinite.output_has_nan else None
    return "nan" if nonfinite.output_has_nan else "overflow"


def _is_consequence(call: OperatorCall, kind: Kind, *, earlier: bool) -> bool:
    """Whether a NaN follows from infinities that appeared earlier, rather than from a fully masked row."""
    return kind == "nan from infinities" and earlier and not any(name in call.name for name in _SOFTMAXES)


def _of_module(given: Sequence[Tensor], returned: Sequence[Tensor]) -> Nonfinite | None:
    """What a module with a non-finite output was given; None where it changed its own input, which is then gone."""
    inputs = [tensor for tensor in given if tensor.is_floating_point()]
    outputs = [tensor for tensor in returned if tensor.is_floating_point()]
    if {tensor.data_ptr() for tensor in inputs} & {tensor.data_ptr() for tensor in outputs}:
        return None
    seen = [magnitudes(tensor) for tensor in inputs]
    return Nonfinite.of(seen, output_has_nan=any(bool(tensor.isnan().any()) for tensor in outputs))


def _alone(call: OperatorCall) -> Matched:
    outputs = tuple(kept.tensor for kept in call.outputs)
    pairs = matched(outputs, outputs).pairs
    return Matched(pairs=tuple((leaf, leaf) for leaf, _ in pairs), differences=(), unread=())


def _limit(dtype: torch.dtype, fmt: NumericFormat | None) -> float:
    """Largest finite value of a floating-point dtype, or of the format it is rounded to."""
    if fmt is not None:
        return fmt.max
    return float(torch.finfo(dtype).max) if dtype.is_floating_point or dtype.is_complex else math.inf


def _keeping(fqn: str, dtype: str, *, is_cast: bool, reference_max: float | None, limit: float) -> str:
    """Which module to keep wide, and where that helps."""
    if not (fqn.rpartition(".")[0] if is_cast else fqn):
        return (
            "This happens in the model's own forward, which cannot be kept in float32 as modules can: "
            "compute this step there in float32, such as on x.float()."
        )
    name = plain(fqn, limit=None)
    if is_cast:
        return (
            f"The output of {name} itself does not fit in {dtype}: also keep the modules around it in float32, up to "
            "where the values are smaller."
        )
    if reference_max is not None and reference_max > limit:
        return f"Keep {name} in float32. This helps if its output fits in {dtype} again."
    return f"Keep {name} in float32."


def _range_advice(kind: Kind, *, dtype: str, limit: float, reference_max: float | None) -> tuple[str, ...]:
    if kind == "nan from infinities":
        return (
            "The inputs contain infinities, as masks of −inf do. A row of nothing but −inf, or a difference of "
            "infinities, always gives NaN. Use the dtype's smallest finite value for masks, or leave "
            "one entry of each row unmasked.",
        )
    if kind == "nan" or reference_max is None:
        return ()
    advice = []
    if reference_max > limit:
        if limit < _BFLOAT16_MAX and reference_max <= _BFLOAT16_MAX:
            advice.append(
                f"bfloat16 reaches {number_text(_BFLOAT16_MAX)}: the value {number_text(reference_max)} fits."
            )
        halvings = math.ceil(math.log2(reference_max / limit))
        times = f"{2**halvings:,}" if halvings <= _MOST_HALVINGS_WRITTEN_OUT else f"2^{halvings}"
        advice.append(
            f"Scale the inputs down so that this result is at least {times} times smaller, and scale back up "
            f"later: the largest {dtype} value is {number_text(limit)}."
        )
    else:
        advice.append(
            f"The exact result, at most {number_text(reference_max)}, would fit in {dtype}: an intermediate step "
            f"exceeds {number_text(limit)}, or the candidate's inputs are larger than the reference's."
        )
    return tuple(advice)
