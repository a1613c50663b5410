"""Rows that were chosen by an index: where the two sides chose otherwise, their rows are not the same things."""

from collections.abc import Iterable

from torch import Tensor

from precision.measure.casting.memory_spans import storage_of
from precision.measure.lockstep.operator_calls import Given, OperatorCall

_CHOOSES = frozenset({"getitem", "index_select", "masked_select", "gather", "take", "take_along_dim", "nonzero"})
"""Operators that choose rows; the rows of a stored table, such as embeddings, belong to the place that asks."""
_PUTS_BACK = ("index_put", "index_add", "index_copy", "scatter", "setitem")
"""Beginnings of the names of operators that put rows back to where they came from."""
OTHER_ROWS = "other rows on the two sides, which chose otherwise: not compared"


class Routing:
    """Follows the candidate's tensors whose rows do not correspond to the reference's, by their memory."""

    def __init__(self) -> None:
        self._elsewhere: set[int] = set()

    def look_at(self, reference: OperatorCall | None, candidate: OperatorCall) -> bool:
        """Whether the rows of the operator's output are others than those of the reference."""
        goes = any(given.storage in self._elsewhere for given in candidate.given)
        if candidate.name.startswith(_PUTS_BACK):
            goes = False
        elif not goes and reference is not None and candidate.name in _CHOOSES:
            goes = not any(given.is_stored for given in candidate.given) and _differ(reference, candidate)
        for kept in candidate.outputs:
            (self._elsewhere.add if goes else self._elsewhere.discard)(kept.storage)
        return goes

    def goes_elsewhere(self, tensors: Iterable[Tensor]) -> bool:
        """Whether the rows of one of these tensors of the candidate are others."""
        return bool(self._elsewhere) and any(storage_of(tensor) in self._elsewhere for tensor in tensors)


def _differ(reference: OperatorCall, candidate: OperatorCall) -> bool:
    if any(r.tensor.shape != c.tensor.shape for r, c in zip(reference.outputs, candidate.outputs, strict=False)):
        return True
    pairs = zip(reference.indexes, candidate.indexes, strict=False)
    return any(_is_other(r, c) for r, c in pairs)


def _is_other(reference: Given, candidate: Given) -> bool:
    if reference.tensor.shape != candidate.tensor.shape:
        return True
    intact = reference.is_intact and candidate.is_intact
    return intact and bool((reference.tensor != candidate.tensor).any())
