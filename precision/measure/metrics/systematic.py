"""How sure a mean signed error and a common factor are, where elements of one sample have errors alike."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from precision.measure.metrics.chunks import COMPILED_ELEMENTS, are_single
from precision.measure.metrics.clusters import Values
from precision.measure.metrics.outputs import Leaf
from precision.measure.metrics.spans import raw_bits, readable
from precision.results import ErrorMetrics
from precision.results.intervals import Z_95, t_95

_CHUNK_ELEMENTS = 2**20
_FEW = 8


def clustered_errors(reference: Leaf, candidate: Leaf, metrics: ErrorMetrics) -> dict[str, float | None]:
    """The standard errors of `metrics` over the largest units known; empty where there are not two, or no errors.

    Units are texts, or what lies along the first dimension. What units add up to varies as independent sums do; see
    `precision.measure.metrics.clusters`. Student's t over units - 1 degrees widens the result; of fewer than eight
    units it is what they show, but no less than what independent elements would have.
    """
    mean, factor = metrics.mean_signed_error, metrics.factor_error
    tensor = reference.tensor
    if mean is None or tensor.dim() < 2 or not tensor.numel():
        return {}
    rows = _sums(reference.tensor, candidate.tensor)
    units = np.arange(len(tensor)) if reference.rows is None else reference.rows[:, 0].cpu().numpy()
    _, places = np.unique(units, return_inverse=True)
    pairs, errors, products, squares = (np.bincount(places, weights=row) for row in rows)
    count = int((pairs > 0).sum())
    if count < 2 or not math.isfinite(float(rows.sum())):
        return {}
    few = count < _FEW
    wider = math.sqrt(count / (count - 1)) * (1 if few else t_95(count - 1) / Z_95)
    found = {"mean_signed_error_se": wider * _norm(errors - mean * pairs) / float(pairs.sum())}
    if factor is not None and squares.any():
        found["factor_error_se"] = wider * _norm(products - factor * squares) / float(squares.sum())
    return {name: max(value, getattr(metrics, name) or 0.0) if few else value for name, value in found.items()}


def _sums(reference: Tensor, candidate: Tensor) -> Values:
    """Of each row: finite pairs, and the sums of e, r e and r² over them, `(4, rows)`."""
    if reference.numel() >= COMPILED_ELEMENTS and are_single(reference, candidate):
        from precision.measure.metrics import counting_kernels as kernels  # only where there is much to add up

        sums = np.empty((len(reference), 4))
        r, y = (raw_bits(readable(x.reshape(-1))) for x in (reference, candidate))
        kernels.sum_rows(r, y, sums)
        return sums.T
    return np.concatenate(list(_wide_sums(reference, candidate)), axis=1)


def _wide_sums(reference: Tensor, candidate: Tensor) -> Iterator[Values]:
    step = max(_CHUNK_ELEMENTS * len(reference) // reference.numel(), 1)
    for r, y in zip(torch.split(reference, step), torch.split(candidate, step), strict=True):
        wide = r.flatten(1).double()
        error = y.flatten(1).double() - wide
        is_pair = error.isfinite()
        wide, error = wide.masked_fill(~is_pair, 0), error.masked_fill(~is_pair, 0)
        sums = (is_pair.double().sum(1), error.sum(1), (wide * error).sum(1), wide.square().sum(1))
        yield torch.stack(sums).cpu().numpy()


def _norm(residuals: Values) -> float:
    return math.sqrt(float(residuals @ residuals))
