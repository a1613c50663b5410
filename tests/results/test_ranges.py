"""The rows of a result of ranges, by module."""

from precision.results.ranges import RangeKind, TensorRange, by_module


def row(module: str, kind: RangeKind) -> TensorRange:
    return TensorRange(module=module, module_type="Linear", kind=kind, name="x", dtype="float32", calls=1, histogram=0)


def order(*rows: TensorRange) -> list[str]:
    return [each.module for each in by_module(rows)]


def test_modules_are_in_the_order_of_their_calls_and_parents_come_first() -> None:
    weights = [row(module, "parameter") for module in ("body.0", "body.2", "body.3", "head")]
    calls = [row(module, "output") for module in ("body.0", "body.1", "body.3", "body", "head", "")]
    assert order(*weights, *calls) == ["", "body", "body.0", "body.2", "body.1", "body.3", "head"]
    assert by_module([*weights, *calls])[2].tensors == (weights[0], calls[0])


def test_without_calls_modules_are_in_the_order_of_their_weights() -> None:
    assert order(row("b", "parameter"), row("a", "buffer"), row("b", "parameter")) == ["b", "a"]
    assert order() == []
