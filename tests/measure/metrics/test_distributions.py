import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from precision.formats import any_format_named, format_named
from precision.measure.metrics.chunks import pair_chunks
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.metrics.distributions import MAX_MAP_BINS, SIGNED_BINS, distributions
from precision.measure.metrics.pair_sizes import PairSizes
from precision.measure.rounding import round_to
from precision.results import ErrorDistributions

FLOAT16 = format_named("float16")
VALUE = st.one_of(
    st.floats(-8, 8), st.floats(width=16), st.sampled_from([0.0, 0.25, -0.25, 1.0, -4.0, math.nan, math.inf])
)


def measure(reference: Tensor, candidate: Tensor, *, chunk_elements: int = 1024) -> ErrorDistributions | None:
    sizes, largest = PairSizes(), -math.inf
    for chunk in pair_chunks(reference, candidate, chunk_elements=chunk_elements):
        sizes.add(chunk)
        largest = max(largest, chunk.max_abs_error)
    return None if largest < 0 else distributions(reference, candidate, FLOAT16, sizes=sizes, largest=largest)


def measured(reference: Tensor, candidate: Tensor) -> ErrorDistributions:
    found = measure(reference, candidate)
    assert found is not None
    return found


def place(value: float, edges: tuple[float, ...]) -> int:
    """The bin of a value: lower edge in, the last upper edge too."""
    return min(max(int(np.searchsorted(np.array(edges), value, side="right")) - 1, 0), len(edges) - 2)


@pytest.mark.slow
@given(st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=40), st.sampled_from([1, 7, 1024]))
def test_every_count_agrees_with_a_plain_count(pairs: list[tuple[float, float]], size: int) -> None:
    reference, candidate = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    found = measure(reference, candidate, chunk_elements=size)
    finite = [(r, y - r) for r, y in pairs if math.isfinite(r) and math.isfinite(y)]
    if not finite:
        assert found is None
        return
    assert found is not None
    signed = [0] * len(found.signed.counts)
    for _, e in finite:
        signed[place(e, found.signed.edges)] += 1
    assert list(found.signed.counts) == signed
    absolute = [0] * len(found.absolute.counts)
    for _, e in finite:
        if e:
            absolute[place(abs(e), found.absolute.edges)] += 1
    assert list(found.absolute.counts) == absolute
    exact = sum(e == 0 for _, e in finite)
    assert found.absolute.zeros == found.ulp.zeros == exact
    assert sum(found.ulp.counts) == len(finite) - exact
    grid = found.error_by_magnitude
    counts = np.zeros((max(0, len(grid.y_edges) - 1), max(0, len(grid.x_edges) - 1)), dtype=int)
    zero_error = [0] * counts.shape[1]
    for r, e in finite:
        if r and e:
            counts[place(abs(e), grid.y_edges), place(abs(r), grid.x_edges)] += 1
        elif r:
            zero_error[place(abs(r), grid.x_edges)] += 1
    assert [list(row) for row in grid.counts] == counts.tolist()
    assert list(grid.zero_error) == zero_error
    assert grid.zero_reference == sum(r == 0 for r, _ in finite)


def test_the_signed_histogram_is_symmetric_and_includes_both_ends() -> None:
    error = torch.tensor([-2.0, -1.0, 0.0, 0.5, 2.0], dtype=torch.float64)
    signed = measured(torch.zeros(5), error).signed
    assert len(signed.counts) == SIGNED_BINS
    assert signed.edges[0] == -2.0
    assert signed.edges[-1] == 2.0
    assert signed.edges == tuple(-edge for edge in reversed(signed.edges))
    assert (signed.counts[0], signed.counts[50], signed.counts[-1]) == (1, 1, 1)
    assert signed.edges[50] < 0 < signed.edges[51]
    assert not signed.log


def test_a_large_output_agrees_with_numpy() -> None:
    reference = torch.randn(50_000, generator=torch.Generator().manual_seed(0))
    found = measured(reference, reference.half())
    error = (reference.half().double() - reference.double()).numpy()
    assert list(found.signed.counts) == np.histogram(error, bins=np.array(found.signed.edges))[0].tolist()
    nonzero = np.abs(error[error != 0])
    assert list(found.absolute.counts) == np.histogram(nonzero, bins=np.array(found.absolute.edges))[0].tolist()
    assert max(found.ulp.edges[:-1]) <= 0.5
    grid = found.error_by_magnitude
    magnitude = np.abs(reference.double().numpy())[error != 0]
    expected = np.histogram2d(nonzero, magnitude, bins=[np.array(grid.y_edges), np.array(grid.x_edges)])[0]
    assert np.array(grid.counts).tolist() == expected.tolist()


