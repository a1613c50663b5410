import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from precision.formats import FORMATS, NumericFormat, format_named
from precision.measure.metrics.comparison import NOTHING_COMPARED, NOTHING_FLOATING, compare_outputs
from precision.measure.rounding import round_to, storage_dtype
from precision.results import Comparison, ErrorMetrics

FLOAT16 = format_named("float16")


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def compare(reference: object, candidate: object, *, repeat: object = None, fmt: NumericFormat = FLOAT16) -> Comparison:
    return compare_outputs(reference=reference, candidate=candidate, repeat=repeat, fmt=fmt)


def test_a_bare_tensor() -> None:
    reference = noise(4, 5)
    result = compare(reference, reference.half(), repeat=reference.clone())
    (output,) = result.outputs
    assert (output.path, output.shape) == ("output", (4, 5))
    assert (output.reference_dtype, output.candidate_dtype) == ("float32", "float16")
    assert output.metrics.max_abs_error == (reference - reference.half().float()).abs().max().item()
    assert output.metrics.max_abs_error_index is not None
    assert output.distributions is not None
    assert len(output.preview) == len(output.worst) == 20
    assert result.notes == ()
    assert result.repeat_floor.exact_share == 1.0
    assert Comparison.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_a_candidate_that_only_rounds_is_at_the_rounding_floor(fmt: NumericFormat) -> None:
    reference = noise(300)
    candidate = reference.to(storage_dtype(fmt)) if fmt.has_dtype else round_to(reference, fmt)
    result = compare(reference, candidate, fmt=fmt)
    assert result.rounding_floor == result.overall
    assert result.overall.max_ulp_error is not None
    assert result.overall.max_ulp_error <= 0.5


def test_the_rounding_floor_counts_overflow_and_does_not_average_it() -> None:
    reference = torch.tensor([1e5, -1e6, 1.0 + 2**-12])
    for name in ("float16", "float8_e4m3fn"):
        floor = compare(reference, reference, fmt=format_named(name)).rounding_floor
        assert (floor.cand_only_nonfinite, floor.finite_pairs) == (2, 1)
        assert floor.max_abs_error == 2**-12


@dataclass
class Output:
    logits: Tensor
    ids: Tensor
    hidden: tuple[Tensor, ...]


def test_floating_outputs_are_taken_together_and_integers_are_apart() -> None:
    a, b = noise(3, 4), noise(5, seed=1)
    reference = Output(a, torch.tensor([1, 2, 3, 4]), (b,))
    candidate = Output(a.half(), torch.tensor([1, 2, 9, 9]), (b.half(),))
    result = compare(reference, candidate, repeat=reference)
    assert [output.path for output in result.outputs] == ["logits", "ids", "hidden[0]"]
    joined = torch.cat([a.flatten(), b])
    together = compare(joined, joined.half()).overall
    for name in ErrorMetrics.model_fields:
        ours, theirs = getattr(result.overall, name), getattr(together, name)
        assert ours == (pytest.approx(theirs, rel=1e-14) if isinstance(theirs, float) else theirs), name
    assert result.overall.elements == result.rounding_floor.elements == result.repeat_floor.elements == 17
    ids = result.outputs[1]
    assert (ids.metrics.exact_share, ids.metrics.mean_abs_error, ids.distributions) == (0.5, None, None)
    assert [pair.index for pair in ids.worst] == [(2,), (3,)]


def test_the_index_of_the_maximum_belongs_to_one_output_only() -> None:
    assert compare(noise(3), noise(3).half()).overall.max_abs_error_index is None


def test_without_floating_outputs_the_share_of_equal_elements_counts() -> None:
    ids, mask = torch.tensor([1, 2]), torch.tensor([True])
    result = compare({"a": ids, "b": mask}, {"a": torch.tensor([1, 3]), "b": mask}, repeat={"a": ids})
    assert result.overall.exact_share == 2 / 3
    assert result.overall.mean_abs_error is None
    assert NOTHING_FLOATING in result.notes
    assert result.rounding_floor.elements == 0
    assert (result.repeat_floor.elements, result.repeat_floor.exact_share) == (2, 1.0)


def assert_unmeasured(metrics: ErrorMetrics) -> None:
    assert metrics.elements == 0
    assert metrics.mean_abs_error is metrics.sqnr_db is metrics.exact_share is metrics.rmse is None


@pytest.mark.parametrize(("reference", "candidate"), [(None, None), ((), ()), ("text", "text"), (1.0, 1.0)])
def test_nothing_to_compare_is_said(reference: object, candidate: object) -> None:
    result = compare(reference, candidate)
    assert result.outputs == ()
    assert NOTHING_COMPARED in result.notes
    assert_unmeasured(result.overall)
    assert_unmeasured(result.rounding_floor)
    assert_unmeasured(result.repeat_floor)


