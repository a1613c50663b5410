"""Weights in formats of their own, as a request says it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import InputError
from precision.formats import ALL_FORMATS, ScaledFormat
from precision.spec import CastMethod, RunSpec

PLAIN = [row.name for row in ALL_FORMATS if not isinstance(row, ScaledFormat)]
formats = st.sampled_from([row.name for row in ALL_FORMATS]) | st.builds(
    lambda name, exponent: f"{name}*2^{exponent}", st.sampled_from([*PLAIN, "e5m7"]), st.integers(-1000, 1000)
)


@given(st.dictionaries(st.text(min_size=1, max_size=12), formats, min_size=1, max_size=5), st.sampled_from([32, 64]))
def test_weights_survive_link_and_json(weights: dict[str, str], bits: int) -> None:
    spec = RunSpec.parse({"weights": tuple(weights.items()), "reference": f"float{bits}"})
    assert RunSpec.parse(spec.to_query()) == spec
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec
    assert (spec.dtype, spec.method) == (f"float{bits}", CastMethod.WEIGHTS_ONLY)


def test_the_same_weights_written_in_several_ways_are_one_request() -> None:
    one = RunSpec.parse({"weights": [("b", "half"), ("a", "e4m3*2^+07")]})
    assert one.weights == (("a", "float8_e4m3fn*2^7"), ("b", "float16"))
    for text in (
        "a=float8_e4m3fn*2^7, b=fp16,",
        json.dumps({"a": "e4m3*2^7", "b": "float16"}),
        json.dumps({"half": ["b"], "e4m3*2^7": ["a"]}),
    ):
        assert RunSpec.parse({"weights": text}) == one
    assert one.candidate == "float32 with weights in 1 × float8_e4m3fn, 1 × float16"
    assert RunSpec.parse({"weights": [("a", "half*2^0")]}).weights == (("a", "float16"),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weights": [("a", "float13")]}, "Unknown format 'float13'"),
        ({"weights": "a=float16,a=int8"}, "weights give 'a' two formats: float16 and int8"),
        ({"weights": "float16"}, "weights = 'float16': not a weight and its format. Write NAME=FORMAT"),
        ({"weights": ","}, "weights name no weight. Write NAME=FORMAT"),
        ({"weights": "{"}, "weights = '{': not JSON.*Write NAME=FORMAT"),
        ({"weights": '{"a": 3}'}, "'a' has 3, which is neither a format nor a list of names"),
        ({"weights": "a=int8*2^3"}, "int8 has scales of its own"),
        ({"weights": "a=half*2^1001"}, r"a scale is from 2\^-1000 to 2\^1000"),
        ({"weights": 7}, "weights = '7'"),
        ({"weights": "a=half", "dtype": "float16"}, "everything but these weights is in float32: leave out dtype"),
        ({"weights": "a=half", "method": "to"}, "leave out dtype and method"),
        ({"weights": "a=half", "keep": "b"}, "leave out keep"),
        ({"weights": "a=half", "plan": [("b", "half")], "wide_inputs": "x"}, "leave out plan, wide_inputs"),
    ],
)
def test_bad_weights_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunSpec.parse(values)


def test_ranges_do_not_depend_on_weights() -> None:
    one, other = (RunSpec.parse({"weights": text, "analysis": "ranges"}) for text in ("a=half", "b=int8"))
    assert one.measured == other.measured
