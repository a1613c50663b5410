"""What the facts of a route are called in a few words."""

from __future__ import annotations

import pytest
import torch

from precision.findings.routes import facts as words
from precision.formats import format_named
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import Leaf, flatten
from precision.results import (
    DtypeChange,
    Failure,
    HalfAfterwards,
    IslandFacts,
    RouteFacts,
    TieFacts,
    TrainingFacts,
)
from precision.spec.cast_methods import CastMethod

TRAINING = TrainingFacts(
    parameters=4,
    same_parameters=4,
    requiring_gradients=4,
    required_gradients=4,
    gradients=("float32",),
    gradients_lost=0,
    optimizer_state=("float32",),
    step_failure=None,
)


def facts(**known: object) -> RouteFacts:
    return RouteFacts.model_validate(
        {"method": CastMethod.HALF, "format": "float16", "label": "native", "explanation": "", **known}
    )


def leaf(tensor: torch.Tensor) -> Leaf:
    (found,) = flatten(tensor).leaves
    return found


def change(after: str, tensors: int, rounded_to: str | None = None) -> DtypeChange:
    return DtypeChange(group="parameter", before="float32", after=after, rounded_to=rounded_to, tensors=tensors)


def test_what_was_not_measured_has_no_words() -> None:
    nothing = RouteFacts(method=CastMethod.HALF, format="float16", label=None, explanation="")
    for text in (words.object_text, words.ties_text, words.islands_text, words.training_text, words.said_text):
        assert text(nothing) == ""
    for text in (words.half_text, words.bytes_change_text, words.sqnr_text, words.training_dtypes_text):
        assert text(nothing) == ""
    assert words.output_text(nothing, ".half()") == words.dtypes_text(nothing) == ""


def test_an_object_is_called_changed_where_a_tensor_is() -> None:
    cast = facts(same_object=True, dtypes=(change("float16", 3),))
    assert words.object_text(cast) == "the same object, changed"
    left = facts(same_object=True, dtypes=(change("float32", 3),))
    assert words.object_text(left) == "the same object"
    assert words.object_text(facts(same_object=False)) == "a new object"


def test_a_route_of_torchao_that_did_not_run_found_no_layer_missing() -> None:
    failed = RouteFacts(method=CastMethod.FLOAT8_DYNAMIC, format="float8_e4m3fn", label=None, explanation="")
    assert words.no_layer_texts([failed]) == []


def test_dtypes_are_counted_where_there_are_several() -> None:
    assert words.dtypes_text(facts(dtypes=(change("float16", 3),)), "parameter") == "float16"
    both = facts(dtypes=(change("float16", 3), change("float32", 1)))
    assert words.dtypes_text(both, "parameter") == "3 × float16, 1 × float32"
    assert words.dtypes_text(both, "floating buffer") == ""
    held = facts(dtypes=(change("float32", 2, "float16"), change("float8_e4m3fn", 1, "float8_e4m3fn")))
    assert words.dtypes_text(held, "parameter") == "2 × float16 in float32, 1 × float8_e4m3fn"


@pytest.mark.parametrize(
    ("ties", "text"),
    [
        ((0, 0, 0), "none"),
        ((2, 0, 0), "2 kept"),
        ((0, 1, 0), "1 split"),
        ((3, 1, 2), "3 kept, 1 split (2 now separate parameters on one memory)"),
    ],
)
def test_ties(ties: tuple[int, int, int], text: str) -> None:
    kept, split, separate = ties
    assert words.ties_text(facts(ties=TieFacts(kept=kept, split=split, separate_parameters=separate))) == text


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "AdamW keeps working"),
        ({"step_failure": "a dtype"}, "AdamW's next step raises"),
        (
            {"same_parameters": 1, "gradients_lost": 3, "requiring_gradients": 1},
            "AdamW still holds the old ones of 3 of 4 parameters; 3 gradients lost; 3 frozen",
        ),
    ],
)
def test_training(changed: dict[str, object], text: str) -> None:
    assert words.training_text(facts(training=TRAINING.model_copy(update=changed))) == text


