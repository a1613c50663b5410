"""The rows of a report while they are being filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from precision.measure.lockstep.merged import NONE_MERGED, Merged
from precision.measure.lockstep.pairs import PairNumbers
from precision.measure.lockstep.sources import Names
from precision.results.layers import (
    UNKNOWN,
    Corners,
    LayerRow,
    OperatorDtypes,
    OperatorErrors,
    OperatorRow,
    Source,
    TensorPair,
)
from precision.results.origins import Side


@dataclass(kw_only=True, eq=False)
class LayerDraft:
    """One module call's row; refers to other rows as drafts, since places are known only in the end."""

    fqn: str
    call: int
    type: str
    order: int
    parent: LayerDraft | None
    is_leaf: bool
    finished: int | None = None
    inputs: tuple[TensorPair, ...] = ()
    outputs: tuple[TensorPair, ...] = ()
    uncompared: tuple[str, ...] = ()
    numbers: PairNumbers | None = None
    same_as: LayerDraft | None = None
    corners: Corners | None = None
    corners_missing: str = ""
    computes: bool = False
    """Whether an operator of the reference's own code computes."""
    own_code: Corners | None = None
    own_code_missing: str = ""
    clipped: int = 0

    @property
    def above(self) -> list[LayerDraft]:
        """The rows of the calls that it was made in, the innermost first."""
        return [] if self.parent is None else [self.parent, *self.parent.above]

    def row(self, places: dict[int, int]) -> LayerRow:
        """The finished row; `places` gives the row of each draft, by its `id`."""
        numbers = self.numbers
        return LayerRow(
            fqn=self.fqn,
            call=self.call,
            type=self.type,
            depth=len(self.above),
            parent=None if self.parent is None else places[id(self.parent)],
            is_leaf=self.is_leaf,
            finished=self.finished,
            inputs=self.inputs,
            outputs=self.outputs,
            errors=numbers.errors if numbers else None,
            same_as=None if self.same_as is None else places[id(self.same_as)],
            octaves=numbers.octaves if numbers else None,
            worst=numbers.worst if numbers else (),
            corners=self.corners,
            corners_missing=self.corners_missing,
            own_code=self.own_code,
            own_code_missing=self.own_code_missing,
            integers_differ=numbers.integers_differ if numbers else 0,
            integers=numbers.integers if numbers else 0,
            clipped=self.clipped,
            uncompared=self.uncompared,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class OperatorDraft:
    """One operator's row."""

    draft: LayerDraft
    name: str
    shape: tuple[int, ...]
    reference: OperatorDtypes | None
    candidate: OperatorDtypes | None
    errors: OperatorErrors | None
    integers: int = 0
    integers_differ: int = 0
    input_made_by: str = ""
    remark: str = ""
    merged: Merged = NONE_MERGED
    beyond: int = 0
    numbers: Mapping[Side, int]
    """Of the call on each side that ran it."""
    sources: Names = ()
    """Of the candidate's call if there is one, else of the reference's."""

    @property
    def side(self) -> Side:
        """Whose numbers the sources are."""
        return "reference" if self.candidate is None else "candidate"


class Ledger:
    """All rows of a run, in the order in which the reference's calls began."""

    def __init__(self) -> None:
        self.drafts: list[LayerDraft] = []
        self.operators: list[OperatorDraft] = []
        self.finished = 0
        """Calls that have returned."""

    def add(self, draft: LayerDraft) -> LayerDraft:
        """A new row."""
        self.drafts.append(draft)
        return draft

    def finish(self, draft: LayerDraft) -> None:
        """Its call has returned."""
        draft.finished = self.finished
        self.finished += 1

    def places(self) -> dict[int, int]:
        """The row of each draft, by its `id`."""
        self.drafts.sort(key=lambda draft: draft.order)
        return {id(draft): place for place, draft in enumerate(self.drafts)}

    @property
    def operator_places(self) -> dict[Side, dict[int, int]]:
        """The row of each operator, by its side's number."""
        found: dict[Side, dict[int, int]] = {"reference": {}, "candidate": {}}
        for place, draft in enumerate(self.operators):
            for side, number in draft.numbers.items():
                found[side][number] = place
        return found

    def operator_rows(self, places: dict[int, int]) -> tuple[tuple[OperatorRow, ...], tuple[OperatorDtypes, ...]]:
        """All operators' rows, and the table of dtypes that they refer to."""
        table: dict[OperatorDtypes, int] = {}
        at = self.operator_places
        rows = [
            OperatorRow(
                row=places[id(each.draft)],
                name=each.name,
                shape=each.shape,
                reference_dtypes=_place(each.reference, table),
                candidate_dtypes=_place(each.candidate, table),
                errors=each.errors,
                integers=each.integers,
                integers_differ=each.integers_differ,
                input_made_by=each.input_made_by,
                remark=each.remark,
                became_equal=each.merged.became_equal,
                neighbours=each.merged.pairs if each.merged.became_equal else 0,
                beyond=each.beyond,
                sources=placed(each.sources, at[each.side]),
            )
            for each in self.operators
        ]
        return tuple(rows), tuple(table)


def placed(sources: Names, places: Mapping[int, int]) -> tuple[Source, ...]:
    """Sources by the rows of their operators, which those that are in no row do not have."""
    found = (places.get(each, UNKNOWN) if isinstance(each, int) else each for each in sources)
    return tuple(dict.fromkeys(found))


def _place(dtypes: OperatorDtypes | None, table: dict[OperatorDtypes, int]) -> int | None:
    return None if dtypes is None else table.setdefault(dtypes, len(table))
