"""Two returns of one module call become a row; the operators in it become rows too; nothing else is kept of them."""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.utils import _pytree as pytree

from precision.formats import AnyFormat, NumericFormat
from precision.measure.casting.forward import is_leaf
from precision.measure.lockstep.alignment import aligned, in_common
from precision.measure.lockstep.corners import Decomposition
from precision.measure.lockstep.observer import Frame, Returned
from precision.measure.lockstep.operator_rows import OperatorComparer, beyond_end
from precision.measure.lockstep.origins import Origins
from precision.measure.lockstep.pairs import Matched, matched, numbers_of
from precision.measure.lockstep.replay import NotSeparableError
from precision.measure.lockstep.routing import OTHER_ROWS, Routing
from precision.measure.lockstep.rows import LayerDraft, Ledger, placed
from precision.measure.lockstep.sources import Names
from precision.measure.lockstep.values import tensors_in
from precision.measure.metrics.output_kinds import Known
from precision.measure.nonfinite_modules import masked_elements
from precision.results.layers import Divergence, LayersReport, ObserverCheck, OutputSource, Stopped
from precision.results.origins import Side


@dataclass(frozen=True, kw_only=True, eq=False)
class _Last:
    """The output tensors compared last, as long as they live, and the state they were in."""

    draft: LayerDraft
    tensors: tuple[tuple[weakref.ref[Tensor], int], ...]
    """With their versions."""


