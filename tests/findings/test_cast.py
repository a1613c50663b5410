from precision.findings.cast import changed_text, estimated_text, memory_text
from tests.charts.odd_results import audit, tensor

FLOAT32 = tensor("weight", after="float32")
"""Not changed by any cast."""


def test_a_dtype_that_changes_is_said_to() -> None:
    found = audit([tensor("weight"), FLOAT32])
    assert changed_text(found) == "1 of 2 tensors changed dtype"
    assert estimated_text(found) == ""


def test_what_is_rounded_and_held_in_a_wider_dtype_is_said_to_be() -> None:
    rounded = FLOAT32.model_copy(update={"changed": True, "rounded_to": "int8"})
    found = audit([rounded, FLOAT32]).model_copy(update={"estimated_bytes_after": 5120})
    assert changed_text(found) == "1 of 2 tensors rounded to int8, held in float32"
    assert estimated_text(found) == "stored in int8: 5.00 KiB (estimated)"


def test_nothing_to_round_has_no_estimate() -> None:
    found = audit([FLOAT32]).model_copy(update={"estimated_bytes_after": FLOAT32.bytes_after})
    assert changed_text(found) == "0 of 1 tensor changed dtype"
    assert estimated_text(found) == ""


def test_memory_is_told_as_a_share() -> None:
    same = audit([]).model_copy(update={"bytes_before": 100, "bytes_after": 100})
    assert memory_text(same) == "No memory saved."
    assert memory_text(same.model_copy(update={"bytes_after": 50})) == "Half the memory to store it."
    assert memory_text(same.model_copy(update={"bytes_after": 150})) == "1.5 times the memory to store it."
