"""Module calls of two models side by side, against two plain runs with hooks."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from precision.errors import JobCancelledError
from precision.formats import format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.lockstep.director import Options
from precision.measure.lockstep.run import run_lockstep
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.models.loading import load
from precision.results.layers import LayersReport
from precision.spec import CastMethod, RunSpec
from tests.measure.lockstep.side_by_side import both, lockstep, row_named, row_of
from tests.zoo.awkward_models import Counting, InPlace, Sampling


def outputs_by_hooks(model: CastModel, *args: object, **kwargs: object) -> list[tuple[str, object]]:
    """(fqn, output) of every module call, in the order of returning, of one plain run."""
    torch.manual_seed(0)
    prepared = model.prepared(args, kwargs)
    seen: list[tuple[str, object]] = []

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        return lambda _module, _inputs, output: seen.append((name, output))

    for name, child in prepared.module.named_modules():
        child.register_forward_hook(keep(name))
    prepared()
    return seen


class Net(nn.Module):
    """Linear layers, an activation used twice, a residual add and a container."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embed = nn.Linear(8, width)
        self.act = nn.GELU()
        self.block = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.embed(x))
        y: Tensor = self.head(self.act(x + self.block(x)))
        return y


X = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fn"])
def test_every_rows_error_is_that_of_two_plain_runs(name: str) -> None:
    fmt = format_named(name)
    report = lockstep(Net(), X, name=name)
    plain = zip(*(outputs_by_hooks(model, X) for model in both(Net(), name)), strict=True)
    rows = sorted((row for row in report.rows if row.finished is not None), key=lambda row: row.finished or 0)
    for row, ((fqn, reference), (_, candidate)) in zip(rows, plain, strict=True):
        assert row.fqn == fqn
        expected = compare_outputs(reference=reference, candidate=candidate, repeat=None, fmt=fmt).overall
        errors = report.errors_of(report.rows.index(row))
        assert errors is not None
        for metric in ("rmse", "max_abs_error", "normalized_l2", "sqnr_db", "mean_abs_error", "cosine_similarity"):
            assert getattr(errors, metric) == pytest.approx(getattr(expected, metric), rel=2e-5), (fqn, metric)
        assert errors.elements == expected.elements
        assert errors.exact_share == pytest.approx(expected.exact_share)


def test_rows_stand_in_the_order_of_calling_with_their_places_in_the_tree() -> None:
    report = lockstep(Net(), X)
    assert [(row.fqn, row.call, row.depth, row.parent, row.is_leaf) for row in report.rows] == [
        ("", 1, 0, None, False),
        ("embed", 1, 1, 0, True),
        ("act", 1, 1, 0, True),
        ("block", 1, 1, 0, False),
        ("block.0", 1, 2, 3, True),
        ("block.1", 1, 2, 3, True),
        ("act", 2, 1, 0, True),
        ("head", 1, 1, 0, True),
    ]
    assert [row.finished for row in report.rows] == [7, 0, 1, 4, 2, 3, 5, 6]
    assert report.not_called == ()
    assert report.calls == 8


def test_outputs_handed_on_are_not_read_again() -> None:
    report = lockstep(Net(), X)
    last = row_of(report, "block.1")
    assert row_named(report, "block").same_as == last
    assert row_named(report, "").same_as == row_of(report, "head")
    assert last is not None
    assert report.errors_of(3) == report.rows[last].errors
    read = [row for row in report.rows if row.same_as is None]
    assert report.compared_elements == sum(row.errors.elements for row in read if row.errors)


