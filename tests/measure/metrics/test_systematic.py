"""Standard errors of systematic errors, against what they are over many draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from precision.formats import format_named
from precision.measure.metrics.comparison import compare_outputs
from precision.results import ErrorMetrics

GENERATOR = torch.Generator().manual_seed(5)


def compared(reference: object, candidate: object) -> ErrorMetrics:
    fmt = format_named("bfloat16")
    return compare_outputs(reference=reference, candidate=candidate, repeat=None, fmt=fmt).outputs[0].metrics


def draw(texts: int) -> tuple[Tensor, Tensor]:
    """Errors whose factor differs from text to text and is 0 on the whole, and a little noise."""
    reference = torch.randn(texts, 30, 8, generator=GENERATOR, dtype=torch.float64)
    factors = 0.01 * torch.randn(texts, 1, 1, generator=GENERATOR, dtype=torch.float64)
    noise = 1e-3 * torch.randn(reference.shape, generator=GENERATOR, dtype=torch.float64)
    return reference, reference * (1 + factors) + noise


def test_elements_of_one_text_are_not_independent() -> None:
    found = [compared(*draw(40)) for _ in range(200)]
    factors = np.array([each.factor_error for each in found], dtype=float)
    errors = np.array([each.factor_error_se for each in found], dtype=float)
    assert float(np.mean(errors)) == pytest.approx(float(factors.std()), rel=0.15)
    assert 0.9 < float((np.abs(factors) < 1.96 * errors).mean()) < 0.99


def test_one_sample_has_the_error_of_independent_elements() -> None:
    reference, candidate = draw(1)
    metrics = compared(reference, candidate)
    error = (candidate - reference).numpy()
    expected = float(error.std() / (error.size - 1) ** 0.5)
    assert metrics.mean_signed_error_se == pytest.approx(expected, rel=1e-6)


def test_pairs_that_are_not_finite_do_not_count() -> None:
    reference, candidate = draw(6)
    whole = compared(reference, candidate)
    reference, candidate = torch.cat([reference, reference[:1]]), torch.cat([candidate, candidate[:1]])
    candidate[6] = torch.nan
    assert compared(reference, candidate).mean_signed_error_se == pytest.approx(whole.mean_signed_error_se, rel=1e-9)
