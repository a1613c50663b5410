"""The words that decisions give: one real small model for each word, and one test for each boundary."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from precision.findings.decisions_judged import Yardsticks, samples_needed
from precision.findings.verdict import judge
from precision.formats import format_named
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.metrics.decisions import margin_bins
from precision.results import ClassDecisions, CompareResult
from precision.results.intervals import wilson
from precision.spec import RunSpec
from tests.findings.test_verdict import measured, metrics, result
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
        (nn.Identity(), inputs(8), "float16", "rounding only"),
        (nn.Identity(), inputs(8), "float64", "exact"),
        (Scores(4.0, lost=64.0), inputs(200), "float16", "amplified"),
        (Scores(4.0, lost=64.0), inputs(8), "float16", "uncertain"),
        (Scores(0.001, lost=64.0), inputs(200), "float16", "decisions changed"),
        (Named(lost=1024.0), inputs(8), "float16", "decisions changed"),
        (Named(lost=64.0), inputs(8), "float16", "amplified"),
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


def test_flips_no_larger_than_those_of_the_reference_itself_are_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, Restless(), halves(50), dtype="float32")
    assert found.verdict is not None
    assert found.verdict.word == "below noise"


def decided(flips: int, samples: int) -> CompareResult:
    """An amplified comparison with so many flips, as it would be stored."""
    none = torch.zeros(0).numpy()
    bins = margin_bins(none, none.astype(bool))
    decisions = ClassDecisions(
        rule="test",
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
    base = measured(torch.ones(2, 2), torch.ones(2, 2))
    assert base.comparison is not None
    output = base.comparison.outputs[0].model_copy(update={"decisions": decisions})
    stored = result(metrics(5.0))
    assert stored.comparison is not None
    comparison = stored.comparison.model_copy(update={"outputs": (output,)})
    return stored.model_copy(update={"comparison": comparison})


@pytest.mark.parametrize(
    ("flips", "samples", "word"),
    [
        (0, 72, "uncertain"),
        (0, 73, "amplified"),
        (1, 10**6, "decisions changed"),
        (1, 1, "decisions changed"),
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
        (10, 1000, "amplified"),
        (90, 1000, "uncertain"),
        (120, 1000, "decisions changed"),
        (100, 1000, "uncertain"),
        (100, 10**6, "amplified"),
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
    assert judge(stored, Yardsticks(resolved_flips=0.2)).word == "amplified"
    assert judge(stored, Yardsticks(rounding_multiple=5.0)).word == "rounding only"
    assert judge(stored, Yardsticks(broken_below_db=61.0)).word == "broken"


def turned(cosine: float, largest: float) -> CompareResult:
    base = measured(torch.ones(2), torch.ones(2))
    assert base.comparison is not None
    output = base.comparison.outputs[0]
    changed = output.metrics.model_copy(update={"cosine_similarity": cosine, "max_abs_error": largest})
    stored = result(metrics(5.0))
    assert stored.comparison is not None
    outputs = (output.model_copy(update={"metrics": changed}),)
    return stored.model_copy(update={"comparison": stored.comparison.model_copy(update={"outputs": outputs})})


def test_without_class_scores_the_cosine_decides() -> None:
    assert judge(turned(0.99, 1.0)).word == "amplified"
    assert judge(turned(0.98999, 1.0)).word == "decisions changed"
    assert judge(turned(0.98999, 1.0), Yardsticks(least_cosine=0.9)).word == "amplified"


def test_or_the_error_that_the_user_tolerates() -> None:
    assert judge(turned(0.9, 1.0), Yardsticks(largest_error=1.0)).word == "amplified"
    assert judge(turned(1.0, 1.001), Yardsticks(largest_error=1.0)).word == "decisions changed"


def test_a_flip_counts_even_where_the_error_is_that_of_rounding() -> None:
    r = torch.tensor([[1.0, 1.0001], [1.0, 0.0]])
    found = measured(r, r.half())
    verdict = judge(found)
    assert verdict.word == "decisions changed"
    assert verdict.sentence.startswith("1 of 2 samples of output changed class. Expect 9.5 % to")


def test_results_stored_before_there_were_decisions_are_still_judged() -> None:
    comparison = compare_outputs(
        reference=torch.rand(4, 3), candidate=torch.rand(4, 3), repeat=None, fmt=format_named("float16")
    )
    stored: dict[str, Any] = comparison.model_dump()
    del stored["truth"]
    for output in stored["outputs"]:
        del output["decisions"]
    old = type(comparison).model_validate(stored)
    assert old.outputs[0].decisions is None
    assert judge(decided(0, 1).model_copy(update={"comparison": old})).word
