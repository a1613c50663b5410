"""Input regimes against inputs that are changed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from precision.errors import InputError, JobCancelledError
from precision.findings.regimes import classes_text, worst_place_text
from precision.measure.models.loading import load
from precision.measure.own_model import own_model
from precision.measure.regime_inputs import in_regime
from precision.results.regimes import RegimesResult, SampleClasses, SampleErrors
from precision.spec import Analysis, RunSpec
from precision.spec.regimes import GIVEN, THE_INPUT, USUAL, canonical
from tests.runs import Recorder, measure_regimes, with_model


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def measured(**settings: object) -> RegimesResult:
    return measure_regimes(RunSpec.parse({"analysis": Analysis.REGIMES, **settings}))


def test_regimes_have_one_spelling() -> None:
    assert canonical("x1") == GIVEN
    assert canonical("x1e2") == canonical("x100.0") == "x100"
    assert RunSpec(regime="x1e3") == RunSpec(regime="x1000")
    for name in ("", "x", "x-1", "x0", "xinf", "100", "xnan"):
        with pytest.raises(InputError, match="no input regime"):
            canonical(name)


def test_a_regime_is_part_of_a_link() -> None:
    spec = RunSpec(regime="x10")
    assert spec.to_query() == {"regime": "x10"}
    assert RunSpec.parse(spec.to_query()) == spec
    assert spec.digest() != RunSpec().digest()


def test_numbers_are_scaled_and_one_channel_more() -> None:
    given, scaled, outlier = (load(RunSpec(model="digits")) for _ in range(3))
    (x,), (ten,) = given.args, in_regime(scaled, "x10", seed=1).args
    assert isinstance(x, Tensor)
    assert isinstance(ten, Tensor)
    assert torch.equal(ten, x * 10)
    (one,) = in_regime(outlier, "outlier", seed=1).args
    assert isinstance(one, Tensor)
    changed = (one != x).flatten(0, -2).any(0).nonzero().flatten().tolist()
    assert changed == [int(x.abs().flatten(0, -2).mean(0).argmax())]
    assert torch.equal(one[..., changed[0]], x[..., changed[0]] * 100)


def test_the_vectors_of_embeddings_are_scaled_where_only_ids_enter() -> None:
    given, scaled = load(RunSpec()), in_regime(load(RunSpec()), "x10", seed=1)
    name = next(name for name, module in given.module.named_modules() if isinstance(module, nn.Embedding))
    ids = torch.tensor([[0, 1]])
    assert torch.equal(scaled.module.get_submodule(name)(ids), given.module.get_submodule(name)(ids) * 10)
    assert type(scaled.module.get_submodule(name)).__name__ == "Embedding"
    assert all(
        torch.equal(tensor, given.module.state_dict()[key]) for key, tensor in scaled.module.state_dict().items()
    )


def test_an_input_without_anything_to_scale_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Twice(), torch.tensor([[1, 2], [3, 4]]))
    with pytest.raises(InputError, match="nothing to scale"):
        in_regime(own_model(Twice(), torch.tensor([[1, 2]])), "x10", seed=1)
    report = measured().report
    assert [row.regime for row in report.rows] == ["given", "random"]
    assert report.overflow is not None
    assert "there is nothing to scale" in report.overflow.reason


def test_random_inputs_keep_masks_and_are_called_random() -> None:
    given = load(RunSpec(model="bert-tiny"))
    random = in_regime(load(RunSpec(model="bert-tiny")), "random", seed=1)
    before, after = given.kwargs, random.kwargs
    assert not torch.equal(before["input_ids"], after["input_ids"])  # type: ignore[arg-type]
    assert torch.equal(before["input_ids"].flatten().sort()[0], after["input_ids"].flatten().sort()[0])  # type: ignore[attr-defined]
    for name in set(before) - {"input_ids"}:
        assert torch.equal(before[name], after[name])  # type: ignore[arg-type]
    assert not in_regime(load(RunSpec(model="digits")), "random", seed=1).input.real


def test_a_regime_is_what_compare_runs_too() -> None:
    report = measured(model="digits", dtype="float16").report
    assert [row.regime for row in report.rows] == list(USUAL)
    from tests.runs import compare

    for row in report.rows[:3]:
        comparison = compare(RunSpec(model="digits", regime=row.regime)).comparison
        assert comparison is not None
        assert row.errors is not None
        assert row.errors.rmse == comparison.overall.rmse


def test_overflow_starts_where_the_format_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Twice(), torch.tensor([[1.0, 3.0], [2.0, 100.0]]))
    start = measured(dtype="float16").report.overflow
    assert start is not None
    assert start.factor is not None
    assert start.finite_at is not None
    assert start.where == ""
    largest = 65520 / 200  # what rounds to infinity
    assert start.finite_at < largest <= start.factor
    assert start.factor / start.finite_at < 1.006


def test_an_input_that_does_not_fit_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, nn.Identity(), torch.tensor([[1e6, 1.0], [0.5, 1.0]]))
    result = measured(dtype="float16").report
    given = result.rows[0]
    assert given.first_nonfinite == THE_INPUT
    assert given.worst is not None
    assert (given.worst.index, given.worst.nonfinite) == (0, 1)
    assert result.overflow is not None
    assert result.overflow.finite_at is not None
    assert result.overflow.finite_at < 65520 / 1e6 <= (result.overflow.factor or math.inf)


def test_formats_that_never_overflow_say_so() -> None:
    simulated = measured(model="linear-5-10", dtype="float8_e4m3fn").report.overflow
    wide = measured(model="linear-5-10", dtype="bfloat16").report.overflow
    assert simulated is not None
    assert simulated.factor is None
    assert "saturates" in simulated.reason
    assert wide is not None
    assert wide.factor is None
    assert "Up to × 2^40" in wide.reason


def test_the_planted_overflow_is_found_below_the_given_input() -> None:
    report = measured(model="overflow", dtype="float16").report
    assert report.overflow is not None
    assert report.overflow.factor is not None
    assert report.overflow.factor < 1
    given = report.rows[0]
    assert given.first_nonfinite is not None
    assert given.first_nonfinite.startswith("blocks.")


class Picky(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.abs().max() > 50:
            raise ValueError("too large")
        return x


def test_a_regime_that_raises_keeps_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Picky(), torch.ones(2, 3))
    report = measured(dtype="float16").report
    failed = [row.regime for row in report.rows if row.failure]
    assert failed == ["x100", "x1000", "outlier"]
    assert all("too large" in row.failure.message for row in report.rows if row.failure)
    assert report.overflow is not None
    assert "too large" in report.overflow.reason


def test_progress_partial_results_and_cancel() -> None:
    spec = RunSpec(model="linear-5-10", analysis=Analysis.REGIMES)
    recorder = Recorder()
    result = measure_regimes(spec, recorder)
    assert recorder.fractions == sorted(recorder.fractions)
    partials = [each for each in recorder.partials if isinstance(each, RegimesResult)]
    assert [len(each.report.rows) for each in partials] == list(range(1, len(USUAL) + 1))
    assert RegimesResult.model_validate_json(result.model_dump_json()) == result
    with pytest.raises(JobCancelledError):
        measure_regimes(spec, Recorder(stop_at="Looking"))


def test_the_worst_sample_is_counted_from_one_and_its_classes_are_said() -> None:
    row = measured(model="digits", dtype="mxfp4").report.rows[0]
    assert row.worst is not None
    assert row.worst.classes is not None
    assert worst_place_text(row) == f"sample {row.worst.index + 1} of 450"
    labels = load(RunSpec(model="digits")).labels
    assert labels is not None
    assert row.worst.classes.truth == int(labels[row.worst.index])
    changed = SampleErrors(
        index=0, normalized_l2=None, nonfinite=1, classes=SampleClasses(truth=3, reference=3, candidate=None)
    )
    assert classes_text(changed) == "class 3 → not finite, true class 3"
