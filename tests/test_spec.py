"""What a request accepts, refuses and is identified by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precision.errors import InputError
from precision.formats import FORMATS
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
        ({"method": "magic"}, r"method = 'magic'"),
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
