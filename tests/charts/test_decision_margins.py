"""The margins drawn are the margins measured."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from precision.charts.decision_margins import MarginScale, _margins_info, plot_decision_margins
from precision.charts.frame import alt_text
from precision.formats import format_named
from precision.measure.metrics.comparison import compare_outputs
from precision.results import ClassDecisions, OutputComparison
from precision.results.intervals import wilson


def compared(reference: Tensor, candidate: Tensor) -> OutputComparison:
    found = compare_outputs(
        reference={"logits": reference}, candidate={"logits": candidate}, repeat=None, fmt=format_named("float16")
    )
    return found.outputs[0]


def noisy(rows: int = 400, *, error: float = 0.5) -> OutputComparison:
    generator = torch.Generator().manual_seed(1)
    reference = torch.randn(rows, 10, generator=generator)
    return compared(reference, reference + error * torch.randn(rows, 10, generator=generator))


def decided(output: OutputComparison) -> ClassDecisions:
    assert isinstance(output.decisions, ClassDecisions)
    return output.decisions


@pytest.mark.parametrize("scale", ["score", "probability"])
def test_bars_hold_every_sample_and_flip_with_their_intervals(scale: MarginScale) -> None:
    output = noisy()
    info = _margins_info(output, "float16", scale=scale)
    assert sum(bar.samples for bar in info.bars) == 400
    assert sum(bar.flips for bar in info.bars) == decided(output).flips > 0
    for bar in info.bars:
        if bar.samples:
            assert bar.share == bar.flips / bar.samples
            assert (bar.interval_low, bar.interval_high) == wilson(bar.flips, bar.samples)


def test_no_margin_of_more_than_twice_the_largest_error_flips() -> None:
    info = _margins_info(noisy(2000, error=0.2), "float16", scale="score")
    assert info.safe_from is not None
    assert any(bar.flips for bar in info.bars)
    assert not any(bar.flips for bar in info.bars if bar.low > info.safe_from)


def test_probabilities_have_no_such_limit() -> None:
    assert _margins_info(noisy(), "float16", scale="probability").safe_from is None


@pytest.mark.parametrize(
    ("reference", "candidate", "title"),
    [
        ([[1.0, 0.0]], [[1.0, 0.0]], "None of 1 sample changed class"),
        ([[1.0, 0.0]] * 3, [[1.0, 0.0]] * 3, "None of 3 samples changed class"),
        ([[1.0, 1.0]], [[1.0, 2.0]], "1 of 1 sample changed class, all of them ties"),
        ([[2.0, 1.0]] * 2, [[1.0, 2.0]] * 2, "2 of 2 samples changed class, all with a margin below 2"),
    ],
)
def test_titles_state_the_finding(reference: list[list[float]], candidate: list[list[float]], title: str) -> None:
    figure = plot_decision_margins(compared(torch.tensor(reference), torch.tensor(candidate)), "float16")
    assert figure.layout.title.text.replace("<br>", " ") == title


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (compared(torch.ones(3), torch.ones(3)), "is not read as class scores"),
        (compared(torch.full((2, 3), math.nan), torch.ones(2, 3)), "No sample has finite scores"),
    ],
)
def test_a_figure_without_margins_says_why(output: OutputComparison, said: str) -> None:
    figure = plot_decision_margins(output, "float16")
    assert not figure.data
    assert said in alt_text(figure)
