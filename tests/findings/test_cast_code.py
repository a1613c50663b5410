"""The code that a page offers does what the run did."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from precision import analyses
from precision.findings.cast_code import cast_code
from precision.results import CompareResult
from precision.spec import RunSpec


def shared(**settings: object) -> CompareResult:
    return analyses.compare(RunSpec.parse({"model": "linear-5-10", **settings}))


@pytest.mark.parametrize(
    ("dtype", "method"),
    [("float16", "to"), ("bfloat16", "to"), ("float16", "half"), ("bfloat16", "bfloat16"), ("bfloat16", "autocast")],
)
def test_it_casts_model_and_inputs_as_the_run_did(dtype: str, method: str) -> None:
    result = shared(dtype=dtype, method=method)
    torch.manual_seed(0)
    names: dict[str, Any] = {"model": torch.nn.Linear(5, 10), "inputs": [torch.randn(8, 5), torch.arange(3)][:1]}
    exec(cast_code(result), names)  # noqa: S102  # the code of the page
    assert result.comparison is not None
    assert str(names["output"].dtype) == f"torch.{result.comparison.outputs[0].candidate_dtype}"
    held = next(names["model"].parameters()).dtype
    assert result.audit is not None
    assert {str(held).removeprefix("torch.")} == {each.dtype_after for each in result.audit.tensors}


@pytest.mark.parametrize(
    "settings",
    [
        {"dtype": "float8_e4m3fn"},
        {"dtype": "int8", "method": "dynamic"},
        {"dtype": "float16", "method": "weights-only"},
        {"dtype": "float16", "keep": ("fc",)},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_there_is_none_where_a_call_does_not_do_it(settings: dict[str, object]) -> None:
    assert cast_code(shared(**settings)) == ""
