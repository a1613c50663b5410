"""What compiled loops count and pick, against NumPy in float64: every dtype, numbers at both ends of float32."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from precision.formats import format_named
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.clusters import Values
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.metrics.distributions import SIGNED_BINS, distributions
from precision.measure.metrics.log_bins import EIGHTHS, sizes_of
from precision.measure.metrics.pair_sizes import PairSizes
from precision.measure.metrics.quantiles import QuantileSample
from precision.measure.rounding import round_to
from precision.results import ErrorDistributions

N = 2**17
FLOAT16 = format_named("float16")


def noise(seed: int) -> Tensor:
    return torch.randn(N, generator=torch.Generator().manual_seed(seed))


def wide(seed: int) -> Tensor:
    """Numbers of every exponent that float32 has, subnormals and zeros among them."""
    bits = torch.randint(0, 0x7F80_0000, (N,), generator=torch.Generator().manual_seed(seed), dtype=torch.int32)
    return torch.where(noise(seed) > 1, 0.0, bits.view(torch.float32) * noise(seed).sign())


CASES: dict[str, tuple[Tensor, Tensor]] = {
    "noise": (noise(0), noise(0) + 1e-3 * noise(1)),
    "every exponent": (wide(0) / 4, wide(1) / 4),
    "subnormal": (noise(0) * 1e-39, noise(0) * 1e-39 + noise(1) * 1e-42),
    "equal": (noise(0), noise(0)),
    "zeros": (torch.zeros(N), torch.zeros(N)),
    "one error": (noise(0), noise(0).index_put((torch.tensor([77]),), torch.tensor(3.0))),
    "on the edges": (torch.zeros(N), (torch.arange(N) % 203 - 101) / 101.0),
    "the same size": (noise(0).sign(), 1.5 * noise(0).sign()),
    "huge": (noise(0) * 1e37, noise(1) * 1e37),
}


def errors_of(reference: Tensor, candidate: Tensor) -> Values:
    """Rounded once to float32, as chunks have them."""
    return (candidate.float() - reference.float()).numpy().astype(np.float64)


def counted(reference: Tensor, candidate: Tensor) -> tuple[PairSizes, float]:
    sizes, largest = PairSizes(), -math.inf
    for chunk in pair_chunks(reference, candidate):
        sizes.add(chunk)
        largest = max(largest, float(np.abs(candidate.double().numpy() - reference.double().numpy()).max()))
    return sizes, largest


def found(reference: Tensor, candidate: Tensor) -> ErrorDistributions:
    sizes, largest = counted(reference, candidate)
    return distributions(reference, candidate, FLOAT16, sizes=sizes, largest=largest)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
@pytest.mark.parametrize("name", CASES)
def test_sizes_are_those_of_a_plain_count(name: str, dtype: torch.dtype) -> None:
    reference, candidate = CASES[name]
    candidate = candidate.to(dtype)
    if not candidate.float().isfinite().all():
        candidate = candidate.float().nan_to_num(0, 0, 0).to(dtype)
    errors, references, counts = counted(reference, candidate)[0].cells()
    expected = [np.abs(errors_of(reference, candidate)), reference.abs().double().numpy()]
    pairs, repeats = np.unique(np.stack([_plain_sizes(x) for x in expected]), axis=1, return_counts=True)
    assert [*zip(errors.tolist(), references.tolist(), counts.tolist(), strict=True)] == [
        *zip(*pairs.tolist(), repeats.tolist(), strict=True)
    ]


def _plain_sizes(values: Values) -> Values:
    mantissas, exponents = np.frexp(values)
    starts = np.rint(512 * (2.0 ** (np.arange(EIGHTHS) / EIGHTHS) - 1)) / 512
    eighths = np.searchsorted(starts, 2 * mantissas - 1, side="right") - 1
    return np.where(values == 0, 0, (exponents.astype(np.int64) - 1 + 1075) * EIGHTHS + eighths)


@pytest.mark.parametrize("values", [[0.0, 5e-324, 1e-310, 2.0**-1022, 0.5, 1.0, 1.7e308], [1.0], []])
def test_sizes_of_float64_are_those_of_a_plain_count(values: list[float]) -> None:
    assert sizes_of(np.array(values)).tolist() == _plain_sizes(np.array(values)).tolist()


@pytest.mark.parametrize("name", CASES)
def test_signed_bins_are_those_of_exact_differences(name: str) -> None:
    reference, candidate = CASES[name]
    signed = found(reference, candidate).signed
    exact = candidate.double().numpy() - reference.double().numpy()
    assert sum(signed.counts) == N
    if len(signed.counts) == SIGNED_BINS:
        places = np.searchsorted(np.array(signed.edges), exact, side="right") - 1
        assert list(signed.counts) == np.bincount(np.minimum(places, SIGNED_BINS - 1), minlength=SIGNED_BINS).tolist()


@pytest.mark.parametrize("name", ["noise", "every exponent", "equal", "one error"])
def test_errors_in_ulps_are_those_of_a_division(name: str) -> None:
    reference, candidate = CASES[name]
    ulp = found(reference, candidate).ulp
    octaves = np.frexp(np.maximum(np.abs(reference.double().numpy()), FLOAT16.smallest_normal))[1] - 1.0 - 10
    errors = np.abs(errors_of(reference, candidate)) / 2.0**octaves
    nonzero = errors[errors > 0]
    assert ulp.zeros == N - nonzero.size
    assert (
        list(ulp.counts) == [int(count) for count in np.histogram(nonzero, bins=np.array(ulp.edges))[0]]
        or not ulp.counts
    )
    assert ulp.below + sum(ulp.counts) == nonzero.size


@pytest.mark.parametrize("limit", [N, N // 3])
@pytest.mark.parametrize("name", CASES)
def test_quantiles_of_many_are_numpys(name: str, limit: int) -> None:
    reference, candidate = CASES[name]
    sample = QuantileSample(N, limit=limit)
    for chunk in pair_chunks(reference, candidate, chunk_elements=100 * 1024):
        sample.add(chunk)
    kept = np.abs(errors_of(reference, candidate))[:: -(-N // limit)]
    assert sample.size == kept.size
    assert sample.quantiles((0.0, 0.3, 0.5, 0.99, 1.0)) == pytest.approx(
        np.quantile(kept, (0, 0.3, 0.5, 0.99, 1)).tolist()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_rows_add_up_as_in_float64(dtype: torch.dtype) -> None:
    """The same numbers as float64 tensors, which no compiled loop reads."""
    reference, candidate = noise(0).reshape(64, 64, 32), (noise(0) + 1e-2 * noise(1)).to(dtype).reshape(64, 64, 32)
    candidate[3, 4, 5] = torch.nan
    reference[5, 6, 7] = torch.inf
    narrow, wide_ = (
        compare_outputs(reference=r, candidate=y, repeat=None, fmt=FLOAT16).outputs[0].metrics
        for r, y in ((reference, candidate), (reference.double(), candidate.double()))
    )
    assert narrow.mean_signed_error_se == pytest.approx(wide_.mean_signed_error_se, rel=1e-6)
    assert narrow.factor_error_se == pytest.approx(wide_.factor_error_se, rel=1e-6)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_the_floor_of_a_format_with_a_dtype_is_that_of_exact_rounding(name: str) -> None:
    """torch's cast rounds the chunks; `round_to` rounds here."""
    fmt = format_named(name)
    reference = torch.cat(
        [wide(0)[: 2**14], noise(0), noise(1) * 6e-5, torch.full((N,), 65519.9), -torch.full((N,), 3.4e38)]
    )
    for chunk in pair_chunks(reference, fmt, chunk_elements=4096):
        rounded = round_to(reference[chunk.start : chunk.start + chunk.elements], fmt, saturate=False)
        if chunk.positions is None:
            assert torch.equal(chunk.candidate.float(), rounded)
        else:
            assert torch.equal(chunk.candidate.float(), rounded[chunk.positions])
