"""Verdicts on models of kinds that people report, with the values that plain torch gives."""

from __future__ import annotations

import copy

import torch
from torch import nn

import precision as px
from precision.library.measured import Comparison
from precision.results import ClassDecisions, CrossingDecisions
from precision.spec.output_kinds import OutputKind
from tests.field.cases.outputs import Detector, MaskedWords, Outside, Picker, Sampler, Voice, small_bias


def compare(module: nn.Module, *inputs: torch.Tensor, dtype: str, **settings: object) -> Comparison:
    return px.compare(module, inputs, dtype=dtype, progress=False, **settings)  # type: ignore[arg-type]


def sqnr_by_hand(reference: torch.Tensor, candidate: torch.Tensor) -> float:
    r, y = reference.double(), candidate.double()
    return float(20 * torch.log10(r.norm() / (y - r).norm()))


def test_the_output_that_is_lost_decides_and_is_named() -> None:
    torch.manual_seed(0)
    run = compare(Detector(), torch.randn(200, 16), dtype="float16")
    assert (run.verdict.word, run.verdict.output) == ("broken", "boxes")
    assert run.metrics["sqnr_db"] > 60, "pooled, the lost output cannot be seen"
    assert [output.kind for output in run.outputs] == [OutputKind.CLASS_SCORES, OutputKind.BOXES]


def test_where_float32_itself_is_as_far_off_the_format_is_not_blamed() -> None:
    torch.manual_seed(3)
    model = Voice()
    with torch.no_grad():
        model.cell.weight_hh *= 12
        model.front.weight *= 4
    for dtype in ("bfloat16", "int8"):
        run = compare(model, torch.randn(1, 200, 64), dtype=dtype)
        assert run.verdict.word == "not attributable"
        assert run.verdict.sentence.startswith("The float32 reference is itself ")
        assert run.verdict.against_rounding is None
        decided = run.outputs[0].decisions
        assert isinstance(decided, CrossingDecisions), "time steps are no samples of a classifier"
        assert decided.samples == 1


def test_noise_is_that_of_the_reference_in_every_precision() -> None:
    torch.manual_seed(19)
    model, x = Sampler(), torch.randn(32, 64)
    run = compare(model, x, dtype="float16")
    assert run.result.comparison is not None
    assert run.result.comparison.noise == "shared"
    assert 65 < run.metrics["sqnr_db"] < 67
    truth = run.result.comparison.truth
    assert truth is not None
    assert truth.own_share is not None
    assert truth.own_share < 0.01
    assert compare(model, x, dtype="float64").verdict.word == "close"


def test_draws_that_depend_on_the_values_are_not_blamed_on_the_format() -> None:
    torch.manual_seed(1)
    run = compare(Picker(), 4 * torch.randn(400, 16), dtype="bfloat16")
    assert run.result.comparison is not None
    assert run.result.comparison.noise == "not shared"
    assert run.verdict.sentence.startswith("The model draws random numbers in its forward, and")
    assert run.verdict.against_rounding is None


def test_noise_that_cannot_be_replayed_is_never_blamed_on_the_format() -> None:
    for seed in range(4):
        torch.manual_seed(seed)
        run = compare(Outside(), torch.randn(40, 32), dtype="bfloat16")
        assert run.verdict.word == "not attributable"
        assert run.verdict.sentence.startswith("Two runs of the reference differ")
        assert run.verdict.against_rounding is None


def test_words_that_a_mask_excludes_leave_every_sample_its_class() -> None:
    torch.manual_seed(7)
    model, x = MaskedWords(), torch.randn(200, 16)
    with torch.no_grad():
        full, low = model(x)["logits"], copy.deepcopy(model).bfloat16()(x.bfloat16())["logits"]
    flips = int((full.argmax(1) != low.argmax(1)).sum())
    run = compare(model, x, dtype="bfloat16")
    decided = run.outputs[0].decisions
    assert isinstance(decided, ClassDecisions)
    assert (decided.samples, decided.nonfinite_samples, decided.flips) == (200, 0, flips)
    assert not any("infinite" in warning for warning in run.result.warnings)


def test_without_evidence_of_classes_errors_are_compared_and_not_flips() -> None:
    torch.manual_seed(5)
    model, x = small_bias(), torch.randn(64, 3, 8, 8)
    sqnr = {dtype: compare(model, x, dtype=dtype).metrics["sqnr_db"] for dtype in ("float16", "bfloat16")}
    assert 65 < sqnr["float16"] < 68
    assert 47 < sqnr["bfloat16"] < 50
    assert compare(model, x, dtype="bfloat16").verdict.word == "close"
    said = compare(model, x, dtype="bfloat16", outputs="class-scores").outputs[0]
    assert isinstance(said.decisions, ClassDecisions)


