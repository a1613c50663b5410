"""Results that are arrays in JSON."""

from __future__ import annotations

import json
import math

import pytest
from pydantic import ValidationError

from precision.results.layers import ErrorOctaves, LayerErrors, LayerRow, OperatorDtypes, TensorPair

ROW = LayerRow(
    fqn="a.b",
    call=2,
    type="Linear",
    depth=1,
    parent=0,
    is_leaf=True,
    finished=3,
    outputs=(TensorPair(path="output", shape=(2, 3), reference_dtype="float32", candidate_dtype="float16"),),
    errors=LayerErrors(
        elements=6,
        ref_only_nonfinite=0,
        cand_only_nonfinite=1,
        both_nonfinite=2,
        nonfinite_agree=1,
        exact_share=0.5,
        sqnr_db=math.inf,
        rmse=None,
    ),
)


def test_json_is_an_array_without_trailing_defaults() -> None:
    array = json.loads(ROW.model_dump_json())
    assert array[:8] == ["a.b", 2, "Linear", 1, 0, True, 3, []]
    assert array[8] == [["output", [2, 3], "float32", "float16"]]
    assert array[9] == [6, 0, 1, 2, 1, 0.5, None, None, None, None, "Infinity"]
    assert len(array) == 10


def test_both_forms_read_back_as_the_same() -> None:
    assert LayerRow.model_validate_json(ROW.model_dump_json()) == ROW
    assert LayerRow.model_validate(ROW.model_dump()) == ROW
    assert LayerRow.model_validate(ROW.model_dump(mode="json")) == ROW


def test_an_array_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValidationError, match="OperatorDtypes has 3 fields, not 4"):
        OperatorDtypes.model_validate([[], [], "float16", 1])


def test_counts_follow_from_counts() -> None:
    errors = ROW.errors
    assert errors is not None
    assert (errors.finite_pairs, errors.nonfinite_differ, errors.is_exact) == (3, 2, False)


def test_edges_of_octaves_reach_infinity() -> None:
    assert ErrorOctaves(first=-2, counts=(1, 2), zeros=0).edges == (0.25, 0.5, 1.0)
    assert ErrorOctaves(first=1023, counts=(1,), zeros=0).edges == (2.0**1023, math.inf)
