"""The worst sample against float64 NumPy."""

from __future__ import annotations

import numpy as np
import torch

from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import flatten, paired
from precision.measure.metrics.samples import samples_of, worst_sample
from precision.results.regimes import SampleClasses


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


def test_the_worst_sample_is_shown_with_its_classes_its_largest_error_and_its_text() -> None:
    reference = {"logits": torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])}
    candidate = {"logits": torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.5, 1.0]])}
    pairs = paired(flatten(reference), flatten(candidate)).pairs
    worst = worst_sample(pairs, known=Known(labels=torch.tensor([2, 0])), texts=("one", "two" * 100))
    assert worst is not None
    assert (worst.index, worst.largest_error) == (1, 1.0)
    assert worst.classes == SampleClasses(truth=0, reference=0, candidate=1)
    assert worst.text == ("two" * 100)[:200]
    bare = worst_sample(pairs)
    assert bare is not None
    assert bare.classes == SampleClasses(truth=None, reference=0, candidate=1)
    assert bare.text is None


def test_scores_that_are_not_finite_have_no_first_class_and_vectors_no_classes() -> None:
    reference = torch.tensor([[1.0, 2.0]])
    candidate = torch.tensor([[float("nan"), 2.5]])
    worst = worst_sample(paired(flatten({"logits": reference}), flatten({"logits": candidate})).pairs)
    assert worst is not None
    assert worst.classes == SampleClasses(truth=None, reference=1, candidate=None)
    assert worst.largest_error == 0.5
    hidden = worst_sample(paired(flatten({"pooled": reference}), flatten({"pooled": candidate})).pairs)
    assert hidden is not None
    assert hidden.classes is None


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
