"""What is recommended, on models that run: one test for each level, with its next step."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import precision
from precision.findings.decisions_judged import Yardsticks
from precision.findings.recommendation import Level, Recommendation, recommend
from precision.results import CompareResult
from precision.spec import RunSpec
from tests.field.cases.outputs import Voice
from tests.findings.test_decisions_judged import decided, pointing
from tests.runs import Recorder, compare


def recommended(**settings: object) -> Recommendation:
    return recommend(compare(RunSpec.parse(settings)))


def test_all_classes_kept() -> None:
    found = recommended(model="digits", dtype="bfloat16")
    assert found.level == "safe"
    assert found.headline == "Safe in bfloat16: all 450 test images keep their class"
    # Wilson's interval of no change among n ends at z² / (n + z²).
    assert (
        found.details[0] == f"At most {100 * 3.8415 / 453.8415:.2g} % of similar test images would change, 95 % sure."
    )
    assert found.details[1] == "Half the memory to store it."
    assert found.why.startswith("Accuracy still 99.6 %.")
    assert found.step is not None
    assert found.step.page == "mixed_precision"


def test_too_few_samples_ask_for_as_many_as_would_tell() -> None:
    step = recommended(model="linear-5-10", dtype="float16").step
    assert step is not None
    assert step.batch == 73
    assert recommended(model="linear-5-10", dtype="float16", batch=72).level == "check"
    assert recommended(model="linear-5-10", dtype="float16", batch=73).level == "safe"


@pytest.mark.parametrize(
    ("flips", "samples", "level", "said"),
    [
        (0, 2, "check", "Check float16 first: both samples keep their class"),
        (0, 100, "safe", "Safe in float16: all 100 samples keep their class"),
        (0, 1, "check", "Check float16 first: the only sample keeps its class"),
        (1, 64, "check", "Check float16 first: 1 of 64 samples changes its class"),
        (2, 10**5, "check", "Check float16 first: 2 of 100,000 samples change their class"),
        (10, 100, "avoid", "Do not use float16 here: 10 of 100 samples change their class"),
    ],
)
def test_changed_classes_are_avoided_where_surely_more_change_than_counts_as_none(
    flips: int, samples: int, level: Level, said: str
) -> None:
    described = compare(RunSpec(model="linear-5-10"))  # for all but its comparison
    found = recommend(described.model_copy(update={"comparison": decided(flips, samples).comparison}))
    assert (found.level, found.headline) == (level, said)


def test_vectors_say_how_sure_their_mean_cosine_is_and_round_no_bound_up() -> None:
    described = compare(RunSpec(model="linear-5-10"))
    found = recommend(described.model_copy(update={"comparison": pointing(0.99997, 1e-5, 0).comparison}))
    assert found.headline == "Safe in float16: all 50 samples keep their nearest neighbour"
    assert found.details[0] == (
        "On average, vectors keep a cosine similarity of at least 0.9999 with their own, 95 % sure."
    )


def test_an_overflow_is_avoided_and_its_operator_is_the_next_step() -> None:
    found = recommended(model="overflow", dtype="float16")
    assert found.headline == "Do not use float16 here: 16 of 16 output values become infinite or NaN"
    assert found.level == "avoid"
    assert found.details == ()  # nothing is gained by what is lost
    assert found.why == "One infinity or NaN takes with it whatever is computed from it."
    assert found.step is not None
    assert found.step.page == "propagation"


def test_the_reference_beside_itself_is_the_same_on_any_sample() -> None:
    found = recommended(model="digits", dtype="float32")
    assert found.headline == "Safe in float32: its outputs are exactly the same"
    assert not any("would change" in said for said in found.details)


def test_values_that_nothing_rests_on_are_to_be_checked() -> None:
    result = compare(RunSpec(dtype="bfloat16"))
    found = recommend(result)
    assert result.comparison is not None
    share = result.comparison.overall.normalized_l2
    assert share is not None
    assert found.headline == f"Check bfloat16 first: its values are off by {100 * share:.2g} % of their size"
    assert found.why.startswith("Nothing says how exact it must be.")
    assert recommend(result, Yardsticks(largest_error=1.0)).level == "safe"
    assert recommend(result, Yardsticks(largest_error=1e-9)).level == "avoid"


def test_an_error_that_is_the_references_own_asks_for_a_wider_one() -> None:
    torch.manual_seed(3)
    model = Voice()
    with torch.no_grad():
        model.cell.weight_hh *= 12
        model.front.weight *= 4
    found = recommend(precision.compare(model, torch.randn(1, 200, 64), dtype="bfloat16", progress=False).result)
    assert found.level == "check"
    assert found.step is not None
    assert found.step.reference == "float64"
    assert "float64" in found.why


class Distances(nn.Module):
    """Two outputs of values; cancellation makes the second one worse."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.linear(x)
        return y, (y + 30) - (x + 30)


