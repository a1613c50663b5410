"""What became of values that are not finite: which outputs they reach, and which operators took them in."""

from collections.abc import Iterable

from torch import Tensor

from precision.measure.casting.memory_spans import storage_of
from precision.measure.lockstep.operator_calls import OperatorCall
from precision.measure.lockstep.values import may_be_nonfinite


class Trail:
    """Follows the origins of one side from operator to operator, by the memory that holds their values."""

    def __init__(self) -> None:
        self._held: dict[int, frozenset[int]] = {}

    def sources(self, call: OperatorCall) -> frozenset[int]:
        """The origins whose infinities or NaNs the call was given."""
        if not self._held:
            return frozenset()
        return frozenset[int]().union(
            *(
                self._held[given.storage]
                for given in call.given
                if given.storage in self._held and given.is_intact and may_be_nonfinite(given.tensor)
            )
        )

    def note(self, call: OperatorCall, origins: frozenset[int]) -> None:
        """The outputs of the call hold what came from these origins, if they are not finite."""
        for kept in call.outputs:
            if origins and call.nonfinite is not None:
                self._held[kept.storage] = origins
            else:
                self._held.pop(kept.storage, None)

    def hold_new(self, tensors: Iterable[Tensor], origins: frozenset[int]) -> None:
        """Of these tensors, those that no operator made hold what came from these origins."""
        if origins:
            for tensor in tensors:
                if may_be_nonfinite(tensor):
                    self._held.setdefault(storage_of(tensor), origins)

    def reached(self, tensors: Iterable[Tensor]) -> frozenset[int]:
        """The origins of what is not finite in these tensors."""
        if not self._held:
            return frozenset()
        return frozenset[int]().union(
            *(self._held.get(storage_of(tensor), ()) for tensor in tensors if may_be_nonfinite(tensor))
        )
