"""Intervals over clusters: what they cover in a simulation, and the cases without an answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from precision.measure.metrics.clusters import effective_samples, standard_error
from precision.measure.metrics.sample_means import sample_mean
from precision.results.intervals import t_95, wilson

TRIALS = 600


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 19, 100, 10**6])
def test_student_s_t_is_scipys(degrees: int) -> None:
    assert t_95(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-6)


def _texts(random: np.random.Generator, count: int) -> np.ndarray:
    """The text of each token, of texts with 10 to 60 tokens."""
    return np.repeat(np.arange(count), random.integers(10, 61, size=count))


@pytest.mark.parametrize("count", [20, 40])
def test_intervals_of_means_cover_what_they_say_where_tokens_of_a_text_are_alike(count: int) -> None:
    random = np.random.default_rng(0)
    covered = independent = 0
    for _ in range(TRIALS):
        texts = _texts(random, count)
        values = 1.0 + random.normal(size=count)[texts] + random.normal(size=len(texts))
        found, naive = sample_mean(values, texts), sample_mean(values)
        assert found is not None
        assert naive is not None
        covered += (found.low or 0.0) <= 1.0 <= (found.high or 0.0)
        independent += (naive.low or 0.0) <= 1.0 <= (naive.high or 0.0)
    assert 0.92 <= covered / TRIALS <= 0.97
    assert independent / TRIALS < 0.5, "the case is one that independence gets wrong"


@pytest.mark.parametrize("count", [20, 40])
def test_intervals_of_shares_cover_what_they_say_where_tokens_of_a_text_are_alike(count: int) -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(TRIALS):
        texts = _texts(random, count)
        changed = random.random(len(texts)) < random.beta(0.6, 2.4, size=count)[texts]  # 20 % on average
        effective = effective_samples(changed, texts)
        found = wilson(effective * float(changed.mean()), effective)
        assert found is not None
        covered += found.low <= 0.2 <= found.high
    assert 0.92 <= covered / TRIALS <= 0.97


def test_independent_samples_are_worth_almost_all_of_themselves() -> None:
    random = np.random.default_rng(2)
    texts = np.repeat(np.arange(200), 20)
    worth = effective_samples(random.random(4000) < 0.3, texts)
    assert 2800 <= worth <= 4000


def test_where_nothing_changed_a_cluster_is_one_sample() -> None:
    texts = np.repeat(np.arange(30), 20)
    still = effective_samples(np.zeros(600, dtype=bool), texts)
    assert 27 < still < 30
    assert effective_samples(np.ones(20, dtype=bool), np.zeros(20, dtype=np.int64)) == 1.0
    assert standard_error(np.arange(5.0), np.zeros(5, dtype=np.int64)) is None
