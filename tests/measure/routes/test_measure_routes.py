"""Every route on the models that show the differences, against what torch and transformers do by hand."""

from __future__ import annotations

import functools
import itertools

import pytest
import torch
from torch import nn

from precision.errors import InputError, JobCancelledError
from precision.formats import any_format_named
from precision.measure.routes.measure_routes import routes_to
from precision.results.routes import DtypeChange, RouteFacts, RoutesResult
from precision.spec import Analysis, RunSpec
from precision.spec.cast_methods import ROUTES, TORCHAO_FORMATS, CastMethod
from tests.runs import Recorder, measure_routes, with_model
from tests.zoo.awkward_models import Kinds, TiedBuffers

HALF, TO, TYPE = CastMethod.HALF, CastMethod.TO, CastMethod.TYPE
IN_PLACE_TO_FLOAT16 = (HALF, TO, TYPE)


@functools.cache
def measured(model: str, dtype: str = "float16") -> RoutesResult:
    return measure_routes(RunSpec(model=model, dtype=dtype, analysis=Analysis.ROUTES))


def facts(result: RoutesResult, method: CastMethod) -> RouteFacts:
    return next(facts for facts in result.report.routes if facts.method is method)


def changes(found: RouteFacts, group: str) -> dict[tuple[str, str], int]:
    return {(row.before, row.after): row.tensors for row in found.dtypes if row.group == group}


def test_routes_to_float16_are_its_own_and_those_of_torchao() -> None:
    routes = routes_to(any_format_named("float16"))
    own = [method for method, fmt in routes if fmt.name == "float16"]
    assert own[:2] == [CastMethod.HALF, CastMethod.TO]
    assert set(own) >= {
        *(CastMethod.AUTOCAST, CastMethod.TYPE, CastMethod.FROM_PRETRAINED),
        *(CastMethod.LOAD_STATE_DICT, CastMethod.LOAD_STATE_DICT_ASSIGN, CastMethod.DEFAULT_DTYPE),
    }
    assert not {*own} & {CastMethod.BFLOAT16, CastMethod.WEIGHTS_ONLY, CastMethod.DYNAMIC}
    of_torchao = [(method, fmt.name) for method, fmt in routes if fmt.name != "float16"]
    assert [method for method, _ in of_torchao if method in TORCHAO_FORMATS] == list(TORCHAO_FORMATS)
    assert len(set(of_torchao)) == len(of_torchao) == 2 * len(TORCHAO_FORMATS)
    for (method, name), (beside, same) in zip(of_torchao[::2], of_torchao[1::2], strict=True):
        assert (method.row.simulation, name) == (beside, same)
    assert ("int8-dynamic", "int8") in [(method, fmt.name) for method, fmt in routes_to(any_format_named("int8"))]
    four = any_format_named("mxfp4_e2m1")
    assert routes_to(four)[:2] == ((CastMethod.DYNAMIC, four), (CastMethod.WEIGHTS_ONLY, four))
    eight = [method for method, _ in routes_to(any_format_named("float8_e4m3fn"))]
    assert eight.count(TO) == 1
    assert CastMethod.WEIGHTS_ONLY not in ROUTES


@pytest.mark.parametrize("model", ["tinynet", "rotary", "resnet-tiny", "bert-tiny", "t5-tiny"])
def test_half_and_to_return_the_same_object_and_the_same_state(model: str) -> None:
    result = measured(model)
    half, to = facts(result, HALF), facts(result, TO)
    assert result.report.baseline is HALF
    assert half.same_object is to.same_object is True
    assert to.same_state_as_baseline is True  # the rotary buffer is none of the state dict
    assert (half.same_state_as_baseline, half.same_output_as_baseline) == (None, None)
    assert to.same_output_as_baseline is (model != "rotary")


def test_tinynet_is_halved_but_by_the_routes_that_keep_float32() -> None:
    result = measured("tinynet")
    for method in (HALF, TO, TYPE, CastMethod.LOAD_STATE_DICT_ASSIGN, CastMethod.DEFAULT_DTYPE):
        assert (facts(result, method).bytes_before, facts(result, method).bytes_after) == (120, 60)
    for method in (CastMethod.AUTOCAST, CastMethod.LOAD_STATE_DICT):
        assert facts(result, method).bytes_after == 120
    rounded = facts(result, CastMethod.LOAD_STATE_DICT)
    assert rounded.dtypes == (
        DtypeChange(group="parameter", before="float32", after="float32", rounded_to="float16", tensors=11),
    )
    assert rounded.max_relative_error == facts(result, HALF).max_relative_error
    assert rounded.output_dtypes == ("float32",)


