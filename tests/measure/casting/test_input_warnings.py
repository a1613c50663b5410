"""Inputs that do not fit the format they are cast to."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from precision.formats import format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.input_warnings import damaged_inputs, inexact_inputs, input_warnings
from precision.measure.casting.methods import cast
from precision.spec import CastMethod


def brought(name: str, method: CastMethod = CastMethod.TO) -> CastModel:
    return cast(nn.Identity(), format_named(name), method=method, device=torch.device("cpu"))


def test_values_that_fit_say_nothing() -> None:
    args = (torch.tensor([65504.0, -math.inf, math.nan]), torch.tensor([10**9]), torch.empty(0), None)
    assert input_warnings(brought("float16"), args, {"text": "words"}) == ()


def test_values_that_become_infinite() -> None:
    large = torch.tensor([1e6, -7e4, 1.0])
    assert input_warnings(brought("float16"), (torch.ones(1), {"wave": [large]}), {"pixels": large}) == (
        "Input [1]['wave'][0]: 2 of 3 values are beyond the range of float16 and become infinite (largest 1,000,000).",
        "Input pixels: 2 of 3 values are beyond the range of float16 and become infinite (largest 1,000,000).",
    )


@pytest.mark.parametrize(("name", "most"), [("float8_e4m3fn", "448"), ("float8_e5m2", "57,344")])
def test_values_that_saturate(name: str, most: str) -> None:
    (sentence,) = input_warnings(brought(name), (torch.tensor([1e6, -1e6, 1.0]),), {})
    beyond = f"Input [0]: 2 of 3 values are beyond the range of {name}"
    assert sentence == f"{beyond} and become ±{most} (largest 1,000,000)."


@pytest.mark.parametrize("method", [CastMethod.AUTOCAST, CastMethod.WEIGHTS_ONLY])
def test_inputs_that_are_not_cast_say_nothing(method: CastMethod) -> None:
    assert input_warnings(brought("float16", method), (torch.tensor([1e6]),), {}) == ()


def test_an_input_of_nothing_but_infinities_is_said_without_a_largest_value() -> None:
    infinities = torch.tensor([math.inf, math.inf, -math.inf])
    (warning,) = input_warnings(brought("float8_e4m3fn"), (infinities,), {})
    assert warning.endswith("become ±448.")


def test_whole_numbers_that_become_others() -> None:
    steps, model = torch.tensor([937.0, 256.0]), brought("bfloat16")
    (sentence,) = input_warnings(model, (torch.tensor([0.1]), steps), {})
    assert sentence.startswith("Input [1]: 1 of 2 whole numbers are others in bfloat16: 937 becomes 936.")
    assert damaged_inputs(model, (torch.tensor([0.1]),), {"steps": steps}) == ("steps",)
    assert inexact_inputs(model, (torch.tensor([0.1]), torch.ones(1)), {"steps": steps}) == (0, "steps")
    assert input_warnings(replace(model, wide_inputs=frozenset([1])), (torch.ones(1), steps), {}) == ()
    assert input_warnings(brought("float16"), (steps,), {}) == ()


def test_an_added_mask_is_no_data_that_the_cast_changes() -> None:
    mask, model = torch.tensor([[0.0, -10001.0, -10001.0]]), brought("bfloat16")
    assert float(mask[0, 1].bfloat16()) == -9984
    assert input_warnings(model, (mask,), {}) == ()
    assert damaged_inputs(model, (mask,), {}) == ()
    (sentence,) = input_warnings(model, (mask - 1,), {})
    assert "-10002 becomes -9984" in sentence
