"""Which bytes of memory tensors cover, and which they share."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from precision.measure.casting.wrapped_tensors import inner_tensors


@dataclass(frozen=True, kw_only=True)
class _Span:
    storage: tuple[str, int]
    start: int
    end: int


class MemorySpans:
    """The memory of a sequence of named tensors; every byte belongs to the first tensor that covers it.

    Two tensors are tied if their spans in one storage overlap. Tensors that lie side by side in one storage,
    as weights mapped from one file or the flat weights of an LSTM on a GPU do, are not. Empty tensors cover
    nothing and are never tied. A strided view covers all from its first element to its last. A tensor that wraps
    others, as a quantized weight does, covers what these cover.
    """

    def __init__(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        self._spans: dict[str, tuple[_Span, ...]] = {}
        self._owned: dict[str, int] = {}
        self._tied_to: dict[str, str] = {}
        segments: dict[tuple[str, int], list[tuple[int, int, str]]] = {}
        for name, tensor in tensors:
            self._owned[name] = 0
            self._spans[name] = tuple(_span(inner) for _, inner in inner_tensors(tensor))
            for span in self._spans[name]:
                self._cover(name, span, segments.setdefault(span.storage, []))

    def _cover(self, name: str, span: _Span, segments: list[tuple[int, int, str]]) -> None:
        """Give `name` what no earlier tensor covers; `segments` are disjoint and sorted, each with its owner."""
        if span.start == span.end:
            return
        first = bisect_left(segments, (span.start, -1, ""))
        if first and segments[first - 1][1] > span.start:
            first -= 1
        last = bisect_left(segments, (span.end, -1, ""), lo=first)
        met = segments[first:last]
        gaps, position = [], span.start
        for start, end, _ in met:
            gaps.append((position, start, name))
            position = end
        gaps = [gap for gap in (*gaps, (position, span.end, name)) if gap[1] > gap[0]]
        if met:
            order = {owner: index for index, owner in enumerate(self._owned)}
            self._tied_to[name] = min((owner for _, _, owner in met), key=order.__getitem__)
        self._owned[name] += sum(end - start for start, end, _ in gaps)
        segments[first:last] = sorted((*met, *gaps))

    @property
    def total(self) -> int:
        """Bytes covered by all tensors together, each byte once."""
        return sum(self._owned.values())

    def owned(self, name: str) -> int:
        """Bytes that this tensor covers and no earlier one does."""
        return self._owned[name]

    def size(self, name: str) -> int:
        """Bytes that this tensor covers."""
        return sum(span.end - span.start for span in self._spans[name])

    def tied_to(self, name: str) -> str | None:
        """The first tensor that shares memory with this later one."""
        return self._tied_to.get(name)

    def overlap(self, one: str, other: str) -> bool:
        """Whether the two share memory."""
        return any(
            a.storage == b.storage and max(a.start, b.start) < min(a.end, b.end)
            for a in self._spans[one]
            for b in self._spans[other]
        )


def _span(tensor: Tensor) -> _Span:
    start = int(tensor.storage_offset()) * tensor.element_size()
    steps = sum((size - 1) * int(stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    length = (steps + 1) * tensor.element_size() if tensor.numel() else 0
    memory = tensor.untyped_storage()
    # Nothing on the meta device has an address; two storages there are two objects.
    storage = (str(tensor.device), memory._cdata if tensor.is_meta else memory.data_ptr())
    return _Span(storage=storage, start=start, end=start + length)


def storage_of(tensor: Tensor) -> int:
    """Address of the tensor's memory; 0 where it has none of its own."""
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError):
        return 0
