"""The words that decisions give: one real small model for each word, and one test for each boundary."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from precision.findings.decisions import decision_rows, mean_cells
from precision.findings.decisions_judged import ENOUGH_CLUSTERS, Yardsticks, few_clusters_text, samples_needed
from precision.findings.verdict import judge
from precision.measure.metrics.decisions import class_decisions, margin_bins
from precision.measure.metrics.output_kinds import Taken
from precision.measure.metrics.outputs import flatten
from precision.results import ClassDecisions, CompareResult, CrossingDecisions, NeighbourDecisions, SampleMean
from precision.results.intervals import Z_95, t_95, wilson
from precision.spec import RunSpec
from precision.spec.output_kinds import OutputKind
from tests.findings.test_verdict import measured, metrics, output, result
from tests.runs import compare, with_model


class Scores(nn.Module):
    """The first class leads by a margin, through sums that lose digits in low precision."""

    def __init__(self, margin: float, *, lost: float) -> None:
        super().__init__()
        self.margin = nn.Parameter(torch.tensor(margin))
        self.lost = nn.Parameter(torch.tensor(lost))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Adds and takes away `lost`, which rounds x to its spacing, and gives the first class the margin."""
        rounded = (x + self.lost) - self.lost
        return {"logits": torch.cat([rounded[:, :1] + self.margin, rounded[:, 1:]], dim=1)}


class Named(nn.Module):
    """Its input as an output called `state`, after some rounding."""

    def __init__(self, lost: float) -> None:
        super().__init__()
        self.lost = nn.Parameter(torch.tensor(lost))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"state": ((x + self.lost) - self.lost)[None]}


def run(monkeypatch: pytest.MonkeyPatch, module: nn.Module, *args: Tensor, dtype: str = "float16") -> CompareResult:
    with_model(monkeypatch, module, *args)
    return compare(RunSpec(dtype=dtype))


def inputs(rows: int, columns: int = 4) -> Tensor:
    return torch.rand(rows, columns, generator=torch.Generator().manual_seed(0)) + 0.5


def halves(rows: int) -> Tensor:
    """Multiples of a half, which every format here holds exactly."""
    return (2 * inputs(rows)).round() / 2


@pytest.mark.parametrize(
    ("module", "x", "dtype", "word"),
    [
        (nn.Identity(), halves(8), "float16", "exact"),
        (nn.Identity(), inputs(8), "float16", "close"),
        (nn.Identity(), inputs(8), "float64", "exact"),
        (Scores(4.0, lost=64.0), inputs(200), "float16", "kept"),
        (Scores(4.0, lost=64.0), inputs(8), "float16", "uncertain"),
        (Scores(0.001, lost=64.0), inputs(200), "float16", "changed"),
        (Named(lost=1024.0), inputs(8), "float16", "changed"),
        (Named(lost=64.0), inputs(8), "float16", "close"),
        (nn.Identity(), 1e6 * inputs(8), "float16", "broken"),
        (Scores(0.0, lost=4096.0), inputs(200) - 1, "float16", "broken"),
    ],
)
def test_a_model_built_to_deserve_each_word(
    monkeypatch: pytest.MonkeyPatch, module: nn.Module, x: Tensor, dtype: str, word: str
) -> None:
    found = run(monkeypatch, module, x, dtype=dtype)
    assert found.verdict is not None
    assert found.verdict.word == word, found.verdict.sentence


class Restless(nn.Module):
    """Answers otherwise at every call, and its copies with it."""

    calls = iter(range(10**6))

    def forward(self, x: Tensor) -> Tensor:
        wobble = (1.0, -1.0, 0.5)[next(self.calls) % 3]
        return x + wobble * torch.tensor([0.5, -0.5, 0.0, 0.0])


def test_flips_beside_those_of_the_reference_itself_are_not_the_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, Restless(), halves(50), dtype="float32")
    assert found.verdict is not None
    assert found.verdict.word == "not attributable"


def decided(flips: int, samples: int) -> CompareResult:
    """A comparison with so many flips, as it would be stored."""
    none = torch.zeros(0).numpy()
    bins = margin_bins(none, none.astype(bool))
    decisions = ClassDecisions(
        classes=2,
        samples=samples,
        nonfinite_samples=0,
        flips=flips,
        kl=None,
        delta_p=None,
        score_margins=bins,
        probability_margins=bins,
        accuracy=None,
    )
    return result(output(metrics(5.0), decisions=decisions))