def test_no_elements_is_said_and_is_not_zero() -> None:
    result = compare({"x": torch.empty(0, 3)}, {"x": torch.empty(0, 3).half()})
    assert "x has no elements: nothing to compare." in result.notes
    (output,) = result.outputs
    assert_unmeasured(output.metrics)
    assert output.distributions is None
    assert output.worst == output.preview == ()


def test_structures_that_differ_are_noted_and_the_rest_is_compared() -> None:
    same = noise(2)
    reference = {"same": same, "gone": same, "shape": noise(2, 3), "kind": same, "row": noise(1, 3)}
    candidate = {"same": same, "shape": noise(3, 2), "kind": torch.tensor([1, 2]), "row": noise(3), "new": same}
    result = compare(reference, candidate, repeat={**reference, "same": noise(1)})
    assert [output.path for output in result.outputs] == ["same"]
    assert result.notes == (
        "gone is in the reference's output but not in that of the candidate: not compared.",
        "shape has shape (2, 3) in the reference and (3, 2) in the candidate: not compared.",
        "kind is float32 in the reference and int64 in the candidate: not compared.",
        "row has shape (1, 3) in the reference and (3,) in the candidate: not compared.",
        "new is only in the output of the candidate: not compared.",
        "same has shape (2,) in the reference and (1,) in the second run of the reference: not compared.",
    )
    assert result.overall.elements == 2
    assert_unmeasured(result.repeat_floor)


def test_the_repeat_floor_is_over_what_is_compared() -> None:
    reference = {"a": noise(3), "b": noise(4)}
    result = compare(reference, {"a": noise(3)}, repeat=reference)
    assert result.repeat_floor.elements == 3


def test_notes_on_outputs_are_said_once() -> None:
    output = {"x": noise(2), "loss": 0.5}
    assert compare(output, output, repeat=output).notes == ("loss is of type float, not a tensor: not compared.",)
    notes = compare({"x": noise(2), "cache": object()}, {"x": noise(2)}).notes
    assert notes == ("Reference: cache is of type object, not a tensor: not compared.",)
    notes = compare({"x": noise(2)}, {"x": noise(2), "cache": "none"}).notes
    assert notes == ("Candidate: cache is of type str, not a tensor: not compared.",)


def test_complex_outputs_are_compared_by_their_parts() -> None:
    reference = torch.tensor([1 + 2j, 3 + 4j])
    result = compare(reference, torch.tensor([1 + 2j, 3 + 4.5j]))
    (output,) = result.outputs
    assert (output.reference_dtype, output.shape) == ("complex64", (2, 2))
    assert (output.metrics.max_abs_error, output.metrics.max_abs_error_index) == (0.5, (1, 1))
    dropped = compare(reference, reference.real)
    assert dropped.notes[1:] == (
        "output is complex64 in the reference and float32 in the candidate: not compared.",
        NOTHING_COMPARED,
    )


def test_nonfinite_reference_and_candidate() -> None:
    result = compare(torch.tensor([math.nan, 1.0, math.inf]), torch.tensor([math.nan, math.inf, 2.0]))
    metrics = result.overall
    assert (metrics.ref_only_nonfinite, metrics.cand_only_nonfinite, metrics.both_nonfinite) == (1, 1, 1)
    assert [pair.index for pair in result.outputs[0].worst] == [(1,), (2,)]


def test_many_outputs_are_compared_by_place() -> None:
    reference = [noise(2, seed=seed) for seed in range(5)]
    result = compare(reference, [x + i for i, x in enumerate(reference)])
    errors = [output.metrics.max_abs_error for output in result.outputs]
    assert errors == pytest.approx([0, 1, 2, 3, 4], rel=1e-6)
    assert result.overall.max_abs_error == errors[-1]


def test_an_output_longer_than_a_chunk() -> None:
    reference = noise(100_001)
    result = compare(reference, reference.bfloat16(), fmt=format_named("bfloat16"))
    error = (reference.bfloat16().double() - reference.double()).abs()
    metrics = result.overall
    assert metrics.mean_abs_error == pytest.approx(error.mean().item(), rel=1e-6)
    assert metrics.median_abs_error == error.median().item()
    assert result.outputs[0].metrics.max_abs_error_index == (int(error.argmax()),)
    assert result.outputs[0].worst[0].abs_error == metrics.max_abs_error
    assert metrics == result.rounding_floor


def test_a_large_output_with_torchs_negative_bit_is_compared() -> None:
    spectrum = torch.fft.rfft(torch.randn(40_000, generator=torch.Generator().manual_seed(0)))
    output = spectrum.conj().imag
    assert output.is_neg()
    found = compare_outputs(reference=output, candidate=output.half(), repeat=output, fmt=format_named("float16"))
    assert found.overall.rmse == found.rounding_floor.rmse
    assert found.repeat_floor.exact_share == 1
