"""Outputs of many batches as those of one: written to disk as they come, so that memory does not grow with them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from precision.measure.metrics.outputs import Flattened, Leaf, flatten


class GatheredOutputs:
    """The outputs of one model over several batches.

    Tensors of the same place are joined along their first dimension. Where batches differ in another dimension, such as
    sentences of other lengths, all but the last are: each row of the last dimension is then one of many. The files are
    in `folder`.
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
            if joined.batches == self._batches and joined.shape is not None:
                leaves.append(joined.leaf())
            else:
                notes.append(f"{joined.first.path} does not have one shape in every batch: not compared.")
        return Flattened(leaves=tuple(leaves), notes=tuple(notes))


class _Joined:
    """One tensor of the output over all batches."""

    def __init__(self, first: Leaf, path: Path) -> None:
        self.first = first
        self.batches = 0
        self.shape: tuple[int, ...] | None = tuple(first.tensor.shape[1:])
        """After the first dimension; None where batches do not fit together."""
        self._path = path

    def add(self, leaf: Leaf) -> None:
        shape = tuple(leaf.tensor.shape)
        self.batches += 1
        if self.shape != shape[1:]:
            self.shape = shape[-1:] if self.shape and shape and self.shape[-1] == shape[-1] else None
        if leaf.dtype != self.first.dtype:
            self.shape = None
        with self._path.open("ab") as file:
            file.write(leaf.tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)

    def leaf(self) -> Leaf:
        raw = torch.empty(0, dtype=torch.uint8)
        if size := self._path.stat().st_size:
            raw = torch.from_file(str(self._path), size=size, dtype=torch.uint8)
        values = raw.view(self.first.tensor.dtype)
        shape = self.shape or ()
        rows = values.numel() // (math.prod(shape) or 1)
        return replace(self.first, tensor=values.view(rows, *shape))


@contextmanager
def gathering(sides: int) -> Iterator[tuple[GatheredOutputs, ...]]:
    """Places for the outputs of several models, gone at the end."""
    with TemporaryDirectory(prefix="precision-outputs-") as folder:
        places = [Path(folder) / str(side) for side in range(sides)]
        for place in places:
            place.mkdir()
        yield tuple(map(GatheredOutputs, places))