def test_an_output_changed_after_it_was_compared_is_read_again() -> None:
    class Doubles(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.linear(x)
            return y.mul_(2)

    report = lockstep(Doubles(), X)
    inner, outer = row_named(report, "linear").errors, row_named(report, "").errors
    assert inner is not None
    assert outer is not None
    assert outer.rmse is not None
    assert inner.rmse is not None
    assert outer.rmse > 1.5 * inner.rmse


def test_dtypes_of_inputs_and_outputs_on_both_sides() -> None:
    row = row_named(lockstep(Net(), X), "embed")
    assert [(pair.path, pair.reference_dtype, pair.candidate_dtype) for pair in row.inputs] == [
        ("[0][0]", "float32", "float16")
    ]
    assert [(pair.path, pair.shape, pair.candidate_dtype) for pair in row.outputs] == [("output", (5, 16), "float16")]


def test_a_model_against_itself_is_exact_everywhere() -> None:
    report = lockstep(Net(), X, name="float32", operators=True, decompose=True, verify=True)
    for place, row in enumerate(report.rows):
        errors = report.errors_of(place)
        assert errors is not None
        assert errors.is_exact, row.fqn
        assert errors.sqnr_db == float("inf")
        if row.corners is not None:
            assert row.corners.local.rmse == row.corners.inherited.rmse == row.corners.interaction.rmse == 0
    assert all(operator.errors is not None and operator.errors.rmse == 0 for operator in report.operators)
    assert report.observer is not None
    assert not report.observer.changed
    assert LayersReport.model_validate_json(report.model_dump_json()) == report


def test_the_histogram_counts_every_finite_pair() -> None:
    for row in lockstep(Net(), X).rows:
        if row.errors is None:
            continue
        assert row.octaves is not None
        counted = sum(row.octaves.counts) + row.octaves.zeros + row.octaves.below
        assert counted == row.errors.finite_pairs
        assert len(row.octaves.edges) == len(row.octaves.counts) + 1
        largest = row.errors.max_abs_error
        assert largest is not None
        assert row.octaves.edges[-2] <= largest * (1 + 1e-5)
        assert largest <= row.octaves.edges[-1]


def test_the_worst_elements_are_the_largest_errors() -> None:
    row = row_named(lockstep(Net(), X), "head")
    reference, candidate = (outputs_by_hooks(model, X)[-2][1] for model in both(Net(), "float16"))
    assert isinstance(reference, Tensor)
    assert isinstance(candidate, Tensor)
    errors = (candidate.double() - reference.double()).abs()
    assert [errors[element.index].item() for element in row.worst] == pytest.approx(
        errors.flatten().topk(3).values.tolist()
    )


@pytest.mark.parametrize("method", [CastMethod.AUTOCAST, CastMethod.WEIGHTS_ONLY])
def test_other_cast_methods_give_the_outputs_of_their_plain_runs(method: CastMethod) -> None:
    report = lockstep(Net(), X, name="bfloat16", method=method, verify=True)
    assert report.observer is not None
    assert not report.observer.changed
    errors = row_named(report, "head").errors
    assert errors is not None
    assert errors.rmse is not None
    assert errors.rmse > 0


@pytest.mark.parametrize("operators", [False, True])
@pytest.mark.parametrize("model", ["bert-tiny", "gpt2-tiny", "t5-tiny", "resnet-tiny"])
def test_models_of_the_catalogue_align(model: str, operators: bool) -> None:
    loaded = load(RunSpec(model=model))
    for name in ("float16", "bfloat16"):
        report = run_lockstep(
            *both(loaded.module, name),
            loaded.args,
            loaded.kwargs,
            options=Options(fmt=format_named(name), operators=operators, verify=True),
        )
        assert report.stopped is None
        assert report.divergences == ()
        assert report.observer is not None
        assert not report.observer.changed
        assert all(report.errors_of(place) is not None for place, row in enumerate(report.rows) if row.outputs)


def test_random_numbers_are_those_of_each_model_alone() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ModuleList(Sampling() for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            for inner in self.inner:
                x = inner(x)
            return x

    torch.manual_seed(8)
    expected = torch.rand(2)
    torch.manual_seed(8)
    report = lockstep(Noisy(), torch.zeros(4), name="float32", operators=True, verify=True)
    assert torch.equal(torch.rand(2), expected)
    assert report.observer is not None
    assert not report.observer.changed
    assert all(errors.is_exact for place in range(len(report.rows)) if (errors := report.errors_of(place)))


def test_state_and_inputs_of_the_caller_are_untouched() -> None:
    counting, in_place = Counting(), InPlace()
    in_place.linear = nn.Linear(2, 2)
    model, x = nn.Sequential(counting, in_place), torch.randn(3, 2)
    before = x.clone()
    report = lockstep(model, x, operators=True, decompose=True, verify=True)
    assert torch.equal(x, before)
    assert counting.calls.item() == 0
    assert report.observer is not None
    assert not report.observer.changed


def test_the_fused_path_of_a_transformer_encoder_stays_on() -> None:
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    x = torch.randn(2, 3, 8)
    report = lockstep(encoder, x, name="bfloat16", verify=True)
    assert "layers.0.linear1" in report.not_called
    assert any("one fused kernel" in note for note in report.notes)
    assert report.observer is not None
    assert not report.observer.changed
    watched = lockstep(encoder, x, name="bfloat16", operators=True)
    assert any("switches off the fused path" in note for note in watched.notes)
    assert row_of(watched, "layers.0.linear1") is not None


def test_progress_is_told_of_every_call_and_may_cancel() -> None:
    seen: list[tuple[str, float]] = []
    lockstep(Net(), X, on_call=lambda name, fraction: seen.append((name, fraction)))
    assert [name for name, _ in seen] == ["embed", "act", "block.0", "block.1", "block", "act", "head", ""]
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] <= 1

    def cancel(name: str, fraction: float) -> None:
        if name == "block.0":
            raise JobCancelledError("enough")

    with pytest.raises(JobCancelledError, match="enough"):
        lockstep(Net(), X, on_call=cancel)


def test_calls_beyond_the_limit_run_unobserved() -> None:
    report = lockstep(Net(), X, max_calls=3, verify=True)
    assert report.calls == 3
    assert [row.fqn for row in report.rows if row.finished is not None] == ["embed", "act", "block.0"]
    assert "Only the first 3 module calls were compared." in report.notes
    assert report.observer is not None
    assert not report.observer.changed


def test_integers_that_differ_are_counted() -> None:
    class Rounds(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.long(), x > 0.3333

    report = lockstep(Rounds(), torch.tensor([257.0, 1.0, 0.33333]), name="bfloat16")
    row = row_named(report, "")
    assert row.errors is None
    assert row.integers_differ == 2
    assert row.octaves is None


@pytest.mark.filterwarnings("ignore")  # of what else is alive
def test_memory_is_that_of_one_call() -> None:
    width, layers = 200_003, 12
    chain = nn.Sequential(*(nn.Hardtanh(-i - 1.0, i + 1.0) for i in range(layers)))
    alive: list[int] = []

    def count(name: str, fraction: float) -> None:
        held = [each for each in gc.get_objects() if isinstance(each, Tensor) and not is_lazy(each)]
        tensors = [each for each in held if each.numel() == width]
        alive.append(len({tensor.untyped_storage().data_ptr() for tensor in tensors}))

    lockstep(chain, torch.randn(width), name="bfloat16", on_call=count)
    # The caller's own; on each side the model's input, and input and output of the layer that has just run.
    assert max(alive) <= 7
