"""Two operator calls become a row; their outputs are let go."""

from collections.abc import Mapping

from torch import Tensor

from precision.formats import AnyFormat, NumericFormat
from precision.measure.lockstep.merged import NONE_MERGED, Merged, merged
from precision.measure.lockstep.operator_calls import OperatorCall
from precision.measure.lockstep.origins import Origins
from precision.measure.lockstep.pairs import Matched, PairNumbers, matched, numbers_of
from precision.measure.lockstep.routing import OTHER_ROWS, Routing
from precision.measure.lockstep.rows import LayerDraft, Ledger, OperatorDraft
from precision.measure.rounding import dtype_name
from precision.results.layers import OperatorDtypes, OperatorErrors
from precision.results.origins import Side

_ONE_NUMBER = 0.99
"""Share of the largest mask that the smallest is, at least, after scores were added."""


def beyond_end(tensor: Tensor, fmt: NumericFormat) -> int:
    """Finite elements beyond the largest value of a format, which it clips where it saturates."""
    return int((tensor.isfinite() & (tensor.abs() > fmt.max)).sum())


class OperatorComparer:
    """Compares operators, and looks for the first infinities and NaNs in them.

    At most `max_operators` become rows; the others are compared too.
    """

    def __init__(
        self,
        fmt: AnyFormat,
        ledger: Ledger,
        origins: Mapping[Side, Origins],
        routing: Routing,
        *,
        max_operators: int,
        simulated: NumericFormat | None = None,
        data: Tensor | None = None,
    ) -> None:
        self._simulated = simulated
        self._fmt = fmt
        self._ledger = ledger
        self._origins = origins
        self._routing = routing
        self._max_operators = max_operators
        self._data = data
        self._gone = 0
        self.calls = 0
        """Operators seen, of both sides together once."""

    @property
    def notes(self) -> list[str]:
        """What is not in the rows."""
        notes = []
        if self.calls > len(self._ledger.operators):
            notes.append(f"Only the first {len(self._ledger.operators):,} of {self.calls:,} operators are listed.")
        if self._gone:
            notes.append(f"The outputs of {self._gone:,} operators were overwritten before they could be compared.")
        return notes

    def compare(self, draft: LayerDraft, reference: OperatorCall | None, candidate: OperatorCall | None) -> None:
        """The row of one operator that ran in the call of `draft`; None for a side that did not run it."""
        self.calls += 1
        some = reference or candidate
        if some is None:
            return
        elsewhere = candidate is not None and self._routing.look_at(reference, candidate)
        numbers, found = (None, None) if elsewhere else self._numbers(reference, candidate)
        pairs = [(r.tensor, c.tensor) for r, c in found.floating] if found else []
        if reference is not None:
            turned = [(c, r) for r, c in pairs]
            self._origins["reference"].look_at_operator(draft, reference, candidate, turned)
        if candidate is not None:
            self._origins["candidate"].look_at_operator(draft, candidate, reference, pairs)
        if len(self._ledger.operators) >= self._max_operators:
            return
        errors = numbers.errors if numbers else None
        calls: dict[Side, OperatorCall | None] = {"reference": reference, "candidate": candidate}
        self._ledger.operators.append(
            OperatorDraft(
                draft=draft,
                name=some.name,
                shape=tuple(some.outputs[0].tensor.shape),
                reference=_dtypes(reference),
                candidate=_dtypes(candidate),
                errors=None if errors is None else OperatorErrors.of(errors),
                integers=numbers.integers if numbers else 0,
                integers_differ=numbers.integers_differ if numbers else 0,
                input_made_by=_input_maker(candidate) if numbers and numbers.integers_differ else "",
                remark=OTHER_ROWS if elsewhere else "",
                beyond=self._beyond(found),
                numbers={side: call.number for side, call in calls.items() if call is not None},
                sources=(candidate or some).sources,
                merged=_most_merged(pairs) if errors is not None and errors.exact_share != 1 else NONE_MERGED,
            )
        )

    def _beyond(self, found: Matched | None) -> int:
        if self._simulated is None or found is None:
            return 0
        results = [r.tensor for r, _ in found.without(self._data).floating]
        return sum(beyond_end(each, self._simulated) for each in results if not _masks(each, self._simulated))

    def _numbers(
        self, reference: OperatorCall | None, candidate: OperatorCall | None
    ) -> tuple[PairNumbers | None, Matched | None]:
        if reference is None or candidate is None:
            return None, None
        if not all(kept.is_intact for call in (reference, candidate) for kept in call.outputs):
            self._gone += 1
            return None, None
        outputs = [tuple(kept.tensor for kept in call.outputs) for call in (reference, candidate)]
        found = matched(*outputs)
        if not found.pairs:
            return None, found
        return numbers_of(found.without(self._data), self._fmt, detailed=False), found


def _masks(tensor: Tensor, fmt: NumericFormat) -> bool:
    """Whether what is beyond the end is about one negative number throughout, as masks are: clipped, it still masks."""
    beyond = tensor[tensor.isfinite() & (tensor.abs() > fmt.max)]
    return beyond.numel() > 1 and float(beyond.max()) <= _ONE_NUMBER * float(beyond.min())


def _most_merged(pairs: list[tuple[Tensor, Tensor]]) -> Merged:
    return max((merged(r, c) for r, c in pairs), key=lambda each: each.share, default=NONE_MERGED)


def _input_maker(call: OperatorCall | None) -> str:
    return next((given.name for given in call.given), "") if call is not None else ""


def _dtypes(call: OperatorCall | None) -> OperatorDtypes | None:
    if call is None:
        return None
    return OperatorDtypes(inputs=call.inputs, computed=call.computed, output=dtype_name(call.outputs[0].tensor.dtype))
