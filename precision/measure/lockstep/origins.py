"""Where infinities and NaNs first appear on one side, and whether they matter."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from precision.formats import NumericFormat
from precision.measure.casting.memory_spans import storage_of
from precision.measure.lockstep.causes import Cause, Event, cause_of, is_mask, of_infinities
from precision.measure.lockstep.operator_calls import Nonfinite, OperatorCall
from precision.measure.lockstep.pairs import rounded
from precision.measure.lockstep.rows import LayerDraft
from precision.measure.lockstep.trail import Trail
from precision.measure.lockstep.values import is_finite, magnitudes
from precision.measure.rounding import dtype_name
from precision.results.origins import NonfiniteOrigin, Side
from precision.text.names import plain

MAX_ORIGINS = 8
_CASTS = frozenset({"to", "type", "type_as", "half", "bfloat16"})
_MARKS = frozenset({"masked_fill", "masked_fill_", "where", "full", "full_like", "fill_"})
"""Operators by which code writes infinities on purpose."""
_SOFTMAXES = ("softmax", "attention")
"""Parts of the names of operators that turn a row of −inf into NaN."""
_WRONG = 0.1
"""An infinity was taken in wrongly where an error is this share of the largest value: a mask leaves only rounding."""

Pairs = Sequence[tuple[Tensor, Tensor]]
"""Floating-point outputs on the other side and on this one."""


@dataclass(kw_only=True, eq=False)
class _Found:
    draft: LayerDraft
    origin: NonfiniteOrigin
    reaches_output: bool = False
    spoils: bool = False
    """Whether an operator made a finite but wrong value of it."""


class Origins:
    """Collects the origins of one side in the order of the run.

    `simulated` is the format that modules' outputs are rounded to, if they are.
    """

    def __init__(self, side: Side, simulated: NumericFormat | None = None) -> None:
        self._side: Side = side
        self._simulated = simulated
        self._found: list[_Found] = []
        self._trail = Trail()
        self._ended = False

    def first(self, places: dict[int, int]) -> tuple[NonfiniteOrigin, ...]:
        """The first that matter, masks last; `places` gives the row of each draft, by its `id`."""
        mattering = sorted(self._mattering, key=lambda found: found.origin.kind == "mask")
        return tuple(
            found.origin.model_copy(update={"row": places[id(found.draft)], "reaches_output": found.reaches_output})
            for found in mattering[:MAX_ORIGINS]
        )

    @property
    def _mattering(self) -> list[_Found]:
        """Those that do something; all but masks where the run ended before its outputs were seen."""
        if self._ended:
            return [found for found in self._found if found.reaches_output or found.spoils]
        return [found for found in self._found if found.origin.kind != "mask"]

    @property
    def notes(self) -> list[str]:
        """What is left out."""
        notes = []
        mattering = self._mattering
        if len(mattering) > MAX_ORIGINS:
            notes.append(
                f"Infinities or NaNs first appear in {len(mattering)} places: the first {MAX_ORIGINS} are listed."
            )
        harmless = [found.origin for found in self._found if found not in mattering]
        if harmless and self._ended:
            names = dict.fromkeys(f"{each.operator or 'a module'} in {each.fqn or 'the model'}" for each in harmless)
            notes.append(
                f"Only the {self._side} has infinities after {', '.join(map(plain, names))}. They do no harm, as masks "
                "of −inf do none: what is computed from them is finite and right to rounding."
            )
        return notes

    def look_at_module(self, draft: LayerDraft, given: Sequence[Tensor], pairs: Pairs, elements: int) -> None:
        """Whether a module call is an origin: `elements` of its outputs are not finite on this side only."""
        outputs = [own for _, own in pairs]
        inside = frozenset(at for at, each in enumerate(self._found) if draft in (each.draft, *each.draft.above))
        handed = self._trail.reached(given)
        if elements and not inside and not handed and (seen := _of_module(given, outputs)) is not None:
            # In the reference, its code may have written infinities on purpose.
            overflows = self._side != "reference" and any(bool(each.isinf().any()) for each in outputs)
            cause = Cause(kind="overflow" if overflows else "unknown")
            inside = frozenset({self._add(draft, self._origin(draft, seen, cause, pairs, None, elements))})
        # What a module's hooks, or code that calls no operator of torch, made of it.
        self._trail.hold_new(outputs, inside | handed)
        if draft.parent is None:
            self._end(outputs, elements)

    def look_at_operator(self, draft: LayerDraft, call: OperatorCall, other: OperatorCall | None, pairs: Pairs) -> None:
        """Whether an operator, run in the call of `draft`, is an origin.

        `other` is the same operator on the other side, None where that did not run it; `pairs` are their outputs.
        """
        sources = self._trail.sources(call)
        if call.nonfinite is None:
            if sources and any(_is_wrong(*pair) for pair in pairs):
                for at in sources:
                    self._found[at].spoils = True
        elif not self._is_consequence(call, call.nonfinite, sources):
            own = [kept.tensor for kept in call.outputs if kept.tensor.is_floating_point() and kept.is_intact]
            is_alone = other is None or self._side == "reference"
            elements = sum(map(_nonfinite_elements, own) if is_alone else (_new_elements(*pair) for pair in pairs))
            cause = self._cause(call, call.nonfinite, other, pairs) if elements else None
            if cause is not None:
                found = pairs or [(tensor, tensor) for tensor in own]
                origin = self._origin(draft, call.nonfinite, cause, found, call, elements)
                sources |= {self._add(draft, origin)}
        self._trail.note(call, sources)

    def _add(self, draft: LayerDraft, origin: NonfiniteOrigin) -> int:
        self._found.append(_Found(draft=draft, origin=origin))
        return len(self._found) - 1

    def _end(self, outputs: Sequence[Tensor], elements: int) -> None:
        self._ended = True
        for at in self._trail.reached(outputs):
            self._found[at].reaches_output = True
        if elements and not any(found.reaches_output for found in self._found):
            # Code that calls no operator of torch leaves no trail: any of them may have led to the output.
            for found in self._found:
                found.reaches_output = found.origin.kind != "mask"

    def _is_consequence(self, call: OperatorCall, seen: Nonfinite, sources: frozenset[int]) -> bool:
        """Whether it only hands on, or combines, infinities of earlier origins that are no masks."""
        if any(given.is_stored and not is_finite(given.tensor) for given in call.given):
            return False
        if seen.inputs_have_nan or (seen.inputs_have_infinity and not seen.output_has_nan):
            return True
        kinds = {self._found[at].origin.kind for at in sources}
        return bool(kinds - {"mask"}) and not any(name in call.name for name in _SOFTMAXES)

    def _cause(self, call: OperatorCall, seen: Nonfinite, other: OperatorCall | None, pairs: Pairs) -> Cause | None:
        """The cause of what the operator made; None where it may have written infinities on purpose."""
        stored = next((at for at, each in enumerate(call.given) if each.is_stored and not is_finite(each.tensor)), None)
        if stored is not None:
            return Cause(kind="stored value", argument=stored)
        if seen.inputs_have_infinity:
            known = pairs or self._side == "reference"
            return Cause(kind="infinities", detail=of_infinities(call)) if known else None
        on_purpose = call.name in _MARKS or seen.largest_input is None
        if on_purpose and (not pairs or self._side == "reference"):
            return None
        output = next(kept.tensor for kept in call.outputs if kept.tensor.is_floating_point())
        exact = next((wide for wide, own in pairs if own is output), None)
        if call.name in _CASTS and call.given:
            exact = call.given[0].tensor
        if is_mask(output, exact):
            return Cause(kind="mask")
        return cause_of(Event.of(call, other, output=output, exact=exact))

    def _origin(
        self,
        draft: LayerDraft,
        seen: Nonfinite,
        cause: Cause,
        pairs: Pairs,
        call: OperatorCall | None,
        elements: int,
    ) -> NonfiniteOrigin:
        dtype = next((own.dtype for _, own in pairs), torch.float32)
        # An operator that only one side ran is paired with itself.
        exact = [wide for wide, own in pairs if wide is not own]
        if call is not None and call.name in _CASTS:
            # What a cast is given is what should fit: the output of a module that is kept wide, as a rule.
            exact = [given.tensor for given in call.given]
        sizes = [size for tensor in exact if (size := magnitudes(tensor).size) is not None]
        argument = ""
        if call is not None and cause.argument is not None and not cause.kernel:
            argument = call.given[cause.argument].name
        return NonfiniteOrigin(
            side=self._side,
            row=0,
            fqn=draft.fqn,
            call=draft.call,
            operator=None if call is None else call.name,
            inside=cause.kernel,
            kind=cause.kind,
            detail=cause.detail,
            elements=elements,
            smallest_input=_rounded(seen.smallest_input if cause.smallest is None else cause.smallest),
            largest_input=_rounded(seen.largest_input if cause.largest is None else cause.largest),
            argument=argument,
            input_there=_rounded(cause.input_there),
            reference_there=_rounded(cause.reference_there),
            reference_max=_rounded(max(sizes, default=None)),
            dtype=dtype_name(dtype),
            format_max=_limit(dtype, self._simulated if call is None else None),
        )


def _rounded(value: float | None) -> float | None:
    return None if value is None else rounded(value)


def _nonfinite_elements(tensor: Tensor) -> int:
    return int((~tensor.isfinite()).sum())


def _new_elements(wide: Tensor, own: Tensor) -> int:
    return int((wide.isfinite() & ~own.isfinite()).sum())


def _is_wrong(wide: Tensor, own: Tensor) -> bool:
    """Whether an output of finite values is far from the other side's, which is finite."""
    if not own.numel() or not is_finite(wide):
        return False
    largest = float(wide.abs().amax())
    return float((wide.double() - own.double()).abs().amax()) > _WRONG * largest


def _of_module(given: Sequence[Tensor], returned: Sequence[Tensor]) -> Nonfinite | None:
    """What a module with a non-finite output was given.

    None where that was not finite, and where the module changed its own input, which is then gone.
    """
    inputs = [tensor for tensor in given if tensor.is_floating_point()]
    if {storage_of(tensor) for tensor in inputs} & {storage_of(tensor) for tensor in returned}:
        return None
    seen = Nonfinite.of(
        [magnitudes(tensor) for tensor in inputs], output_has_nan=any(bool(each.isnan().any()) for each in returned)
    )
    return None if seen.inputs_have_nan or seen.inputs_have_infinity else seen


def _limit(dtype: torch.dtype, fmt: NumericFormat | None) -> float:
    """Largest finite value of a floating-point dtype, or of the format it is rounded to."""
    if fmt is not None:
        return fmt.max
    return float(torch.finfo(dtype).max) if dtype.is_floating_point or dtype.is_complex else float("inf")
