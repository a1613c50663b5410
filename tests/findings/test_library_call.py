"""The call that is shown asks the library for the same request."""

from __future__ import annotations

import ast
from typing import Any

import pytest

import precision as px
from precision.findings.library_call import library_call
from precision.library.settings import spec_of
from precision.spec import Analysis, RunSpec

ASKED: list[dict[str, Any]] = [
    {"dtype": "int8"},
    {"dtype": "bfloat16", "method": "autocast", "device": "cuda:0", "seed": 7, "regime": "x100"},
    {"dtype": "float16", "reference": "float64", "keep": ("a.b", "gate:wide"), "wide_inputs": ("x", "0")},
    {"plan": (("a", "int8"), ("b'c", "float16")), "outputs": ("logits=class-scores",)},
    {"weights": (("a.weight", "float8_e4m3fn*2^7"),)},
    {"formats": ("bfloat16", "int8"), "exact": True},
]


@pytest.mark.parametrize("asked", ASKED, ids="-".join)
@pytest.mark.parametrize("analysis", [each for each in Analysis if each is not Analysis.DEVICE_SPEED], ids=str)
def test_the_call_makes_the_request(analysis: Analysis, asked: dict[str, Any]) -> None:
    if analysis in (Analysis.TRAINING, Analysis.AUTOCAST) and asked.get("dtype") not in ("float16", "bfloat16"):
        asked = {"dtype": "bfloat16"}
    spec = RunSpec.parse({**asked, "analysis": analysis}).measured
    call = ast.parse(library_call(spec), mode="eval").body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Attribute)
    assert call.func.attr in px.__all__
    settings = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
    wanted = spec if analysis is not Analysis.ERRORS else spec.model_copy(update={"analysis": Analysis.COMPARE})
    assert spec_of(wanted.analysis, None, settings) == wanted