def test_islands() -> None:
    islands = IslandFacts(names=("wo",), kept=4, lost=1, kept_after_half=0)
    assert words.islands_text(facts(islands=islands)) == "wo: 4 of 5 in float32"
    rounded = islands.model_copy(update={"rounded": 4})
    assert words.islands_text(facts(islands=rounded)) == "wo: 4 of 5 in float32, 4 of them with rounded values"
    assert words.islands_text(facts()) == "none requested"


def test_dtypes_in_training_and_what_the_next_step_raises() -> None:
    assert words.training_dtypes_text(facts(training=TRAINING)) == "gradients: float32; AdamW's state: float32"
    lost = TRAINING.model_copy(update={"gradients": ()})
    assert words.training_dtypes_text(facts(training=lost)) == "no gradients; AdamW's state: float32"
    raising = TRAINING.model_copy(update={"step_failure": "a dtype"})
    half, to = facts(training=raising), facts(method=CastMethod.TO, training=raising)
    other = facts(method=CastMethod.TYPE, training=TRAINING)
    told = words.step_failure_texts([half, other, to], "float16")
    assert len(told) == 1
    assert told[0].startswith("AdamW's next step after .half(), .to(dtype) raises, as its state was made before")
    assert told[0].endswith('Torch says: "a dtype"')


@pytest.mark.parametrize(
    ("raised", "unchanged", "failure", "text"),
    [
        (None, 0, None, "casts all parameters"),
        (None, 2, None, "leaves 2 parameters unchanged"),
        (None, 1, None, "leaves 1 parameter unchanged"),
        (None, 2, "no", "the model no longer runs: leaves 2 parameters unchanged"),
        ("no", 0, None, "refused: no"),
    ],
)
def test_half_afterwards(raised: str | None, unchanged: int, failure: str | None, text: str) -> None:
    after = HalfAfterwards(raised=raised, unchanged=unchanged, forward_failure=failure)
    assert words.half_text(facts(half_afterwards=after)) == text


def test_output_and_dtype() -> None:
    found = facts(
        output_dtypes=("float16",), same_output_as_baseline=False, said_dtype="float16", said_dtype_share=0.75
    )
    assert words.output_text(found, ".half()") == "float16, differs from .half()"
    assert words.output_text(found, None) == "float16"
    raises = facts(dtypes=(change("float16", 1),), failure=Failure(stage="", where=None, message="no"))
    assert words.output_text(raises, None) == words.output_text(raises, ".half()") == "raises"
    assert words.output_text(raises.model_copy(update={"dtypes": ()}), None) == ""
    assert words.said_text(found) == "float16, but only 75.0 % of the values are"


def test_the_largest_error_is_a_number_or_a_count() -> None:
    floats = overall_errors([(leaf(torch.ones(2)), leaf(torch.tensor([1.0, 1.25])))], format_named("float16"))
    assert words.largest_error_text(facts(errors=floats)) == "0.25"
    labels = overall_errors([(leaf(torch.arange(4)), leaf(torch.tensor([0, 1, 2, 4])))], format_named("float16"))
    assert words.largest_error_text(facts(errors=labels)) == "1 of 4 differ"
    nothing = overall_errors([(leaf(torch.full((2,), torch.nan)),) * 2], format_named("float16"))
    assert words.largest_error_text(facts(errors=nothing)) == words.largest_error_text(facts()) == ""


def test_what_stands_beside_a_route_of_torchao_is_called_by_its_format() -> None:
    assert words.route_text(facts(), "float16") == ".half()"
    beside = facts(method=CastMethod.WEIGHTS_ONLY, format="int8")
    assert words.route_text(beside, "float16") == words.route_text(beside, "int8") == "weights-only, int8"
    assert words.route_text(facts(method=CastMethod.INT8_DYNAMIC, format="int8"), "float16") == "torchao int8 dynamic"
    eight = facts(method=CastMethod.TO, format="float8_e4m3fn")
    assert words.route_text(eight, "float16") == "to, float8_e4m3fn"
    assert words.route_text(eight, "float8_e4m3fn") == ".to(dtype)"


def test_bytes_of_a_format_that_cannot_be_stored_are_estimated() -> None:
    assert words.bytes_change_text(facts(bytes_after=2048)) == "2.00 KiB"
    assert words.bytes_change_text(facts(bytes_after=2048, estimated_bytes_after=1024)) == "1.00 KiB (estimated)"