class Comparer:
    """Compares what both sides bring to their meetings.

    `simulated` is the format that the candidate rounds outputs to, where its arithmetic is simulated. `decomposition`
    takes calls of leaf modules apart; None leaves them whole. At most `max_operators` operators become rows. `data`
    says which positions `(texts, positions)` are no padding: padding enters no number. `known` is what is known of the
    model's outputs.
    """

    def __init__(
        self,
        *,
        fmt: AnyFormat,
        simulated: NumericFormat | None,
        max_operators: int,
        decomposition: Decomposition | None,
        data: Tensor | None = None,
        known: Known | None = None,
    ) -> None:
        self._fmt = fmt
        self._known = known or Known()
        self._masked = 0
        self._data = data
        self._simulated = simulated
        self._decomposition = decomposition
        self._ledger = Ledger()
        self._last: _Last | None = None
        self._origins: dict[Side, Origins] = {
            "reference": Origins("reference"),
            "candidate": Origins("candidate", simulated),
        }
        self._elements = 0
        self._routing = Routing()
        self._operators = OperatorComparer(
            fmt,
            self._ledger,
            self._origins,
            self._routing,
            max_operators=max_operators,
            simulated=simulated,
            data=data,
        )

    @property
    def calls(self) -> int:
        """Module calls compared so far."""
        return self._ledger.finished

    def compare(self, reference: Returned, candidate: Returned) -> None:
        """The row of one module call, and of the operators that ran since the last."""
        clipped = _clipped(candidate, self._simulated)
        self._compare_pending(reference.frame.stack, candidate.frame.stack)
        draft = self._draft(reference.frame)
        draft.clipped = clipped
        found = matched(reference.output, candidate.output)
        draft.inputs = matched((reference.args, reference.kwargs), (candidate.args, candidate.kwargs)).listed
        draft.outputs, draft.uncompared = found.listed, found.uncompared
        self._ledger.finish(draft)
        goes_elsewhere = draft.parent is not None and self._routing.goes_elsewhere(tensors_in(candidate.output))
        self._take_own_code_apart(draft, reference, candidate, goes_elsewhere=goes_elsewhere)
        if draft.parent is None:
            self._masked = masked_elements(found.without(self._data).floating, known=self._known)
        tensors = _live_tensors(reference.output, candidate.output)
        if self._are_the_last(tensors, found):
            draft.same_as = self._last.draft if self._last else None
            self._look_for_origins(draft, found, reference, candidate)
            if self._decomposition is not None and not reference.frame.called:
                draft.corners_missing = "it returned its input tensors."
            return
        if goes_elsewhere:
            draft.uncompared = (*draft.uncompared, OTHER_ROWS)
            return
        draft.numbers = numbers_of(found.without(self._data), self._fmt, detailed=True)
        self._elements += draft.numbers.errors.elements if draft.numbers.errors else 0
        versions = None if tensors is None else tuple((weakref.ref(tensor), tensor._version) for tensor in tensors)
        self._last = None if versions is None else _Last(draft=draft, tensors=versions)
        self._look_for_origins(draft, found, reference, candidate)
        if self._decomposition is not None and not reference.frame.called and not candidate.frame.called:
            self._take_apart(draft, found, reference, candidate)

    def _look_for_origins(self, draft: LayerDraft, found: Matched, reference: Returned, candidate: Returned) -> None:
        numbers = draft.same_as.numbers if draft.same_as is not None else draft.numbers
        if numbers is None or (errors := numbers.errors) is None:
            return
        pairs = [(r.tensor, c.tensor) for r, c in found.floating]
        turned = [(c, r) for r, c in pairs]
        own = errors.ref_only_nonfinite + errors.both_nonfinite
        self._origins["reference"].look_at_module(draft, _given(reference), turned, own)
        self._origins["candidate"].look_at_module(draft, _given(candidate), pairs, errors.cand_only_nonfinite)

    def forget_last(self) -> None:
        """The two took different paths: what either returns next is compared in any case."""
        self._last = None

    def leave_open(self, reference: Frame | None, candidate: Frame | None, failed: Side) -> None:
        """Rows for the calls that the failed side was in, and the operators that had run in them."""
        stacks = tuple(() if frame is None else frame.stack for frame in (reference, candidate))
        shared = common_calls(*stacks)
        self._compare_pending(stacks[0][:shared], stacks[1][:shared], stopped=True)
        above = [self._draft(frame) for frame in stacks[0][:shared]]
        failing = stacks[0] if failed == "reference" else stacks[1]
        for frame in failing[shared:]:
            if failed == "reference":
                self._draft(frame)
                continue
            order = (above[-1].order if above else 0) + 1
            above.append(self._ledger.add(_drafted(frame, above[-1] if above else None, order)))

    def report(
        self,
        *,
        stopped: Stopped | None,
        divergences: tuple[Divergence, ...],
        not_called: tuple[str, ...],
        observer: ObserverCheck | None,
        watched_operators: bool,
        output_sources: Mapping[str, Names],
        notes: Sequence[str],
    ) -> LayersReport:
        """Everything compared."""
        places = self._ledger.places()
        operators, dtypes = self._ledger.operator_rows(places)
        at = self._ledger.operator_places["candidate"]
        return LayersReport(
            rows=tuple(draft.row(places) for draft in self._ledger.drafts),
            operators=operators,
            operator_dtypes=dtypes,
            origins=self._origins["candidate"].first(places),
            reference_origin=next(iter(self._origins["reference"].first(places)), None),
            output_sources=tuple(
                OutputSource(path=path, sources=placed(sources, at)) for path, sources in output_sources.items()
            ),
            masked_elements=self._masked,
            divergences=divergences,
            not_called=not_called,
            stopped=stopped,
            observer=observer,
            watched_operators=watched_operators,
            decomposed=self._decomposition is not None,
            calls=self.calls,
            compared_elements=self._elements,
            operator_calls=self._operators.calls,
            notes=(*notes, *self._own_notes()),
        )

    def _own_notes(self) -> list[str]:
        notes = []
        if not self._ledger.drafts:
            notes.append("No module call could be seen: the model is compiled, or its forward is not Python.")
        return [*notes, *self._operators.notes, *self._origins["candidate"].notes]

    def _draft(self, frame: Frame) -> LayerDraft:
        if frame.draft is None:
            parent = None if frame.parent is None else self._draft(frame.parent)
            frame.draft = self._ledger.add(_drafted(frame, parent, frame.order))
        return frame.draft

    def _are_the_last(self, tensors: Sequence[Tensor] | None, found: Matched) -> bool:
        last = self._last
        if last is None or tensors is None or not tensors or 2 * len(found.pairs) != len(tensors):
            return False
        known = {id(tensor): version for reference, version in last.tensors if (tensor := reference()) is not None}
        return len(known) == len({id(tensor) for tensor in tensors}) and all(
            known.get(id(tensor)) == tensor._version for tensor in tensors
        )

    def _take_apart(self, draft: LayerDraft, found: Matched, reference: Returned, candidate: Returned) -> None:
        if self._decomposition is None or not found.floating:
            return
        try:
            draft.corners = self._decomposition.corners(reference, candidate)
        except NotSeparableError as error:
            draft.corners_missing = str(error)

    def _take_own_code_apart(
        self, draft: LayerDraft, reference: Returned, candidate: Returned, *, goes_elsewhere: bool
    ) -> None:
        both_call = reference.frame.called and candidate.frame.called
        if self._decomposition is None or not both_call or not draft.computes:
            return
        if goes_elsewhere:
            draft.own_code_missing = f"it returns {OTHER_ROWS}."
            return
        try:
            draft.own_code = self._decomposition.own_code(reference, candidate)
        except NotSeparableError as error:
            draft.own_code_missing = str(error)

    def _compare_pending(
        self, reference: Sequence[Frame], candidate: Sequence[Frame], *, stopped: bool = False
    ) -> None:
        """The operators of all open calls: the outer ones' ran before the inner ones were called."""
        for r_frame, c_frame in zip(reference, candidate, strict=True):
            ours, theirs = r_frame.pending, c_frame.pending
            if not ours and not theirs:
                continue
            draft = self._draft(r_frame)
            draft.computes |= any(call.computed for call in ours)
            pairs = aligned([call.name for call in ours], [call.name for call in theirs])
            if stopped:
                pairs = pairs[: _last_match(pairs)]
            for r, c in pairs:
                self._operators.compare(draft, None if r is None else ours[r], None if c is None else theirs[c])
            ours.clear()
            theirs.clear()


