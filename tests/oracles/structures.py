"""Tensors in whatever a module is called with or returns. None of it imports the product."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


def tensors_of(structure: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its place, such as `[0]` or `.logits[1]`, in order; complex ones as pairs of reals."""
    if isinstance(structure, Tensor):
        yield path, structure
    elif isinstance(structure, dict):
        for name, value in structure.items():
            yield from tensors_of(value, f"{path}.{name}")
    elif isinstance(structure, (tuple, list)):
        for at, value in enumerate(structure):
            yield from tensors_of(value, f"{path}[{at}]")
    elif dataclasses.is_dataclass(structure) and not isinstance(structure, type):
        for field in dataclasses.fields(structure):
            yield from tensors_of(getattr(structure, field.name), f"{path}.{field.name}")


def floating(structure: object) -> list[Tensor]:
    """The real floating-point tensors, dense."""
    return [tensor.to_dense() for _, tensor in tensors_of(structure) if tensor.is_floating_point()]


def is_same(one: object, other: object) -> bool:
    """Whether all tensors are equal, bit for bit but for a NaN's; their dtypes may differ."""
    pairs = list(zip(tensors_of(one), tensors_of(other), strict=True))
    return all(torch.equal(*(_comparable(tensor) for _, tensor in pair)) for pair in pairs)


def _comparable(tensor: Tensor) -> Tensor:
    real = torch.view_as_real(tensor) if tensor.is_complex() else tensor.to_dense()
    return torch.stack([real.double().nan_to_num(0, 1e308, -1e308), real.isnan()])


def with_tensors(structure: Any, change: Callable[[Tensor], Tensor], known: dict[int, Tensor] | None = None) -> Any:
    """The structure with every tensor changed; one that is there twice is changed once."""
    known = {} if known is None else known
    if isinstance(structure, Tensor):
        if id(structure) not in known:
            known[id(structure)] = change(structure)
        return known[id(structure)]
    if isinstance(structure, dict):
        changed = {name: with_tensors(value, change, known) for name, value in structure.items()}
        return changed if type(structure) is dict else type(structure)(**changed)
    if isinstance(structure, (tuple, list)):
        values = [with_tensors(value, change, known) for value in structure]
        return type(structure)(*values) if hasattr(structure, "_fields") else type(structure)(values)
    if dataclasses.is_dataclass(structure) and not isinstance(structure, type):
        names = [field.name for field in dataclasses.fields(structure)]
        return dataclasses.replace(
            structure, **{name: with_tensors(getattr(structure, name), change, known) for name in names}
        )
    return structure
