"""Verdicts are pure functions of facts: here are the facts that no small model brings about."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from precision.measure.claims.experiments import accuracy, kernels, origins, running, several, speed, storing
from precision.measure.claims.experiments.accuracy import (
    ARTICLE_FULL,
    ARTICLE_LOW,
    ARTICLE_MAX,
    ARTICLE_MEAN,
    TinyNetErrors,
)
from precision.measure.claims.experiments.origins import ProviderFacts
from precision.measure.claims.experiments.several import Decided
from precision.measure.claims.experiments.speed import MatrixTimes, TwinTimes
from precision.measure.claims.facts.running import Float32Inputs, RunFacts, RunSeen
from precision.measure.claims.facts.storage import CastSeen, StorageFacts
from precision.measure.claims.finding import Finding, together
from precision.measure.claims.subject import Subject
from precision.results import ClaimWord, CompareResult, Cost, Timing
from tests.measure.claims.subjects import WithIsland, found, subject_where

Patch = pytest.MonkeyPatch

NO_RUN = RunSeen(failure="no kernel")
RAN = RunSeen(failure=None, operators=("mm(float16, float16)",))
CAST = CastSeen(returned_model=True, changed=0, total_bytes=0, warnings=(), settings_changed=())
EMPTY = StorageFacts(tensors=(), bytes_before=0, half=CAST, to=CAST, settings=0)


def finds(patch: Patch, place: object, name: str, facts: object) -> None:
    """Have a function find these facts, whatever it is asked of."""
    patch.setattr(place, name, lambda *_: facts)


def timing(median_s: float, iqr_s: float = 0.001) -> Timing:
    return Timing(median_s=median_s, iqr_s=iqr_s, blocks=9, runs=9, threads=1, warnings=())


def runs(half: RunSeen, to: RunSeen) -> RunFacts:
    return RunFacts(reference=RAN, half=half, to=to, same_outputs=None)


OTHER = dataclasses.replace(RAN, operators=("mul(float32, float32)",))


def twins(patch: Patch, seen: TwinTimes, other: RunSeen, *, lighter: bool = False) -> Finding:
    """What is found of these times; all the same bytes, or fewer after `half()`."""
    finds(patch, speed, "twin_times", seen)
    to = dataclasses.replace(CAST, total_bytes=1 if lighter else 0)
    return speed.half_faster(subject_where(runs=runs(RAN, other), storage=dataclasses.replace(EMPTY, to=to)))


@pytest.mark.parametrize(
    ("half", "again", "to", "other", "verdict"),
    [
        (1.0, 1.0, 1.5, RAN, "true"),
        (1.5, 1.5, 1.0, RAN, "depends"),
        (1.0, 1.0, 1.05, RAN, "depends"),  # the same operators: a twentieth is no difference
        (1.0, 1.0, 1.05, OTHER, "true"),
        (1.0, 1.4, 1.5, OTHER, "depends"),  # two equal copies differ by nearly as much
    ],
)
def test_half_is_faster_only_beyond_what_equal_copies_differ_by(
    half: float, again: float, to: float, other: RunSeen, verdict: ClaimWord, monkeypatch: Patch
) -> None:
    seen = TwinTimes(half=timing(half), half_again=timing(again), to=timing(to))
    assert twins(monkeypatch, seen, other, lighter=True).verdict == verdict
    heavier: ClaimWord = "depends" if verdict == "true" or other is OTHER else "false"
    assert twins(monkeypatch, seen, other).verdict == heavier


def test_disturbed_times_leave_it_to_the_bytes(monkeypatch: Patch) -> None:
    seen = TwinTimes(half=timing(1.0, 0.5), half_again=timing(1.0), to=timing(2.0))
    finding = twins(monkeypatch, seen, OTHER)
    assert finding.verdict == "false"
    assert "too busy" in finding.sentence


def test_a_busy_machine_times_nothing_but_operators_are_counted(monkeypatch: Patch) -> None:
    busy = timing(1.0).model_copy(update={"crowded": True})
    seen = TwinTimes(half=busy, half_again=timing(1.0), to=timing(2.0))
    assert twins(monkeypatch, seen, RAN, lighter=True).verdict == "depends"
    assert twins(monkeypatch, seen, OTHER, lighter=True).verdict == "true"
    for reference, verdict in ((busy, "not testable here"), (timing(1.0), "true")):
        assert _speed(reference, 0.6) == verdict


def _speed(reference: Timing, half_s: float) -> ClaimWord:
    cost = Cost(reference_time=reference, candidate_time=timing(half_s))
    compared = CompareResult.model_construct(cost=cost)  # type: ignore[call-arg]
    return speed.twice_as_fast(subject_where(compared=compared)).verdict


def test_a_tenth_is_no_difference_in_speed() -> None:
    said = [_speed(timing(1.0), half_s) for half_s in (0.4, 0.6, 0.95, 1.05, 1.2)]
    assert said == ["depends", "true", "depends", "depends", "false"]


def test_tensor_cores_are_neither_on_a_cpu_nor_on_an_old_gpu(monkeypatch: Patch) -> None:
    on = subject_where()
    assert speed.tensor_cores(on).verdict == "not testable here"
    old = MatrixTimes(float32=timing(1.0), float16=timing(0.1), capability=(6, 1))
    finds(monkeypatch, speed, "matrix_times", old)
    assert speed.tensor_cores(on).verdict == "not testable here"
    finds(monkeypatch, speed, "matrix_times", dataclasses.replace(old, capability=(7, 0)))
    assert speed.tensor_cores(on).verdict == "true"


def test_the_articles_numbers_allow_for_other_kernels_and_no_more(monkeypatch: Patch) -> None:
    near = TinyNetErrors(mean=ARTICLE_MEAN * 1.0009, max=ARTICLE_MAX, full=ARTICLE_FULL, low=ARTICLE_LOW)
    for seen, verdict in (
        (near, "true"),
        (dataclasses.replace(near, mean=ARTICLE_MEAN * 1.0011), "depends"),
        (TinyNetErrors(mean=0.0, max=0.0, full=(), low=()), "false"),
    ):
        finds(monkeypatch, accuracy, "tinynet_errors", seen)
        assert accuracy.article_numbers(subject_where()).verdict == verdict


def test_most_models_takes_trained_ones_with_samples_enough(monkeypatch: Patch) -> None:
    tells = Decided(title="a", trained=True, samples=500, changed=0)
    few, random = dataclasses.replace(tells, samples=50), dataclasses.replace(tells, trained=False)
    other = dataclasses.replace(tells, changed=1)
    for seen, verdict in (
        ([tells, tells, few], "true"),
        ([tells, few, random], "depends"),
        ([tells, other], "false"),
    ):
        finds(monkeypatch, several, "decided", seen)
        finding = several.most_models(subject_where())
        assert finding.verdict == verdict
        assert finding.evidence[0].text == "0 of 500, at most 0.8 % (95 % confidence)"


def test_operators_of_a_bert_count_where_the_model_is_none_of_transformers(monkeypatch: Patch) -> None:
    for bert, verdict in ((runs(RAN, RAN), "false"), (runs(RAN, OTHER), "depends")):
        finds(monkeypatch, running, "run_facts", bert)
        assert running.half_optimized(subject_where(runs=runs(RAN, RAN), storage=EMPTY)).verdict == verdict


def test_a_model_that_stores_nothing_has_nothing_to_test() -> None:
    on = subject_where(storage=EMPTY)
    for judge in (storing.half_casts_parameters, storing.to_casts_more, storing.memory_halved):
        assert judge(on).verdict == "not testable here"
    assert storing.named_parameters(on).verdict == "true"


@pytest.mark.parametrize(("before", "after", "verdict"), [(200, 101, "true"), (200, 120, "depends"), (8, 8, "false")])
def test_memory_is_halved_to_a_percent(before: int, after: int, verdict: ClaimWord) -> None:
    half = dataclasses.replace(CAST, total_bytes=after)
    storage = dataclasses.replace(EMPTY, bytes_before=before, half=half)
    assert storing.memory_halved(subject_where(storage=storage)).verdict == verdict


def without_run(half: RunSeen, to: RunSeen) -> Subject:
    return subject_where(runs=runs(half, to), storage=EMPTY)


def test_models_that_do_not_run_leave_their_claims_untested() -> None:
    for judge in (running.activations_cast, running.outputs_cast, running.half_optimized):
        finding = judge(without_run(NO_RUN, RAN))
        assert finding.verdict == "not testable here"
        assert "no kernel" in finding.sentence
    only_to = running.interchangeable(without_run(NO_RUN, RAN))
    assert "after to(torch.float16) only" in only_to.sentence
    assert running.interchangeable(without_run(NO_RUN, NO_RUN)).verdict == "depends"


def test_inputs_are_a_difference_only_where_one_call_raises(monkeypatch: Patch) -> None:
    for half, to, verdict in (
        ("no", None, "false"),
        (None, None, "depends"),
        ("no", "no", "false"),
        (None, "no", "true"),
    ):
        finds(monkeypatch, running, "float32_inputs", Float32Inputs(own=True, half=half, to=to))
        assert running.inputs_cast(subject_where()).verdict == verdict


def test_kernels_are_missing_altogether_in_part_or_not(monkeypatch: Patch) -> None:
    for seen, verdict in (
        ({"add": "no"}, "true"),
        ({"add": "no", "mul": None}, "false"),
        ({"add": "no", "mul": "no", "div": None}, "depends"),
        ({"add": None, "mul": None}, "false"),
    ):
        monkeypatch.setattr(kernels, "without_float16_kernel", lambda seen=seen: seen)
        assert kernels.cpu_throws(without_run(RAN, RAN)).verdict == verdict
        assert kernels.cpu_throws(without_run(NO_RUN, RAN)).verdict == "true"


def test_where_the_model_cannot_be_tried_on_the_cpu_its_operators_are(monkeypatch: Patch) -> None:
    monkeypatch.setattr(kernels, "without_float16_kernel", lambda: {"add": None})
    elsewhere = dataclasses.replace(subject_where(), device=torch.device("meta"))
    fails = subject_where(runs=RunFacts(reference=NO_RUN, half=NO_RUN, to=NO_RUN, same_outputs=None))
    for on in (elsewhere, fails):
        finding = kernels.cpu_throws(on)
        assert (finding.verdict, finding.scope) == ("false", "on this device")


def test_pitfalls_are_true_where_each_call_has_its_own(monkeypatch: Patch) -> None:
    half, to = "half()", "to(torch.float16)"
    for seen, verdict in (
        ({"a": {half: "no", to: None}, "b": {half: None, to: "no"}}, "true"),
        ({"a": {half: "no", to: "no"}}, "depends"),
        ({"a": {half: None, to: None}}, "false"),
    ):
        finds(monkeypatch, kernels, "failing_modules", seen)
        assert kernels.modules_without_half(subject_where()).verdict == verdict


def test_without_an_accelerator_nothing_can_move_there(monkeypatch: Patch) -> None:
    monkeypatch.setattr(origins, "list_devices", lambda: ())
    assert origins.gpu_unasked(subject_where()).verdict == "not testable here"


def test_checkpoints_are_widened_by_all_ways_some_or_none(monkeypatch: Patch) -> None:
    wide, low = torch.float32, torch.float16
    for dtypes, verdict in (((wide, wide, wide), "true"), ((wide, wide, low), "depends"), ((low, low, low), "false")):
        seen = dict(zip(("made", "filled", "loaded"), dtypes, strict=True))
        monkeypatch.setattr(origins, "dtypes_unasked", lambda seen=seen: seen)
        assert origins.loaded_in_float32(subject_where()).verdict == verdict


def test_transformers_own_half_counts_where_it_casts_otherwise(monkeypatch: Patch) -> None:
    seen = ProviderFacts(
        defined_in="torch.nn.modules.module", overridden=True, same_result=True, refusal="no", tensorflow={}
    )

    def finding(**other: Any) -> Finding:
        monkeypatch.setattr(origins, "provider_facts", lambda: dataclasses.replace(seen, **other))
        return origins.half_from_transformers(subject_where())

    assert finding(same_result=False).verdict == "depends"
    assert "refuses quantized" in finding().sentence
    assert finding(refusal="").evidence[3].text == "cast"
    assert "not installed" in finding(refusal=None).evidence[3].text
    assert finding(tensorflow={"TFModel": True}).verdict == "depends"
    assert finding(tensorflow={"TFModel": True}, defined_in="").verdict == "true"


def test_statements_judged_apart_agree_or_it_depends() -> None:
    yes, no, untold = Finding("true", "Yes."), Finding("false", "No."), Finding("not testable here", "Not here.")
    for one, other, verdict in (
        (yes, yes, "true"),
        (yes, untold, "true"),
        (no, yes, "depends"),
        (untold, untold, "not testable here"),
    ):
        assert together(one, other).verdict == verdict


def test_islands_kept_by_both_calls_are_no_difference(monkeypatch: Patch) -> None:
    monkeypatch.setattr(nn.Module, "half", lambda module: module)
    kept = found("half-optimized", WithIsland(), torch.ones(1, 3))
    assert "half() keeps 2" in kept.sentence
    monkeypatch.setattr(nn.Module, "to", lambda module, *_: module)
    both = found("half-optimized", WithIsland(), torch.ones(1, 3))
    assert both.verdict != "true"
