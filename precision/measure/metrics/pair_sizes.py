"""How large errors are for references of each size: what every histogram of sizes is made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from precision.measure.metrics.chunks import PairChunk
from precision.measure.metrics.log_bins import EIGHTHS, SIZES, SizeCounts, Sizes, sizes_of
from precision.measure.metrics.spans import raw_bits

_MAX_CELLS = 2**20
"""Kept before equal ones are added up: 16 MiB."""


_NO_BITS = 0x7F80_0000
"""Those of infinity, which no pair here has."""
_OFFSET = EIGHTHS * (1074 - 149)
"""Float32's smallest number is 2^-149, and float64's 2^-1074."""


class PairSizes:
    """Counts of finite pairs by the sizes of |e| and |r|, fed chunk by chunk."""

    def __init__(self) -> None:
        self._cells: list[npt.NDArray[np.int64]] = []
        """Parts `(2, cells)`: the size of |e| times `SIZES`, plus that of |r|; and how many pairs there are."""
        self._kept = 0
        self._single: _Single | None = None

    def add(self, chunk: PairChunk) -> None:
        """Count one chunk."""
        if chunk.is_compiled:
            self._add_single(chunk)
            return
        errors, references = (x.cpu().numpy() for x in (chunk.abs_error, chunk.reference.abs()))
        self._keep(sizes_of(errors) * SIZES + sizes_of(references))
        if self._kept > _MAX_CELLS:
            self._add_up()

    def _add_single(self, chunk: PairChunk) -> None:
        from precision.measure.metrics import counting_kernels as kernels  # only where there is much to count

        if self._single is None:
            self._single = _Single(kernels.SINGLE_SIZES)
        single = self._single
        kernels.count_sizes(raw_bits(chunk.raw[0]), raw_bits(chunk.raw[1]), single.counts, single.ends)

    def _keep(self, cells: npt.NDArray[np.int64], counts: npt.NDArray[np.int64] | None = None) -> None:
        if counts is None:
            cells, counts = np.unique(cells, return_counts=True)
        self._cells.append(np.stack([cells, counts]))
        self._kept += cells.size

    def _add_up(self) -> npt.NDArray[np.int64]:
        if self._single is not None:
            self._keep(*self._single.cells())
            self._single = None
        every = np.concatenate([np.empty((2, 0), dtype=np.int64), *self._cells], axis=1)
        cells, places = np.unique(every[0], return_inverse=True)
        counts = np.zeros(cells.size, dtype=np.int64)
        np.add.at(counts, places, every[1])
        self._cells, self._kept = [], 0
        self._keep(cells, counts)
        return self._cells[0]

    def cells(self) -> tuple[Sizes, Sizes, npt.NDArray[np.int64]]:
        """Of each pair of sizes that occurs: that of |e|, that of |r|, and how many pairs have them."""
        cells, counts = self._add_up()
        return cells // SIZES, cells % SIZES, counts

    def errors(self) -> SizeCounts:
        """Counts of |e|."""
        sizes, _, counts = self.cells()
        found = SizeCounts()
        found.add(sizes, counts)
        return found


class _Single:
    """Counts by the sizes that float32 has, in which zeros are 0 and the smallest number `EIGHTHS`."""

    def __init__(self, sizes: int) -> None:
        self.counts = np.zeros((sizes, sizes), dtype=np.int64)
        """By |e| and |r|; of these, only what is counted in takes memory."""
        self.ends = np.array([[_NO_BITS, 0], [_NO_BITS, 0]], dtype=np.int64)
        """The bits of the smallest |e| that is not zero and of the largest, and of |r|."""

    def cells(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """As those of `PairSizes`."""
        ends = sizes_of(np.minimum(self.ends, _NO_BITS).ravel().astype(np.uint32).view(np.float32))
        errors, references = (np.append(0, np.arange(low, high + 1)) for low, high in ends.reshape(2, 2).tolist())
        counts = self.counts[np.ix_(*(np.maximum(sizes - _OFFSET, 0) for sizes in (errors, references)))]
        used = np.nonzero(counts)
        return errors[used[0]] * SIZES + references[used[1]], counts[used]
