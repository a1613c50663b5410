"""A cast method is a row and the function that casts: two files."""

import json
from pathlib import Path

import pytest

from tests.zoo.grown import Grown

ROW = """\
    LIKE = MethodRow("to-like", ".to(tensor)", ".to(a {fmt} tensor)", _COMPUTED, bytes_like="format")
"""
FUNCTION = "    CastMethod.LIKE: lambda module, dtype: module.to(torch.empty(0, dtype=dtype)),\n"
ADDED = {
    "precision/spec/cast_methods.py": (("    INT8_WEIGHT_ONLY = _torchao(", ROW),),
    "precision/measure/casting/bringing.py": (("    CastMethod.FROM_PRETRAINED:", FUNCTION),),
}

pytestmark = pytest.mark.slow


def test_it_casts_is_audited_and_is_a_route(tmp_path: Path) -> None:
    grown = Grown(tmp_path, ADDED)
    cast = ("--model", "tinynet", "--dtype", "float16")
    audited, usual = (
        json.loads(grown.python("-m", "precision", "audit", *cast, "--method", method, "--json"))
        for method in ("to-like", "to")
    )
    assert audited["spec"]["method"] == "to-like"
    assert audited["execution"] == usual["execution"]
    assert [row["dtype_after"] for row in audited["audit"]["tensors"]] == ["float16"] * 11
    assert {row["reason"] for row in audited["audit"]["tensors"]} == {"cast by .to(a float16 tensor)"}
    routes = json.loads(grown.python("-m", "precision", "routes", *cast, "--json"))["report"]["routes"]
    like = next(route for route in routes if route["method"] == "to-like")
    assert (like["failure"], like["same_output_as_baseline"]) == (None, True)
    grown.tests("tests/measure/casting/test_methods.py", "tests/spec", "-k", "to-like or method or LIKE")
