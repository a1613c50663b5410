"""Verdicts are pure functions of facts: here are the facts that no small model brings about."""

from __future__ import annotations

import dataclasses

import pytest

from precision.measure.claims.experiments.accuracy import (
    ARTICLE_FULL,
    ARTICLE_LOW,
    ARTICLE_MAX,
    ARTICLE_MEAN,
    TinyNetErrors,
    article_numbers,
)
from precision.measure.claims.experiments.islands import IslandFacts, half_islands
from precision.measure.claims.experiments.modules import ModuleFacts, pitfalls_differ
from precision.measure.claims.experiments.operators import OperatorFacts, cpu_kernels
from precision.measure.claims.experiments.placing import PlacingFacts, gpu_unasked
from precision.measure.claims.experiments.providers import LoadingFacts, ProviderFacts, checkpoint_in_float32
from precision.measure.claims.experiments.providers import half_from_transformers as from_transformers
from precision.measure.claims.experiments.running import Float32Inputs, RunFacts, RunSeen
from precision.measure.claims.experiments.running_judged import (
    activations_cast,
    half_optimized,
    interchangeable,
    manual_casting,
)
from precision.measure.claims.experiments.several import Decided, most_models
from precision.measure.claims.experiments.speed import MatrixTimes, TwinTimes, half_faster, tensor_cores, twice_as_fast
from precision.measure.claims.experiments.storage import CastSeen, StorageFacts
from precision.measure.claims.experiments.storage_judged import (
    memory_halved,
    named_parameters,
    precision_kept,
    same_goal,
)
from precision.results import ClaimWord, CompareResult, Cost, Timing

NO_RUN = RunSeen(failure="no kernel")
RAN = RunSeen(failure=None, operators=("mm(float16, float16)",))
CAST = CastSeen(returned_model=True, changed=0, total_bytes=0, warnings=())
EMPTY = StorageFacts(
    tensors=(), bytes_before=0, half=CAST, to=CAST, settings_changed=(), settings_changed_by_to=(), settings=0
)


def timing(median_s: float, iqr_s: float = 0.001) -> Timing:
    return Timing(median_s=median_s, iqr_s=iqr_s, blocks=9, runs=9, threads=1, warnings=())


def runs(half: RunSeen, to: RunSeen) -> RunFacts:
    return RunFacts(reference=RAN, half=half, to=to, same_outputs=None)


OTHER = dataclasses.replace(RAN, operators=("mul(float32, float32)",))


@pytest.mark.parametrize(
    ("half", "again", "to", "other", "verdict"),
    [
        (1.0, 1.0, 1.5, RAN, "true"),
        (1.5, 1.5, 1.0, RAN, "false"),
        (1.0, 1.0, 1.05, RAN, "false"),  # the same operators: a twentieth is no difference
        (1.0, 1.0, 1.05, OTHER, "true"),
        (1.0, 1.4, 1.5, OTHER, "depends"),  # two equal copies differ by nearly as much
    ],
)
def test_half_is_faster_only_beyond_what_equal_copies_differ_by(
    half: float, again: float, to: float, other: RunSeen, verdict: ClaimWord
) -> None:
    seen = TwinTimes(half=timing(half), half_again=timing(again), to=timing(to))
    assert half_faster(seen, runs(RAN, other)).verdict == verdict


def test_disturbed_times_tell_nothing() -> None:
    seen = TwinTimes(half=timing(1.0, 0.5), half_again=timing(1.0), to=timing(2.0))
    assert half_faster(seen, runs(RAN, OTHER)).verdict == "not testable here"


def test_a_busy_machine_times_nothing_but_operators_are_counted() -> None:
    busy = timing(1.0).model_copy(update={"crowded": True})
    seen = TwinTimes(half=busy, half_again=timing(1.0), to=timing(2.0))
    assert half_faster(seen, runs(RAN, RAN)).verdict == "false"
    assert half_faster(seen, runs(RAN, OTHER)).verdict == "not testable here"
    for reference, verdict in ((busy, "not testable here"), (timing(1.0), "true")):
        cost = Cost(reference_time=reference, candidate_time=timing(0.6))
        assert twice_as_fast(CompareResult.model_construct(cost=cost)).verdict == verdict  # type: ignore[call-arg]


def test_tensor_cores_are_neither_on_a_cpu_nor_on_an_old_gpu() -> None:
    assert tensor_cores(None, device="cpu").verdict == "not testable here"
    old = MatrixTimes(float32=timing(1.0), float16=timing(0.1), capability=(6, 1))
    assert tensor_cores(old, device="cuda:0").verdict == "not testable here"
    assert tensor_cores(dataclasses.replace(old, capability=(7, 0)), device="cuda:0").verdict == "true"


def test_the_articles_numbers_allow_for_other_kernels_and_no_more() -> None:
    near = TinyNetErrors(mean=ARTICLE_MEAN * 1.0009, max=ARTICLE_MAX, full=ARTICLE_FULL, low=ARTICLE_LOW)
    assert article_numbers(near).verdict == "true"
    assert article_numbers(dataclasses.replace(near, mean=ARTICLE_MEAN * 1.0011)).verdict == "depends"
    assert article_numbers(TinyNetErrors(mean=0.0, max=0.0, full=(), low=())).verdict == "false"


