"""The worst sample against float64 NumPy."""

from __future__ import annotations

import numpy as np
import torch

from precision.metrics.outputs import flatten, paired
from precision.metrics.samples import samples_of, worst_sample


def test_the_sample_with_the_largest_relative_error_is_found() -> None:
    torch.manual_seed(0)
    reference = {"a": torch.randn(7, 3, 5), "b": torch.randn(7)}
    candidate = {name: tensor.half() for name, tensor in reference.items()}
    pairs = paired(flatten(reference), flatten(candidate)).pairs
    r, y = (np.concatenate([x["a"].double().flatten(1), x["b"].double()[:, None]], 1) for x in (reference, candidate))
    expected = np.linalg.norm(y - r, axis=1) / np.linalg.norm(r, axis=1)
    worst = worst_sample(pairs)
    assert worst is not None
    assert worst.index == expected.argmax()
    assert worst.normalized_l2 is not None
    np.testing.assert_allclose(worst.normalized_l2, expected.max(), rtol=1e-12)


def test_new_infinities_come_first_and_enter_no_norm() -> None:
    reference = torch.tensor([[1.0, 1.0], [1.0, 1.0], [float("inf"), 1.0]])
    candidate = torch.tensor([[5.0, 1.0], [float("nan"), 1.5], [float("inf"), 1.0]])
    worst = worst_sample(paired(flatten(reference), flatten(candidate)).pairs)
    assert worst is not None
    assert (worst.index, worst.nonfinite, worst.normalized_l2) == (1, 1, 0.5)


def test_zero_references_and_extreme_values() -> None:
    reference = torch.tensor([[0.0, 0.0], [1e-300, 0.0], [1e300, 1e300]], dtype=torch.float64)
    exact = worst_sample(paired(flatten(reference), flatten(reference)).pairs)
    assert exact is not None
    assert (exact.index, exact.normalized_l2) == (0, 0.0)
    worst = worst_sample(paired(flatten(reference), flatten(reference * 2)).pairs)
    assert worst is not None
    assert (worst.index, worst.normalized_l2) == (1, 1.0)
    infinite = worst_sample(paired(flatten(reference), flatten(reference + 1)).pairs)
    assert infinite is not None
    assert infinite.normalized_l2 == float("inf")


def test_outputs_without_a_common_first_dimension_have_no_samples() -> None:
    scalar, uneven = torch.tensor(1.0), (torch.ones(2, 2), torch.ones(3))
    assert samples_of(paired(flatten(scalar), flatten(scalar)).pairs) is None
    assert worst_sample(paired(flatten(uneven), flatten(uneven)).pairs) is None
    assert worst_sample(paired(flatten(torch.ones(0, 2)), flatten(torch.ones(0, 2))).pairs) is None
