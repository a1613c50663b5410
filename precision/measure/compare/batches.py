"""Outputs of many batches as those of one: written to disk as they come, so that memory does not grow with them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from precision.measure.metrics.outputs import Flattened, Leaf, flatten

NOT_ONE_SHAPE = "does not have one shape in every batch: not compared."


class GatheredOutputs:
    """The outputs of one model over several batches.

    Tensors of the same place are joined along their first dimension. Where batches differ in another dimension, such as
    sentences of other lengths, each position is a row of the joined tensor. The files are in `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._joined: dict[str, _Joined] = {}
        self._notes: dict[str, None] = {}
        self._batches = 0

    def add(self, output: object) -> None:
        """Take in the output of one batch."""
        found = flatten(output)
        self._notes.update(dict.fromkeys(found.notes))
        for leaf in found.leaves:
            if not self._batches:
                self._joined[leaf.path] = _Joined(leaf, self._folder / f"{len(self._joined)}")
            if leaf.path in self._joined:
                self._joined[leaf.path].add(leaf)
        self._batches += 1

    def whole(self) -> Flattened:
        """All batches as one output; only as long as the folder is there."""
        notes = list(self._notes)
        leaves = []
        for joined in self._joined.values():
            leaf = joined.leaf() if joined.batches == self._batches else None
            if leaf is not None:
                leaves.append(leaf)
            else:
                notes.append(f"{joined.first.path} {NOT_ONE_SHAPE}")
        return Flattened(leaves=tuple(leaves), notes=tuple(notes))


class _Joined:
    """One tensor of the output over all batches."""

    def __init__(self, first: Leaf, path: Path) -> None:
        self.first = first
        self._path = path
        self._shapes: list[tuple[int, ...]] = []
        """As the model returned them."""
        self._rows: list[Tensor | None] = []
        self._left_out = 0
        self._one_dtype = True

    @property
    def batches(self) -> int:
        """How many there are."""
        return len(self._shapes)

    def add(self, leaf: Leaf) -> None:
        self._shapes.append(leaf.shape)
        self._rows.append(leaf.rows)
        self._left_out += leaf.left_out
        self._one_dtype &= leaf.dtype == self.first.dtype
        with self._path.open("ab") as file:
            file.write(leaf.tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)

    def leaf(self) -> Leaf | None:
        """All batches as one; None where they do not fit together."""
        widths = {shape[-1:] for shape in self._shapes}
        if not self._one_dtype or len({len(shape) for shape in self._shapes}) > 1:
            return None
        if len({shape[1:] for shape in self._shapes}) == 1 and not any(rows is not None for rows in self._rows):
            return replace(self.first, tensor=self._values((-1, *self.first.tensor.shape[1:])))
        if len(self._shapes[0]) < 3 or len(widths) > 1:
            return None
        inner = self._shapes[0][2:] if len({shape[2:] for shape in self._shapes}) == 1 else self._shapes[0][-1:]
        rows = torch.cat(list(self._placed(len(inner))))
        longest = max(math.prod(shape[1 : len(shape) - len(inner)]) for shape in self._shapes)
        given = (sum(shape[0] for shape in self._shapes), longest, *inner)
        return replace(self.first, tensor=self._values((-1, *inner)), rows=rows, given=given, left_out=self._left_out)

    def _placed(self, inner: int) -> Iterator[Tensor]:
        """The text, counted over all batches, and the position of each row of each batch."""
        texts = 0
        for shape, rows in zip(self._shapes, self._rows, strict=True):
            positions = math.prod(shape[1 : len(shape) - inner])
            whole = torch.cartesian_prod(torch.arange(shape[0]), torch.arange(positions))
            yield (whole if rows is None else rows.cpu()) + torch.tensor([texts, 0])
            texts += shape[0]

    def _values(self, shape: tuple[int, ...]) -> Tensor:
        raw = torch.empty(0, dtype=torch.uint8)
        if size := self._path.stat().st_size:
            raw = torch.from_file(str(self._path), size=size, dtype=torch.uint8)
        values = raw.view(self.first.tensor.dtype)
        return values.view(values.numel() // (math.prod(shape[1:]) or 1), *shape[1:])


@contextmanager
def gathering(sides: int) -> Iterator[tuple[GatheredOutputs, ...]]:
    """Places for the outputs of several models, gone at the end."""
    with TemporaryDirectory(prefix="precision-outputs-") as folder:
        places = [Path(folder) / str(side) for side in range(sides)]
        for place in places:
            place.mkdir()
        yield tuple(map(GatheredOutputs, places))