@pytest.mark.parametrize(
    ("flips", "samples", "word"),
    [
        (0, 72, "uncertain"),
        (0, 73, "kept"),
        (1, 10**6, "changed"),
        (1, 1, "changed"),
        (0, 1, "uncertain"),
    ],
)
def test_no_flip_says_something_from_seventy_three_samples_on_and_one_flip_always(
    flips: int, samples: int, word: str
) -> None:
    assert judge(decided(flips, samples)).word == word


@pytest.mark.parametrize(
    ("flips", "samples", "word"),
    [
        (10, 1000, "kept"),
        (90, 1000, "uncertain"),
        (120, 1000, "changed"),
        (100, 1000, "uncertain"),
        (100, 10**6, "kept"),
    ],
)
def test_tolerated_flips_are_judged_by_the_whole_interval(flips: int, samples: int, word: str) -> None:
    assert judge(decided(flips, samples), Yardsticks(tolerated_flips=0.1)).word == word


def test_flips_at_the_tolerated_share_are_on_the_line_whatever_the_samples() -> None:
    verdict = judge(decided(100, 1000), Yardsticks(tolerated_flips=0.1))
    assert verdict.sentence.endswith("More samples would not decide it.")


@pytest.mark.parametrize("limits", [Yardsticks(), Yardsticks(tolerated_flips=0.1), Yardsticks(resolved_flips=0.01)])
@pytest.mark.parametrize(("flips", "samples"), [(0, 8), (1, 20), (3, 40), (5, 40)])
def test_so_many_samples_as_it_says_would_tell(limits: Yardsticks, flips: int, samples: int) -> None:
    found = decided(flips, samples)
    if judge(found, limits).word != "uncertain":
        return
    assert found.comparison is not None
    decisions = found.comparison.outputs[0].decisions
    assert isinstance(decisions, ClassDecisions)
    needed = samples_needed(decisions, limits)
    assert needed is not None
    assert f"About {needed:,} are needed, {needed - samples:,} more." in judge(found, limits).sentence
    interval = wilson(flips / samples * needed, needed)
    assert interval is not None
    most = max(limits.tolerated_flips, limits.resolved_flips)
    assert interval.low > limits.tolerated_flips or interval.high <= most + 1e-12


def test_changing_the_yardsticks_judges_a_stored_result_anew() -> None:
    stored = decided(0, 40)
    assert judge(stored).word == "uncertain"
    assert judge(stored, Yardsticks(resolved_flips=0.2)).word == "kept"
    assert judge(stored, Yardsticks(broken_below_db=61.0)).word == "broken"


def turned(cosine: float, largest: float) -> CompareResult:
    return result(output(metrics(5.0, cosine_similarity=cosine, max_abs_error=largest)))


def test_without_decisions_the_cosine_decides() -> None:
    assert judge(turned(0.99, 1.0)).word == "close"
    assert judge(turned(0.98999, 1.0)).word == "changed"
    assert judge(turned(0.98999, 1.0), Yardsticks(least_cosine=0.9)).word == "close"


def test_or_the_error_that_the_user_tolerates() -> None:
    assert judge(turned(0.9, 1.0), Yardsticks(largest_error=1.0)).word == "kept"
    assert judge(turned(1.0, 1.001), Yardsticks(largest_error=1.0)).word == "changed"


def pointing(cosine: float, spread: float, changed: int = 2) -> CompareResult:
    """An output of vectors whose mean cosine has an interval of so much on each side."""
    mean = SampleMean(
        samples=50, mean=cosine, standard_error=spread / t_95(49), low=cosine - spread, high=cosine + spread,
        minimum=0.0, p1=0.0, p10=0.0, p50=0.0, p90=0.0, p99=0.0, maximum=1.0,
    )  # fmt: skip
    found = NeighbourDecisions(samples=50, nonfinite_samples=0, left_out=0, changed=changed, cosine=mean)
    return result(output(metrics(5.0), decisions=found))


@pytest.mark.parametrize(
    ("cosine", "word"), [(0.992, "kept"), (0.991, "kept"), (0.9905, "uncertain"), (0.98, "changed")]
)
def test_vectors_are_judged_by_the_interval_of_their_mean_cosine(cosine: float, word: str) -> None:
    assert judge(pointing(cosine, 0.001)).word == word