def heavy_tails(n: int) -> Tensor:
    """Errors over many decades, a tenth of them zero."""
    random = np.random.default_rng(5)
    errors = 10.0 ** random.uniform(-9, -5, n) * random.standard_cauchy(n)
    errors[: n // 10] = 0
    return torch.from_numpy(random.permutation(errors))


@pytest.mark.parametrize("n", [1, 7, 1000, 30_000])
def test_the_axis_runs_from_the_thousandth_quantile_to_the_maximum(n: int) -> None:
    error = heavy_tails(n)
    absolute = measured(torch.zeros(n), error).absolute
    nonzero = np.sort(np.abs(error.numpy()[error.numpy() != 0]))
    lowest = nonzero[nonzero.size // 1000]
    assert absolute.edges[0] <= lowest < absolute.edges[1]
    assert absolute.edges[-2] <= nonzero[-1] < absolute.edges[-1]
    assert absolute.below == np.count_nonzero(nonzero < absolute.edges[0])
    assert absolute.below <= nonzero.size / 1000
    assert absolute.zeros + absolute.below + sum(absolute.counts) == n


def test_a_channel_as_good_as_dead_does_not_stretch_the_axis() -> None:
    """More than a thousandth of the errors, so that the quantile itself is many decades below all others."""
    error = torch.full((384, 100), 1e-3, dtype=torch.float64)
    error[7] = 1e-35
    absolute = measured(torch.zeros(384, 100), error).absolute
    assert (absolute.below, sum(absolute.counts)) == (100, 383 * 100)
    assert absolute.edges[0] <= 1e-3 < absolute.edges[1]
    assert len(absolute.counts) == 1
    error[8:11] = 1e-35  # more than one in a hundred: no longer a few
    assert measured(torch.zeros(384, 100), error).absolute.edges[0] <= 1e-35


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fn", "int8", "mxfp8_e4m3"])
def test_the_floor_is_counted_as_its_rounded_output(name: str) -> None:
    fmt = any_format_named(name)
    reference = torch.randn(40, 500, generator=torch.Generator().manual_seed(2))
    (output,) = compare_outputs(reference=reference, candidate=reference + 1, repeat=None, fmt=fmt).outputs
    floor, metrics = output.rounding_floor_absolute, output.rounding_floor
    assert floor is not None
    assert metrics is not None
    error = (round_to(reference, fmt).double() - reference.double()).abs().numpy()
    nonzero = error[error != 0]
    assert list(floor.counts) == np.histogram(nonzero, bins=np.array(floor.edges))[0].tolist()
    assert floor.zeros == np.count_nonzero(error == 0)
    assert floor.below == np.count_nonzero(nonzero < floor.edges[0])
    assert floor.zeros + floor.below + sum(floor.counts) == metrics.finite_pairs


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_exact_output_is_a_single_bar(value: float) -> None:
    found = measured(torch.full((4,), value), torch.full((4,), value))
    assert found.signed.counts == (4,)
    assert found.signed.edges[0] < 0 < found.signed.edges[1]
    assert (found.absolute.counts, found.absolute.edges, found.absolute.zeros) == ((), (), 4)
    assert found.ulp.zeros == 4
    grid = found.error_by_magnitude
    assert grid.counts == ()
    assert (sum(grid.zero_error), grid.zero_reference) == ((0, 4) if value == 0 else (4, 0))


@pytest.mark.parametrize("error", [5e-324, 1e-310, 1e308, 1.7e308])
def test_errors_at_the_ends_of_float64_are_binned(error: float) -> None:
    reference = torch.tensor([0.0, 0.0, 0.0], dtype=torch.float64)
    found = measured(reference, torch.tensor([error, -error, 0.0], dtype=torch.float64))
    assert sum(found.signed.counts) == 3
    assert all(math.isfinite(edge) for edge in found.signed.edges)
    assert list(found.signed.edges) == sorted(set(found.signed.edges))
    assert sum(found.absolute.counts) == 2
    assert found.absolute.zeros == 1


def test_an_error_beyond_float64_is_in_the_last_bins() -> None:
    found = measured(torch.tensor([-1e308, 0.0], dtype=torch.float64), torch.tensor([1e308, 1.0], dtype=torch.float64))
    assert sum(found.signed.counts) == 2
    assert found.signed.counts[-1] == 1
    assert found.absolute.counts[-1] == 1


def test_nothing_finite_is_none() -> None:
    for reference, candidate in [
        (torch.empty(0, 3), torch.empty(0, 3)),
        (torch.tensor([math.nan, 1.0]), torch.tensor([1.0, math.inf])),
    ]:
        (output,) = compare_outputs(reference=reference, candidate=candidate, repeat=None, fmt=FLOAT16).outputs
        assert output.distributions is None


def test_the_result_is_small_whatever_is_in_it() -> None:
    generator = torch.Generator().manual_seed(4)
    exponents = torch.randint(-300, 300, (200_000,), generator=generator)
    reference = torch.ldexp(torch.randn(200_000, dtype=torch.float64, generator=generator), exponents)
    candidate = torch.ldexp(torch.randn(200_000, dtype=torch.float64, generator=generator), exponents.roll(1))
    found = measured(reference, candidate)
    assert len(found.model_dump_json()) < 60_000
    assert len(found.error_by_magnitude.x_edges) <= MAX_MAP_BINS + 1
    assert ErrorDistributions.model_validate_json(found.model_dump_json()) == found


def test_pairs_far_under_both_axes_are_counted_apart() -> None:
    crowd = torch.linspace(1, 8, 6000, dtype=torch.float64)
    reference = torch.cat([crowd, torch.tensor([1e-30, 1e-28, 2.0, 0.0], dtype=torch.float64)])
    error = torch.cat([crowd * 1e-3, torch.tensor([1e-33, 0.0, 1e-40, 1e-40], dtype=torch.float64)])
    found = measured(torch.cat([reference, torch.zeros(6006)]), torch.cat([reference + error, torch.zeros(6006)]))
    by_magnitude = found.error_by_magnitude
    assert by_magnitude.x_edges[0] > 0.5
    assert by_magnitude.y_edges[0] > 1e-4
    assert sum(map(sum, by_magnitude.counts)) == 6000
    assert by_magnitude.zero_reference == 6007
    assert by_magnitude.below == 2  # both tiny references
    assert sum(by_magnitude.zero_error) == 1  # 2 + 1e-40 is 2