def test_to_drops_the_imaginary_part_of_the_rotary_buffer_and_half_does_not() -> None:
    result = measured("rotary")
    half, to, kind = facts(result, HALF), facts(result, TO), facts(result, TYPE)
    group = "complex parameter or buffer"
    assert changes(half, group) == {("complex64", "complex64"): 1}
    assert changes(to, group) == changes(kind, group) == {("complex64", "float16"): 1}
    assert (half.imaginary_parts_lost, to.imaginary_parts_lost, kind.imaginary_parts_lost) == (0, 1, 1)
    assert half.warnings == ()
    assert "discards the imaginary part" in to.warnings[0]
    assert half.errors is not None
    assert to.errors is not None
    assert half.errors.rmse is not None
    assert to.errors.rmse is not None
    assert to.errors.rmse > 10 * half.errors.rmse
    assert to.same_output_as_baseline is False
    assert kind.errors == to.errors


def test_integer_buffers_stay_but_by_type() -> None:
    result = measured("resnet-tiny")
    group = "integer or bool buffer"
    for method in (HALF, TO, CastMethod.FROM_PRETRAINED, CastMethod.LOAD_STATE_DICT_ASSIGN, CastMethod.DEFAULT_DTYPE):
        assert changes(facts(result, method), group) == {("int64", "int64"): 12}
        assert changes(facts(result, method), "floating buffer") == {("float32", "float16"): 24}
    assert changes(facts(result, TYPE), group) == {("int64", "float16"): 12}
    assert facts(result, TYPE).same_state_as_baseline is False


def test_simulations_come_near_the_kernels_of_torchao_beside_them() -> None:
    routes = measured("linear-5-10", "int8").report.routes
    pairs = [(one, other) for one, other in itertools.pairwise(routes) if other.method not in ROUTES]
    assert [one.method for one, _ in pairs] == [
        CastMethod.INT8_WEIGHT_ONLY, CastMethod.INT8_DYNAMIC, CastMethod.FLOAT8_WEIGHT_ONLY, CastMethod.INT4_WEIGHT_ONLY
    ]  # fmt: skip
    for one, other in pairs[:2]:
        assert one.errors is not None
        assert other.errors is not None
        assert one.errors.sqnr_db == pytest.approx(other.errors.sqnr_db, abs=6)
        assert (other.label, other.training, other.same_object, other.half_afterwards) == (
            "simulated",
            None,
            None,
            None,
        )
        assert other.estimated_bytes_after is not None


def test_a_float32_input_raises_after_a_cast_and_not_where_the_weights_stay() -> None:
    result = measured("resnet-tiny")
    for method in IN_PLACE_TO_FLOAT16:
        assert facts(result, method).float32_input == "raises"
        assert "embedder.convolution" in str(facts(result, method).float32_input_failure)
    for method in (CastMethod.AUTOCAST, CastMethod.LOAD_STATE_DICT, CastMethod.INT8_DYNAMIC):
        assert facts(result, method).float32_input == "accepted"
    assert facts(measured("tinynet"), HALF).float32_input == "none taken"


def test_type_casts_the_positions_of_bert_and_it_runs_no_more() -> None:
    found = facts(measured("bert-tiny"), TYPE)
    assert found.failure is not None
    assert found.failure.where == "bert.embeddings"
    assert found.errors is None
    assert found.bytes_after is not None
    others = [
        route for route in measured("bert-tiny").report.routes if route.method not in (TYPE, CastMethod.FLOAT8_DYNAMIC)
    ]
    assert all(route.failure is None and route.errors is not None for route in others)