def test_nothing_finite_is_not_measured_and_never_exact() -> None:
    model = nn.Linear(4, 4)
    nn.init.constant_(model.weight, float("nan"))
    assert compare(model, torch.randn(3, 4), dtype="float16").verdict.word == "not measured"


class Tokens(nn.Module):
    """Scores for each token, wrong in low precision at padding only."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 50)

    def forward(self, ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """`(texts, tokens)` to `(texts, tokens, 50)`."""
        scores = self.head(self.embed(ids))
        return {"logits": torch.where(attention_mask[..., None] != 0, scores, scores * 40)}


def test_padding_enters_no_figure_and_is_counted() -> None:
    torch.manual_seed(0)
    model = Tokens()
    ids, mask = torch.randint(0, 50, (3, 12)), torch.zeros(3, 12, dtype=torch.long)
    for text, length in enumerate((12, 3, 5)):
        mask[text, :length] = 1
    run = compare(model, ids, mask, dtype="bfloat16")
    output = run.outputs[0]
    with torch.no_grad():
        reference = model(ids, mask)["logits"][mask != 0]
        candidate = model.bfloat16()(ids, mask)["logits"][mask != 0]
    assert abs(run.metrics["sqnr_db"] - sqnr_by_hand(reference, candidate)) < 1e-6
    assert isinstance(output.decisions, ClassDecisions)
    assert (output.decisions.samples, output.decisions.clusters, output.shape) == (20, 3, (3, 12, 50))
    assert output.metrics.elements == 20 * 50
    assert run.result.comparison is not None
    assert any("16 of the 36 positions of logits are padding" in note for note in run.result.comparison.notes)
    index = output.metrics.max_abs_error_index
    assert index is not None
    assert mask[index[0], index[1]] == 1


class Added(Tokens):
    """The same with a mask that is added to scores of attention, `(texts, 1, queries, keys)`."""

    def forward(self, ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """`(texts, tokens)` to `(texts, tokens, 50)`."""
        return super().forward(ids, attention_mask[:, 0, -1] == 0)


def test_padding_is_read_off_a_mask_that_is_added_to_attention() -> None:
    torch.manual_seed(0)
    model, ids = Added(), torch.randint(0, 50, (3, 12))
    real = torch.arange(12) < torch.tensor([[12], [3], [5]])
    seen = torch.ones(12, 12).tril().bool() & real[:, None, None]
    run = compare(model, ids, torch.zeros(seen.shape).masked_fill(~seen, -1e9), dtype="bfloat16")
    with torch.no_grad():
        reference = Tokens.forward(model, ids, real)["logits"][real]
        candidate = Tokens.forward(model.bfloat16(), ids, real)["logits"][real]
    assert abs(run.metrics["sqnr_db"] - sqnr_by_hand(reference, candidate)) < 1e-6
    assert run.outputs[0].metrics.elements == 20 * 50


def test_the_callers_mask_counts_where_no_argument_says_it() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    x, real = torch.randn(2, 6, 8), torch.ones(2, 6, dtype=torch.bool)
    real[1, 2:] = False
    run = compare(model, x, dtype="bfloat16", mask=real)
    with torch.no_grad():
        expected = sqnr_by_hand(model(x)[real], model.bfloat16()(x.bfloat16())[real])
    assert abs(run.metrics["sqnr_db"] - expected) < 1e-6


def test_padding_enters_no_number_of_a_layer() -> None:
    torch.manual_seed(0)
    model = Tokens()
    ids, mask = torch.randint(0, 50, (3, 12)), torch.zeros(3, 12, dtype=torch.long)
    for text, length in enumerate((12, 3, 5)):
        mask[text, :length] = 1
    rows = {row.fqn: row for row in px.layers(model, (ids, mask), dtype="bfloat16", progress=False).rows}
    with torch.no_grad():
        reference = model.embed(ids)[mask != 0]
        candidate = model.bfloat16().embed(ids)[mask != 0]
    embedded = rows["embed"]
    assert embedded.errors is not None
    assert embedded.errors.elements == 20 * 16
    assert abs((embedded.errors.sqnr_db or 0) - sqnr_by_hand(reference, candidate)) < 1e-3
    assert embedded.outputs[0].shape == (3, 12, 16)
    assert embedded.corners is not None
    assert embedded.corners.local.rmse == embedded.corners.propagated.rmse