def test_many_other_neighbours_are_a_change_whatever_the_cosine() -> None:
    assert judge(pointing(0.999, 0.0001, changed=4)).word == "kept"
    assert judge(pointing(0.999, 0.0001, changed=9)).word == "changed"


def test_so_many_texts_as_it_says_would_tell() -> None:
    base = decided(0, 1000).comparison
    assert base is not None
    found = base.outputs[0].decisions
    assert isinstance(found, ClassDecisions)
    for clusters in (2, 3, 8, 40):
        narrowed = (Z_95 / t_95(clusters - 1)) ** 2
        tokens = found.model_copy(update={"clusters": clusters, "effective": max(1.0, clusters * narrowed)})
        needed = samples_needed(tokens)
        assert needed is not None
        assert 73 <= needed <= 80


def test_one_sample_whose_probabilities_cross_one_half_is_one_changed_sample() -> None:
    crossing = CrossingDecisions(samples=1, nonfinite_samples=0, values=200, crossed=70, changed=1)
    verdict = judge(result(output(metrics(5.0), decisions=crossing)))
    assert verdict.word == "changed"
    assert "70 of 200 values crossed one half, in 1 of 1 sample" in verdict.sentence
    still = crossing.model_copy(update={"crossed": 0, "changed": 0})
    assert judge(result(output(metrics(5.0), decisions=still))).word == "uncertain"


def test_few_clusters_widen_the_interval_and_are_said() -> None:
    base = decided(5, 1000).comparison
    assert base is not None
    found = base.outputs[0].decisions
    assert isinstance(found, ClassDecisions)
    clusters = {"clusters": 8, "effective": 40.0, "unit": "token", "cluster_unit": "text"}
    tokens = found.model_copy(update=clusters)
    assert tokens.flips_interval == wilson(0.2, 40)
    verdict = judge(result(output(metrics(5.0), decisions=tokens)), Yardsticks(tolerated_flips=0.01))
    assert verdict.word == "uncertain"
    assert "5 of 1,000 tokens of 8 texts changed first choice" in verdict.sentence
    assert few_clusters_text(tokens)
    assert not few_clusters_text(tokens.model_copy(update={"clusters": ENOUGH_CLUSTERS}))


def test_a_flip_counts_even_where_the_error_is_that_of_rounding() -> None:
    r = torch.tensor([[1.0, 1.0001], [1.0, 0.0]])
    verdict = judge(measured({"logits": r}, {"logits": r.half()}))
    assert verdict.word == "changed"
    assert verdict.against_rounding is not None
    assert verdict.against_rounding.word == "rounding only"
    assert verdict.sentence.startswith("1 of 2 samples changed class. At most 90.5 % of similar samples would change")


@pytest.mark.parametrize(
    ("flips", "samples", "counted"),
    [(0, 100, "All 100 samples kept their class"), (1, 3000, "1 of 3,000 samples changed class")],
)
def test_kept_and_changed_say_the_same_of_similar_samples(flips: int, samples: int, counted: str) -> None:
    z, share = 1.959964, flips / samples
    middle, spread = share + z**2 / (2 * samples), z * (share * (1 - share) / samples + (z / (2 * samples)) ** 2) ** 0.5
    most = 100 * (middle + spread) / (1 + z**2 / samples)
    could = f"t most {most:.2g} % of similar samples would change, 95 % sure"
    found = decided(flips, samples)
    assert judge(found).sentence.startswith(f"{counted}. A{could}")


def test_one_flip_of_three_thousand_is_no_full_agreement() -> None:
    comparison = decided(1, 3000).comparison
    assert comparison is not None
    found = comparison.outputs[0].decisions
    assert found is not None
    label, value, _ = next(iter(decision_rows(found)))
    assert (label, value) == ("Top-1 agreement", "99.97 %")


def test_a_mean_over_one_text_says_that_there_is_one_text() -> None:
    taken = Taken(OutputKind.TOKEN_LOGITS, "test")
    scores = flatten(torch.randn(1, 6, 5)).leaves[0]
    found = class_decisions(scores, scores, taken=taken)
    assert mean_cells(found.kl, found)[1] == "from a single text"