def common_calls(one: Sequence[Frame], other: Sequence[Frame]) -> int:
    """How many calls, from the root, two stacks have in common."""
    return in_common([frame.fqn for frame in one], [frame.fqn for frame in other])


def _clipped(returned: Returned, fmt: NumericFormat | None) -> int:
    """Elements beyond the end of the format in what the module's last operator made, before that is rounded to it."""
    if fmt is None or not returned.frame.pending:
        return 0
    kept = [each for each in returned.frame.pending[-1].outputs if each.is_intact and each.tensor.is_floating_point()]
    return sum(beyond_end(each.tensor, fmt) for each in kept)


def _given(returned: Returned) -> tuple[Tensor, ...]:
    return tuple(tensors_in((returned.args, returned.kwargs)))


def _drafted(frame: Frame, parent: LayerDraft | None, order: int) -> LayerDraft:
    return LayerDraft(
        fqn=frame.fqn,
        call=frame.call,
        type=type(frame.module).__name__,
        order=order,
        parent=parent,
        is_leaf=is_leaf(frame.module),
    )


def _live_tensors(reference: object, candidate: object) -> tuple[Tensor, ...] | None:
    """The very tensors that both returned; None where their versions cannot be told."""
    tensors = tuple(
        leaf for leaf in (*pytree.tree_leaves(reference), *pytree.tree_leaves(candidate)) if isinstance(leaf, Tensor)
    )
    return None if any(tensor.is_inference() for tensor in tensors) else tensors


def _last_match(pairs: Sequence[tuple[int | None, int | None]]) -> int:
    """How many pairs there are up to the last that both sides ran."""
    return max((place for place, (r, c) in enumerate(pairs, 1) if r is not None and c is not None), default=0)
