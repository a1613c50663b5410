from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from precision.measure.metrics.outputs import MAX_DEPTH, flatten

A, B, C = torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([3.0])
Point = namedtuple("Point", ["x", "y"])


@dataclass
class Inner:
    scores: Tensor
    skipped: Tensor | None = None


@dataclass
class Outer:
    logits: Tensor
    inner: Inner
    parts: dict[str, list[Tensor]] = field(default_factory=dict)


def paths(output: object) -> list[str]:
    return [leaf.path for leaf in flatten(output).leaves]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (A, ["output"]),
        ((A, B), ["[0]", "[1]"]),
        ([A, [B, (C,)]], ["[0]", "[1][0]", "[1][1][0]"]),
        ({"logits": A, "hidden_states": (A, B)}, ["logits", "hidden_states[0]", "hidden_states[1]"]),
        ({"a": {"b": {"c": A}}}, ["a.b.c"]),
        (Point(A, {"z": B}), ["x", "y.z"]),
        (Outer(A, Inner(B), {"p": [C]}), ["logits", "inner.scores", "parts.p[0]"]),
        (BaseModelOutput(last_hidden_state=A, hidden_states=(B, C)),
         ["last_hidden_state", "hidden_states[0]", "hidden_states[1]"]),
        (OrderedDict([("z", A), ("a", B)]), ["z", "a"]),
        ({0: A, 1: B}, ["[0]", "[1]"]),
        ({"a b": A, "<i>*x*": B, "é\n": C}, ["a b", "<i>*x*", "é\n"]),
        ({"a.b": A, "a": {"b": B}, "": C}, ["['a.b']", "a.b", "['']"]),
        ({"x": None, "y": A}, ["y"]),
        (None, []),
        ((), []),
        (nn.Parameter(A), ["output"]),
    ],
)  # fmt: skip
def test_every_structure_is_flattened_in_order(output: object, expected: list[str]) -> None:
    flattened = flatten(output)
    assert [leaf.path for leaf in flattened.leaves] == expected
    assert flattened.notes == ()


def test_leaves_are_the_models_own_values_without_gradient() -> None:
    x = torch.ones(2, requires_grad=True)
    (leaf,) = flatten({"x": x}).leaves
    assert leaf.tensor.data_ptr() == x.data_ptr()
    assert not leaf.tensor.requires_grad
    assert (leaf.dtype, leaf.kind) == ("float32", "floating")


def test_one_tensor_in_two_places_is_listed_twice() -> None:
    assert paths({"loss": A, "again": A}) == ["loss", "again"]


def test_paths_are_unique_whatever_the_keys() -> None:
    class Key:
        def __str__(self) -> str:
            return "same"

    found = paths({Key(): A, Key(): B, 1: A, True + 0.5: C})
    assert len(set(found)) == len(found) == 4


@pytest.mark.parametrize(
    ("value", "kind", "dtype"),
    [
        (torch.tensor([1]), "integer", "int64"),
        (torch.tensor([True]), "boolean", "bool"),
        (torch.tensor([1.0]).to(torch.float8_e4m3fn), "floating", "float8_e4m3fn"),
        (torch.tensor([1j]), "complex", "complex64"),
        (torch.tensor([1], dtype=torch.uint16), "integer", "uint16"),
    ],
)
def test_kinds(value: Tensor, kind: str, dtype: str) -> None:
    (leaf,) = flatten(value).leaves
    assert (leaf.kind, leaf.dtype) == (kind, dtype)
    assert leaf.has_magnitudes == (kind in ("floating", "complex"))


def test_complex_is_compared_by_its_parts() -> None:
    flattened = flatten({"f": torch.tensor([[1 + 2j, 3 - 4j]]).conj()})
    assert flattened.leaves[0].tensor.tolist() == [[[1.0, -2.0], [3.0, 4.0]]]
    assert flattened.notes == ("f is complex: real and imaginary parts are compared, in a last dimension of 2.",)


def test_sparse_is_expanded_and_large_sparse_is_left_out() -> None:
    small = torch.eye(3).to_sparse()
    flattened = flatten([small, small.to_sparse_csr()])
    assert all(torch.equal(leaf.tensor, torch.eye(3)) for leaf in flattened.leaves)
    assert len(flattened.notes) == 2
    huge = torch.sparse_coo_tensor(torch.tensor([[0]]), torch.tensor([1.0]), (2**40,))
    assert flatten({"h": huge, "x": A}).notes == (f"h is sparse and would need {2**40} elements: not compared.",)
    assert paths({"h": huge, "x": A}) == ["x"]


def test_quantized_is_dequantized() -> None:
    quantized = torch.quantize_per_tensor(torch.tensor([0.5, 1.0]), 0.5, 0, torch.qint8)
    flattened = flatten(quantized)
    assert flattened.leaves[0].tensor.tolist() == [0.5, 1.0]
    assert "its dequantized values" in flattened.notes[0]


def test_nested_tensors_are_their_parts() -> None:
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    assert paths({"n": nested}) == ["n[0]", "n[1]"]


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (0.5, "x is of type float, not a tensor: not compared."),
        (7, "x is of type int, not a tensor: not compared."),
        ("text", "x is of type str, not a tensor: not compared."),
        (object(), "x is of type object, not a tensor: not compared."),
        (Inner, "x is of type type, not a tensor: not compared."),
        (torch.empty(3, device="meta"), "x is on the meta device and has no values: not compared."),
        (torch.empty(2, dtype=torch.float4_e2m1fn_x2), "x has dtype float4_e2m1fn_x2, whose values cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_a_note(value: object, note: str) -> None:
    flattened = flatten({"x": value, "y": A})
    assert [leaf.path for leaf in flattened.leaves] == ["y"]
    assert len(flattened.notes) == 1
    assert flattened.notes[0].startswith(note)


def test_a_tensor_that_cannot_be_read_is_a_note() -> None:
    class Broken(Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is Tensor.detach:
                raise RuntimeError("no values here\nmore")
            return super().__torch_function__(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]

    flattened = flatten({"x": torch.ones(1).as_subclass(Broken), "y": A})
    assert [leaf.path for leaf in flattened.leaves] == ["y"]
    assert flattened.notes == ("x (float32) could not be read: no values here",)


def test_depth_is_bounded() -> None:
    deep: object = A
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    flattened = flatten({"deep": deep, "y": B})
    assert [leaf.path for leaf in flattened.leaves] == ["y"]
    assert "nested deeper than 8 levels" in flattened.notes[0]


def test_a_structure_that_contains_itself_ends() -> None:
    loop: list[object] = [A]
    loop += [loop, loop]
    flattened = flatten(loop)
    assert flattened.leaves
    assert flattened.notes
    wide: list[object] = []
    wide += [wide] * 100
    assert "very many parts" in flatten(wide).notes[0]


def test_number_of_leaves_and_notes_is_bounded() -> None:
    many = flatten([A] * 5000)
    assert len(many.leaves) == 4096
    assert many.notes == ("The output has very many parts: those after the first 4096 tensors were not compared.",)
    exact = flatten([A] * 4096)
    assert (len(exact.leaves), exact.notes) == (4096, ())
    numbers = flatten(list(range(500)))
    assert len(numbers.notes) == 51
    assert numbers.notes[-1] == "450 more parts of the output were not compared."
