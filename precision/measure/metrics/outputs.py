"""Whatever a model returns, as a flat list of tensors with their places."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from precision.formats import FORMATS
from precision.measure.metrics.clusters import Ids
from precision.measure.rounding import dtype_name

MAX_DEPTH = 8
MAX_LEAVES = 4096
MAX_NOTES = 50
MAX_OBJECTS = 100_000
"""Containers and items looked at: ends the walk through structures that refer to themselves."""
MAX_DENSE_ELEMENTS = 2**24
"""A sparse tensor larger than this is not expanded (128 MiB of float64)."""

Kind = Literal["floating", "integer", "boolean", "complex"]

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys((fmt.name for fmt in FORMATS if fmt.has_dtype), "floating"),
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), "integer"),
    **dict.fromkeys(("complex32", "complex64", "complex128"), "complex"),
    "bool": "boolean",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaf:
    """One tensor of an output."""

    path: str
    """Its place, such as `logits`, `[0]` or `hidden_states[3]`; `output` for a bare tensor. Unique."""
    tensor: Tensor
    """Dense and real; a complex one appears as its real and imaginary parts in a last dimension of 2."""
    dtype: str
    """Of the tensor as the model returned it."""
    kind: Kind
    """Of the tensor as the model returned it."""
    rows: Tensor | None = None
    """`(rows, 2)`, whole numbers: the text and the position that each row of the tensor is, in a tensor `(texts,
    positions, ...)` of which some positions were left out. None for a tensor as the model returned it.
    """
    given: tuple[int, ...] | None = None
    """The shape before positions were left out, or of the longest text; None for a tensor as the model returned it."""
    left_out: int = 0
    """Positions that were left out."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As the model returned it."""
        return self.given or tuple(self.tensor.shape)

    @property
    def clustered(self) -> bool:
        """Whether its samples, the positions before the last dimension, come in clusters: those of one text."""
        return len(self.shape) >= 3

    def clusters(self) -> Ids | None:
        """The text of each sample; None where each sample is a text."""
        if not self.clustered:
            return None
        texts = torch.arange(len(self.tensor)) if self.rows is None else self.rows[:, 0].cpu()
        return np.asarray(texts.repeat_interleave(math.prod(self.tensor.shape[1:-1])).numpy())

    def index(self, place: tuple[int, ...]) -> tuple[int, ...]:
        """Where the model returned what is now at `place`."""
        return place if self.rows is None else (*self.rows[place[0]].tolist(), *place[1:])

    def without(self, data: Tensor | None) -> Leaf:
        """Itself, or with only the positions `(texts, positions)` that are True where the tensor has such positions.

        That is a tensor `(texts, positions)` or `(texts, positions, features)`, but not one of scores of positions, as
        of answers to questions, nor of attention. Nor is it a vector for each text, or what is made of pictures or
        sound: both may be as wide as the texts are long.
        """
        shape = tuple(self.tensor.shape)
        if data is None or len(shape) not in (2, 3) or shape[:2] != tuple(data.shape):
            return self
        if re.search("attention|image|vision|audio", self.path):
            return self
        if len(shape) == 2 and re.search("logit|score|embed|pool", self.path):
            return self
        here = data.to(self.tensor.device)
        left_out = int((~here).sum())
        return replace(self, tensor=self.tensor[here], rows=here.nonzero(), given=shape, left_out=left_out)

    def padded(self) -> Tensor:
        """The tensor in the shape that the model returned, with zeros where positions were left out."""
        if self.rows is None or self.given is None:
            return self.tensor
        whole = self.tensor.new_zeros(self.given)
        whole[self.rows[:, 0], self.rows[:, 1]] = self.tensor
        return whole

    @property
    def has_magnitudes(self) -> bool:
        """Whether errors of its elements have a size: True for real and complex numbers."""
        return self.kind in ("floating", "complex")


