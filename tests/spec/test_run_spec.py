"""What a request accepts, refuses and is identified by."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

import precision as px
from precision.errors import InputError
from precision.formats import ALL_FORMATS, FORMATS
from precision.spec import CastMethod, RunSpec, formats_of

valid_pairs = [(method, row.name) for method in CastMethod for row in FORMATS if formats_of(method, (row.name,))]
specs = st.builds(
    lambda pair, **rest: RunSpec(method=pair[0], dtype=pair[1], **rest),
    st.sampled_from(valid_pairs),
    model=st.text(min_size=1, max_size=20),
    device=st.sampled_from(["cpu", "cuda:0"]),
    seed=st.integers(0, 2**32 - 1),
    batch=st.none() | st.integers(1, 4096),
    length=st.none() | st.integers(1, 8192),
    text=st.none() | st.text(min_size=1, max_size=50),
    reference=st.sampled_from(["float32", "float64"]),
)


@pytest.mark.slow
@given(specs)
def test_a_link_reproduces_the_spec(spec: RunSpec) -> None:
    assert RunSpec.parse(spec.to_query()) == spec


@given(specs, specs)
def test_digests_are_equal_exactly_where_specs_are(one: RunSpec, other: RunSpec) -> None:
    assert (one.digest() == other.digest()) == (one == other)


def test_aliases_are_the_same_request() -> None:
    assert RunSpec.parse({"dtype": "half"}) == RunSpec.parse({"dtype": "torch.float16"}) == RunSpec()


def test_defaults_make_an_empty_link() -> None:
    assert RunSpec().to_query() == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dtype": "float13"}, r"Unknown format 'float13'"),
        ({"batch": "100000"}, r"batch = '100000': .*at most 4096 is allowed"),
        ({"batch": "0"}, r"batch = '0': .*at least 1 is needed"),
        ({"batch": "many"}, r"batch = 'many': .*not a whole number"),
        ({"seed": "-1"}, r"seed = '-1'"),
        ({"colour": "red"}, r"Unknown setting 'colour'. Known: model, dtype"),
        ({"method": "magic"}, r"Unknown cast method 'magic'. Choose of: to, half"),
        ({"reference": "float16"}, r"reference = 'float16'"),
        ({"method": "half", "dtype": "bfloat16"}, r"'half' gives float16, not bfloat16"),
        ({"method": "autocast", "dtype": "float64"}, r"'autocast' gives bfloat16 or float16, not float64"),
        ({"text": "x" * 20_001}, r"text = .*at most 20000"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunSpec.parse(values)


def test_formats_of_each_method() -> None:
    names = tuple(row.name for row in FORMATS)
    assert formats_of(CastMethod.HALF, names) == ("float16",)
    assert formats_of(CastMethod.BFLOAT16, names) == ("bfloat16",)
    assert formats_of(CastMethod.AUTOCAST, names) == ("bfloat16", "float16")
    assert formats_of(CastMethod.TO, names) == formats_of(CastMethod.WEIGHTS_ONLY, names) == names
    assert formats_of(CastMethod.DYNAMIC, (*names, "int8", "mxfp4_e2m1")) == ("int8", "mxfp4_e2m1")


def test_a_format_with_scales_has_a_method_that_knows_it() -> None:
    assert RunSpec.parse({"dtype": "mxfp4"}).method is CastMethod.DYNAMIC
    assert RunSpec.parse({"dtype": "mxfp4", "method": "weights-only"}).method is CastMethod.WEIGHTS_ONLY
    assert RunSpec.parse({"dtype": "e5m7"}).method is CastMethod.TO
    with pytest.raises(InputError, match="gives a format without scales"):
        RunSpec.parse({"dtype": "mxfp4", "method": "to"})


names = st.text(min_size=1, max_size=12)
plans = st.dictionaries(names, st.sampled_from([row.name for row in ALL_FORMATS] + ["e5m7"]), min_size=1, max_size=5)


@given(plans, st.sampled_from(["float32", "float64"]))
def test_a_plan_survives_link_and_json(plan: dict[str, str], reference: str) -> None:
    spec = RunSpec.parse({"plan": tuple(plan.items()), "reference": reference})
    assert RunSpec.parse(spec.to_query()) == spec
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec
    assert list(spec.plan) == sorted(spec.plan)


def test_equal_plans_are_the_same_request() -> None:
    one = RunSpec.parse({"plan": [("b", "half"), ("a", "bf16"), ("c", "float32"), ("b", "float16")]})
    assert one.plan == (("a", "bfloat16"), ("b", "float16"))
    assert one == RunSpec.parse({"plan": '{"fp16":["b"],"bfloat16":["a"]}'})
    assert (one.dtype, one.method, one.candidate) == ("bfloat16", CastMethod.TO, "plan of 1 × bfloat16, 1 × float16")
    assert [fmt.name for fmt in one.candidate_formats] == ["bfloat16", "float16"]
    assert one.to_query() == {"dtype": "bfloat16", "plan": '{"bfloat16":["a"],"float16":["b"]}'}


def test_a_plan_of_the_references_precision_alone_says_so() -> None:
    spec = RunSpec.parse({"plan": [("a", "float32")]})
    assert (spec.plan, spec.dtype) == ((("a", "float32"),), "float32")


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        (("float16", "bfloat16"), "bfloat16"),
        (("float16", "int8"), "int8"),
        (("float8_e4m3fn", "float8_e5m2"), "float8_e5m2"),
        (("mxfp8_e4m3", "float8_e4m3fn"), "float8_e4m3fn"),
        (("int4", "nvfp4", "int8"), "nvfp4"),
    ],
)
def test_the_dtype_of_a_plan_is_its_coarsest(formats: tuple[str, ...], expected: str) -> None:
    spec = RunSpec.parse({"plan": [(name, name) for name in formats]})
    assert spec.dtype == expected
    assert spec.method is (CastMethod.DYNAMIC if expected in {"int8", "nvfp4"} else CastMethod.TO)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"plan": [("a", "float13")]}, "Unknown format 'float13'"),
        ({"plan": [("a", "float16"), ("a", "bf16")]}, "gives 'a' two formats: float16 and bfloat16"),
        ({"plan": [("a", "bfloat16")], "dtype": "float16"}, "dtype float16 with a plan whose coarsest format is bf"),
        ({"plan": [("a", "float16")], "method": "autocast"}, "leave out method 'autocast'"),
        ({"plan": [("a", "float16")], "keep": ("b",)}, "leave out keep"),
        ({"plan": "{"}, "plan = '{': not the layers by format"),
        ({"plan": "[1]"}, "not the layers by format"),
        ({"plan": "5"}, "not the layers by format"),
        ({"plan": [("a", "float16", "b")]}, "plan"),
        ({"plan": 7}, "plan = '7'"),
        ({"plan": '{"float16":[1]}'}, "plan"),
        ({"plan": [(str(i), "float16") for i in range(10_001)]}, "at most 10000 layers are allowed"),
    ],
)
def test_bad_plans_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunSpec.parse(values)


def test_ranges_do_not_depend_on_a_plan() -> None:
    one, other = (RunSpec.parse({"plan": [("a", name)], "analysis": "ranges"}) for name in ("float16", "mxfp4"))
    assert one.measured == other.measured


def test_words_filled_in_keep_the_space_before_the_method() -> None:
    said = RunSpec(dtype="float16").in_words("**{candidate}** against {reference}{method}", escape=str.strip)
    assert said == "**float16** against float32 · .to(dtype)"


def test_autocast_lowers_to_bfloat16_unless_asked_otherwise() -> None:
    assert RunSpec.parse({"analysis": "autocast"}).dtype == inspect.signature(px.autocast).parameters["dtype"].default
    assert RunSpec.parse({"analysis": "autocast", "dtype": "half"}).dtype == "float16"
    assert RunSpec().dtype == "float16"


def test_what_is_kept_is_written_in_one_way_and_survives_a_link() -> None:
    spec = RunSpec.parse({"keep": "gate:wide,block:wide:code,gate:wide", "wide_inputs": "t,1"})
    assert spec.keep == ("gate:wide", "block:code:wide")
    assert spec.wide_inputs == ("t", "1")
    assert RunSpec.parse(spec.to_query()) == spec