def test_only_from_pretrained_keeps_the_islands_of_t5_and_half_afterwards_sinks_them() -> None:
    result = measured("t5-tiny")
    for method in (*IN_PLACE_TO_FLOAT16, CastMethod.LOAD_STATE_DICT_ASSIGN, CastMethod.DEFAULT_DTYPE):
        islands = facts(result, method).islands
        assert islands is not None
        assert (islands.names, islands.kept, islands.lost) == (("wo",), 0, 4)
    loaded = facts(result, CastMethod.FROM_PRETRAINED)
    assert loaded.islands is not None
    assert (loaded.islands.kept, loaded.islands.lost, loaded.islands.kept_after_half) == (4, 0, 0)
    assert loaded.same_object is False
    assert loaded.same_output_as_baseline is False
    bfloat16 = facts(measured("t5-tiny", "bfloat16"), CastMethod.FROM_PRETRAINED).islands
    assert bfloat16 is not None
    assert bfloat16.kept == 0


def test_the_dtype_that_a_model_of_transformers_says_is_that_of_its_first_parameter() -> None:
    result = measured("t5-tiny")
    loaded = facts(result, CastMethod.FROM_PRETRAINED)
    islands = 4 * 128 * 512
    assert loaded.said_dtype == "float16"
    assert loaded.said_dtype_share == pytest.approx(1 - islands / 1_047_168)
    assert facts(result, HALF).said_dtype_share == 1
    int8 = facts(result, CastMethod.INT8_WEIGHT_ONLY)
    assert int8.said_dtype == "float32"
    assert int8.said_dtype_share is not None
    assert int8.said_dtype_share < 0.2
    assert facts(measured("tinynet"), HALF).said_dtype is None


def test_ties_hold_but_assign_makes_two_parameters_of_one_and_torchao_parts_the_memory() -> None:
    result = measured("t5-tiny")
    for method in (HALF, TO, CastMethod.FROM_PRETRAINED, CastMethod.DEFAULT_DTYPE):
        ties = facts(result, method).ties
        assert ties is not None
        assert (ties.kept, ties.split, ties.separate_parameters) == (3, 0, 0)
    assigned, quantized = (
        facts(result, method).ties for method in (CastMethod.LOAD_STATE_DICT_ASSIGN, CastMethod.INT8_DYNAMIC)
    )
    assert assigned is not None
    assert quantized is not None
    assert (assigned.kept, assigned.split, assigned.separate_parameters) == (3, 0, 3)
    assert (quantized.kept, quantized.split) == (2, 1)


def test_tied_buffers_are_split_in_two_by_half_and_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, TiedBuffers(), torch.randn(5))
    result = measure_routes(RunSpec(analysis=Analysis.ROUTES))
    for method in (HALF, TO):
        ties = facts(result, method).ties
        assert ties is not None
        assert (ties.kept, ties.split) == (0, 1)


def test_plain_attributes_are_left_by_every_route(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, Kinds(), torch.randn(3))
    result = measure_routes(RunSpec(analysis=Analysis.ROUTES))
    for found in result.report.routes:
        if found.method not in (CastMethod.DEFAULT_DTYPE, CastMethod.FROM_PRETRAINED, CastMethod.FLOAT8_DYNAMIC):
            assert changes(found, "plain attribute") == {("float32", "float32"): 3}
    built = facts(result, CastMethod.DEFAULT_DTYPE)
    assert changes(built, "plain attribute") == {("float32", "float16"): 3}


def test_an_optimizer_made_before_the_cast_stumbles_over_half_and_loses_sight_of_new_parameters() -> None:
    result = measured("tinynet")
    for method in IN_PLACE_TO_FLOAT16:
        training = facts(result, method).training
        assert training is not None
        assert (training.parameters, training.same_parameters, training.gradients_lost) == (11, 11, 0)
        assert (training.gradients, training.optimizer_state) == (("float16",), ("float32",))
        assert "Half" in str(training.step_failure)
    for method in (CastMethod.LOAD_STATE_DICT_ASSIGN, CastMethod.DEFAULT_DTYPE):
        training = facts(result, method).training
        assert training is not None
        assert (training.same_parameters, training.gradients_lost) == (0, 11)
    for method in (CastMethod.AUTOCAST, CastMethod.LOAD_STATE_DICT):
        training = facts(result, method).training
        assert training is not None
        assert (training.same_parameters, training.gradients, training.step_failure) == (11, ("float32",), None)
    quantized = facts(result, CastMethod.INT8_DYNAMIC).training
    assert quantized is not None
    assert (quantized.same_parameters, quantized.requiring_gradients, quantized.required_gradients) == (8, 8, 11)