@dataclass(frozen=True, kw_only=True)
class Flattened:
    """The tensors of an output, in order, and what was left out."""

    leaves: tuple[Leaf, ...]
    notes: tuple[str, ...]

    def magnitudes(self, *, padded: bool = False) -> tuple[Tensor, ...]:
        """The tensors that have magnitudes; with `padded`, in the shapes that the model returned."""
        return tuple(leaf.padded() if padded else leaf.tensor for leaf in self.leaves if leaf.has_magnitudes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    """The tensors that two outputs have in the same places, and what the others lack."""

    pairs: tuple[tuple[Leaf, Leaf], ...]
    """Of the same path, shape and kind, in the reference's order."""
    differences: tuple[str, ...]
    """What is not in both, or has another shape or kind: clauses without an end."""

    @property
    def floating(self) -> tuple[tuple[Leaf, Leaf], ...]:
        """Those with magnitudes."""
        return tuple(pair for pair in self.pairs if pair[0].has_magnitudes)


def paired(reference: Flattened, candidate: Flattened, *, other: str = "candidate") -> Paired:
    """Match tensors by path; nothing is broadcast. Notes call the candidate `other`."""
    twins = {leaf.path: leaf for leaf in candidate.leaves}
    pairs: list[tuple[Leaf, Leaf]] = []
    differences: list[str] = []
    for leaf in reference.leaves:
        twin = twins.pop(leaf.path, None)
        if twin is None:
            differences.append(f"{leaf.path} is in the reference's output but not in that of the {other}")
        elif twin.kind != leaf.kind:
            differences.append(f"{leaf.path} is {leaf.dtype} in the reference and {twin.dtype} in the {other}")
        elif twin.shape != leaf.shape or twin.tensor.shape != leaf.tensor.shape:
            shapes = f"{leaf.shape} in the reference and {twin.shape} in the {other}"
            differences.append(f"{leaf.path} has shape {shapes}")
        else:
            pairs.append((leaf, twin))
    differences += [f"{path} is only in the output of the {other}" for path in twins]
    return Paired(pairs=tuple(pairs), differences=tuple(differences))


def flatten(output: object, *, detached: bool = True) -> Flattened:
    """The tensors in `output`: itself, or those in its tuples, lists, mappings and dataclasses, in order.

    None is an absent part and says nothing. Sparse and quantized tensors are expanded; whatever holds no values or
    is no tensor becomes a note, never an error. A tensor that occurs twice is listed twice. Depth and number are
    bounded (`MAX_DEPTH`, `MAX_LEAVES`), with a note where a bound cuts something off. What is flat already stays so.
    Unless `detached`, gradients reach the output through these tensors.
    """
    if isinstance(output, Flattened):
        return output
    walk = _Walk(detached=detached)
    walk.visit(output, path="", depth=0)
    notes = walk.notes[:MAX_NOTES]
    if len(walk.notes) > MAX_NOTES:
        notes.append(f"{len(walk.notes) - MAX_NOTES} more parts of the output were not compared.")
    if walk.is_cut:
        kept = len(walk.leaves)
        notes.insert(0, f"The output has very many parts: those after the first {kept} tensors were not compared.")
    return Flattened(leaves=tuple(walk.leaves), notes=tuple(notes))


class _Walk:
    def __init__(self, *, detached: bool) -> None:
        self._detached = detached
        self.leaves: list[Leaf] = []
        self.notes: list[str] = []
        self.is_cut = False
        self._paths: set[str] = set()
        self._objects = 0

    def visit(self, value: object, *, path: str, depth: int) -> None:
        self._objects += 1
        name = path or "output"
        if value is None:
            return
        if isinstance(value, Tensor) and not value.is_nested:
            self._add(value, name)
            return
        children = _children(value)
        if children is None:
            self.notes.append(f"{name} is of type {type(value).__name__}, not a tensor: not compared.")
            return
        if depth >= MAX_DEPTH:
            self.notes.append(f"{name} is nested deeper than {MAX_DEPTH} levels: not compared.")
            return
        for step, child in children:
            if len(self.leaves) >= MAX_LEAVES or self._objects >= MAX_OBJECTS:
                self.is_cut = True
                return
            joined = step if step.startswith("[") or not path else f".{step}"
            self.visit(child, path=path + joined, depth=depth + 1)

    def _add(self, tensor: Tensor, name: str) -> None:
        dtype = dtype_name(tensor.dtype)
        try:
            dense, remark = _dense(tensor.detach() if self._detached else tensor)
        except (RuntimeError, NotImplementedError) as error:
            self.notes.append(f"{name} ({dtype}) could not be read: {str(error).splitlines()[0]}")
            return
        if remark:
            self.notes.append(f"{name} {remark}")
        if dense is None:
            return
        path, copies = name, 1
        while path in self._paths:
            copies += 1
            path = f"{name}#{copies}"
        self._paths.add(path)
        kind = _KINDS["complex64" if tensor.is_complex() else dtype_name(dense.dtype)]
        self.leaves.append(Leaf(path=path, tensor=dense, dtype=dtype, kind=kind))


def _children(value: object) -> Iterator[tuple[str, object]] | None:
    """(path step, item) of a container's items; None for anything else."""
    if isinstance(value, Tensor):
        return ((f"[{i}]", part) for i, part in enumerate(value.unbind()))
    if isinstance(value, Mapping):
        return ((_key_step(key), item) for key, item in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return ((_key_step(name), item) for name, item in zip(value._fields, value, strict=True))
    if isinstance(value, (tuple, list)):
        return ((f"[{i}]", item) for i, item in enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ((field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value))
    return None


def _key_step(key: object) -> str:
    """A key as a path step; one that could be taken for a longer path is quoted."""
    if isinstance(key, str):
        return key if key and not set(key) & set(".[]") else f"[{key!r}]"
    return f"[{key!r}]" if isinstance(key, (int, float, bool)) else f"[{type(key).__name__} {key!s}]"


def _dense(tensor: Tensor) -> tuple[Tensor | None, str | None]:
    """The tensor as dense and real, or None, and what to say about it."""
    if tensor.device.type == "meta":
        return None, "is on the meta device and has no values: not compared."
    if tensor.is_quantized:
        return tensor.dequantize(), "is quantized: its dequantized values are compared."
    if dtype_name(tensor.dtype) not in _KINDS:
        return None, f"has dtype {dtype_name(tensor.dtype)}, whose values cannot be read: not compared."
    if tensor.layout != torch.strided:
        if tensor.numel() > MAX_DENSE_ELEMENTS:
            return None, f"is sparse and would need {tensor.numel()} elements: not compared."
        dense, remark = _dense(tensor.to_dense())
        return dense, remark or "is not stored densely: its dense values are compared."
    if tensor.is_complex():
        parts = torch.view_as_real(tensor.resolve_conj())
        return parts, "is complex: real and imaginary parts are compared, in a last dimension of 2."
    return tensor, None