def test_of_outputs_with_the_same_word_the_worse_one_is_named() -> None:
    torch.manual_seed(0)
    model, x = Distances(), torch.randn(40, 8)
    found = recommend(precision.compare(model, x, dtype="float16", progress=False).result)
    with torch.no_grad():
        exact, low = model(x)[1].double(), copy.deepcopy(model).half()(x.half())[1].double()
    share = 100 * float((low - exact).norm() / exact.norm())
    assert found.headline == f"Check float16 first: its values are off by {share:.2g} % of their size"
    assert found.details[-1] == "Of several outputs, this is about the worst: [1]."


class Angles(nn.Module):
    """What rounds is its input: 937.5 becomes 936."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


def test_an_error_of_the_input_is_not_put_on_the_layers() -> None:
    found = recommend(precision.compare(Angles(), torch.full((4, 2), 937.5), dtype="bfloat16", progress=False).result)
    assert found.why.endswith("the rest comes from inputs, weights and operators.")


def test_an_error_far_below_that_of_rounding_is_not_about_it() -> None:
    torch.manual_seed(0)
    small = nn.Linear(8, 8)
    nn.init.normal_(small.weight, std=0.01)

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.small = small

        def forward(self, x: Tensor) -> Tensor:
            return x + self.small(x)  # type: ignore[no-any-return]

    found = recommend(precision.compare(Residual(), torch.randn(40, 8), dtype="int8", progress=False).result)
    assert found.why.endswith("The error is less than what rounding the result alone would give.")


class Picks(nn.Module):
    """In bfloat16, `lost` values are another answer, as 1 + 2^-12 is 1."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.lost = lost
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        near = torch.arange(len(x)) < self.lost
        return torch.where(near, x[:, 0] + 2**-12 > x[:, 0], x[:, 0] > 0)


@pytest.mark.parametrize(("lost", "level"), [(1, "check"), (5, "check"), (6, "avoid")])
def test_whole_numbers_are_avoided_where_more_differ_than_counts_as_none(lost: int, level: Level) -> None:
    result = precision.compare(Picks(lost), torch.ones(100, 2), dtype="bfloat16", progress=False).result
    found = recommend(result)
    assert found.level == level
    assert found.headline.endswith(f"{lost} of 100 bool values differ{'s' if lost == 1 else ''}")


def test_without_anything_to_compare_no_layer_is_at_fault() -> None:
    model = nn.Linear(3, 2)
    assert recommend(precision.compare(model, torch.zeros(0, 3), dtype="float16", progress=False).result).step is None
    nothing = nn.Sequential(model, nn.LogSigmoid(), nn.Threshold(1e9, float("nan")))
    step = recommend(precision.compare(nothing, torch.ones(4, 3), dtype="float16", progress=False).result).step
    assert step is not None
    assert step.label == "Find where the reference becomes infinite or NaN"


class Fails(nn.Module):
    """Where its weights are in 16 bits, as an operator without such a kernel does."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        if self.linear.weight.dtype == torch.float16:
            self.linear(x.float())
        return self.linear(x)  # type: ignore[no-any-return]


def test_a_candidate_that_raises_is_avoided() -> None:
    found = recommend(precision.compare(Fails(), torch.randn(3, 4), dtype="float16", progress=False).result)
    assert found.headline == "Do not use float16 here: the model fails in linear"
    assert found.step is None


def test_what_is_measured_so_far() -> None:
    seen = Recorder()
    compare(RunSpec(model="digits", dtype="float16"), seen)
    partials = [recommend(each) for each in seen.partials if isinstance(each, CompareResult)]
    assert partials[0].headline == "No answer for float16: the outputs are not compared yet"
    assert partials[0].step is None
    assert {each.level for each in partials[1:]} == {"safe"}
    assert all("Speed: being measured." in each.details for each in partials[1:])


def test_a_format_that_nothing_stores_has_its_bytes_estimated_and_no_speed() -> None:
    found = recommended(model="digits", dtype="int8")
    assert "26.1 % of the memory if stored in int8 (estimated)." in found.details
    assert "Speed is not known: simulated here." in found.details