def test_the_step_fails_by_hand_as_well() -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    model.half()
    with pytest.raises(RuntimeError, match="Half"):
        optimizer.step()


def test_half_afterwards_leaves_quantized_weights_as_they_are() -> None:
    result = measured("bert-tiny")
    linear = 14
    for method in (CastMethod.INT8_WEIGHT_ONLY, CastMethod.INT8_DYNAMIC, CastMethod.FLOAT8_WEIGHT_ONLY):
        after = facts(result, method).half_afterwards
        assert after is not None
        assert (after.raised, after.unchanged) == (None, linear)
        assert (after.forward_failure is None) is (method is not CastMethod.FLOAT8_WEIGHT_ONLY)
    plain = facts(result, HALF).half_afterwards
    assert plain is not None
    assert plain.unchanged == 0


def test_a_refused_half_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(nn.Linear):
        def half(self) -> Refusing:
            raise ValueError("not half()")

    with_model(monkeypatch, Refusing(2, 2), torch.randn(1, 2))
    result = measure_routes(RunSpec(analysis=Analysis.ROUTES))
    assert result.report.baseline is TO
    half, to = facts(result, HALF), facts(result, TO)
    assert half.failure is not None
    assert "not half()" in half.failure.message
    assert half.label == "unsupported"
    assert to.half_afterwards is not None
    assert to.half_afterwards.raised == "not half()."
    assert to.errors is not None


def test_routes_of_another_format_are_not_compared_with_the_baseline() -> None:
    for found in measured("tinynet").report.routes:
        comparable = found.format == "float16" and found.method is not HALF and found.failure is None
        assert (found.same_output_as_baseline is not None) is comparable


def test_partial_results_come_after_each_route_and_a_cancelled_run_stops() -> None:
    recorder = Recorder()
    result = measure_routes(RunSpec(analysis=Analysis.ROUTES), recorder)
    partials = [part for part in recorder.partials if isinstance(part, RoutesResult)]
    assert [len(part.report.routes) for part in partials] == list(range(1, result.report.of + 1))
    assert [part.report.is_complete for part in partials] == [False] * (result.report.of - 1) + [True]
    elapsed = [part.elapsed_s for part in partials]
    assert elapsed == sorted(set(elapsed))  # by which a page sees that the result has grown
    assert recorder.fractions == sorted(recorder.fractions)
    with pytest.raises(JobCancelledError):
        measure_routes(RunSpec(analysis=Analysis.ROUTES), Recorder(stop_at="Casting by .half()"))


def test_a_reference_that_does_not_run_is_the_runs_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with_model(monkeypatch, nn.Linear(3, 3), torch.randn(1, 2))
    result = measure_routes(RunSpec(analysis=Analysis.ROUTES))
    assert result.failure is not None
    assert result.report.routes == ()


def test_json_both_ways_and_small() -> None:
    for model in ("tinynet", "t5-tiny"):
        text = measured(model).model_dump_json()
        assert RoutesResult.model_validate_json(text) == measured(model)
        assert len(text) < 100_000


def test_the_method_is_not_read_and_the_measured_spec_is_a_valid_one() -> None:
    one = RunSpec(dtype="int8", method=CastMethod.INT8_DYNAMIC, analysis=Analysis.ROUTES)
    other = RunSpec(dtype="int8", analysis=Analysis.ROUTES)
    assert one.measured == other.measured
    assert RunSpec.model_validate_json(one.measured.model_dump_json()) == one.measured
    with pytest.raises(InputError, match="no device"):
        measure_routes(RunSpec(device="cuda:99", analysis=Analysis.ROUTES))


def test_a_torchscript_model_trains_as_its_python_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = nn.Sequential(nn.Linear(3, 2))
    x = torch.randn(2, 3)
    with_model(monkeypatch, python, x)
    expected = facts(measure_routes(RunSpec(dtype="float16", analysis=Analysis.ROUTES)), HALF)
    with_model(monkeypatch, torch.jit.script(python), x)
    result = measure_routes(RunSpec(dtype="float16", analysis=Analysis.ROUTES))
    assert facts(result, HALF).errors is not None
    assert facts(result, HALF).training == expected.training