def test_most_models_takes_trained_ones_with_samples_enough() -> None:
    tells = Decided(title="a", trained=True, samples=500, changed=0)
    few, random = dataclasses.replace(tells, samples=50), dataclasses.replace(tells, trained=False)
    other = dataclasses.replace(tells, changed=1)
    assert most_models([tells, tells, few]).verdict == "true"
    assert most_models([tells, few, random]).verdict == "depends"
    assert most_models([tells, other]).verdict == "false"
    assert most_models([tells]).evidence[0].text == "0 of 500, at most 0.8 % (95 % confidence)"


def test_operators_of_a_bert_count_where_the_model_is_none_of_transformers() -> None:
    assert half_optimized(runs(RAN, RAN), None).verdict == "false"
    assert half_optimized(runs(RAN, RAN), runs(RAN, RAN)).verdict == "false"
    assert half_optimized(runs(RAN, RAN), runs(RAN, OTHER)).verdict == "depends"


def test_a_model_that_stores_nothing_has_nothing_to_test() -> None:
    for judge in (same_goal, precision_kept, memory_halved):
        assert judge(EMPTY).verdict == "not testable here"
    assert named_parameters(EMPTY).verdict == "true"


@pytest.mark.parametrize(("before", "after", "verdict"), [(200, 101, "true"), (200, 120, "depends"), (8, 8, "false")])
def test_memory_is_halved_to_a_percent(before: int, after: int, verdict: ClaimWord) -> None:
    half = dataclasses.replace(CAST, total_bytes=after)
    assert memory_halved(dataclasses.replace(EMPTY, bytes_before=before, half=half)).verdict == verdict


def test_models_that_do_not_run_leave_their_claims_untested() -> None:
    assert activations_cast(runs(NO_RUN, RAN)).verdict == "not testable here"
    assert "no kernel" in activations_cast(runs(NO_RUN, RAN)).sentence
    assert interchangeable(runs(NO_RUN, RAN), EMPTY).verdict == "true"
    assert interchangeable(runs(NO_RUN, NO_RUN), EMPTY).verdict == "depends"


def test_manual_casting_is_a_difference_only_where_one_raises() -> None:
    for half, to, verdict in (
        ("no", None, "false"),
        (None, None, "false"),
        ("no", "no", "false"),
        (None, "no", "true"),
    ):
        assert manual_casting(Float32Inputs(own=True, half=half, to=to)).verdict == verdict


def test_kernels_are_missing_altogether_in_part_or_not() -> None:
    assert cpu_kernels(OperatorFacts(tried=("add",), missing={"add": "no"})).verdict == "true"
    assert cpu_kernels(OperatorFacts(tried=("add", "mul"), missing={"add": "no"})).verdict == "false"
    most = OperatorFacts(tried=("add", "mul", "div"), missing={"add": "no", "mul": "no"})
    assert cpu_kernels(most).verdict == "depends"
    assert cpu_kernels(OperatorFacts(tried=("add", "mul"), missing={})).verdict == "false"


def test_pitfalls_differ_where_each_call_has_its_own() -> None:
    both = ModuleFacts(tried=("a", "b"), half={"a": "no"}, to={"b": "no"})
    assert pitfalls_differ(both).verdict == "true"


def test_without_an_accelerator_nothing_can_move_there() -> None:
    assert gpu_unasked(PlacingFacts(accelerators=(), weight="cpu", output="cpu")).verdict == "not testable here"


def test_islands_kept_by_both_calls_are_no_difference() -> None:
    kept = IslandFacts(names=("wo",), parameters=2, kept_by_half=2, kept_by_to=2)
    assert half_islands(kept).verdict == "false"
    assert half_islands(dataclasses.replace(kept, kept_by_to=0)).verdict == "true"
    assert half_islands(IslandFacts(names=(), parameters=0, kept_by_half=0, kept_by_to=0)).verdict == (
        "not testable here"
    )


def test_checkpoints_are_widened_by_all_ways_some_or_none() -> None:
    for ways, verdict in (
        (("float32", "float32"), "true"),
        (("float32", "float16"), "depends"),
        (("float16", "float16"), "false"),
    ):
        assert checkpoint_in_float32(LoadingFacts(state_dict=ways[0], from_pretrained=ways[1])).verdict == verdict


def test_transformers_own_half_counts_where_it_casts_otherwise() -> None:
    seen = ProviderFacts(
        defined_in="torch.nn.modules.module", overridden=True, same_result=False, refuses_quantized=True, refusal="no"
    )
    assert from_transformers(seen).verdict == "depends"
    assert "refuse quantized" in from_transformers(dataclasses.replace(seen, same_result=True)).sentence
    cast = dataclasses.replace(seen, same_result=True, refuses_quantized=False)
    assert from_transformers(cast).sentence == "PyTorch provides it, for every nn.Module."
    assert from_transformers(cast).evidence[-1].text == "cast"


def test_a_tenth_is_no_difference_in_speed() -> None:
    def verdict(half_s: float) -> ClaimWord:
        cost = Cost(reference_time=timing(1.0), candidate_time=timing(half_s))
        return twice_as_fast(CompareResult.model_construct(cost=cost)).verdict  # type: ignore[call-arg]

    assert [verdict(half_s) for half_s in (0.4, 0.6, 0.95, 1.05, 1.2)] == [
        "depends",
        "true",
        "depends",
        "depends",
        "false",
    ]
