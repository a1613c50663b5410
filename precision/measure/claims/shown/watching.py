"""What runs inside a model: the operators, and the dtypes that layers return."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def dtypes_of(structure: object) -> list[str]:
    """The dtypes of the tensors in tuples, lists and dicts."""
    return [str(leaf.dtype).removeprefix("torch.") for leaf in tree_leaves(structure) if isinstance(leaf, Tensor)]


class Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Lists the operators that run, each with the dtypes of its tensors."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        output = func(*args, **(kwargs or {}))
        self.seen.append(f"{func.__name__}({', '.join(dtypes_of((args, kwargs)))})")
        return output


@contextmanager
def activations(model: nn.Module) -> Iterator[Counter[str]]:
    """Count the dtypes of the floating-point outputs of all layers, while the model runs inside."""
    counts = Counter[str]()

    def after(_module: nn.Module, _inputs: object, output: object) -> None:
        floating = [x for x in tree_leaves(output) if isinstance(x, Tensor) and torch.is_floating_point(x)]
        counts.update(dtypes_of(floating))

    layers = [module for module in model.modules() if not list(module.children())]
    handles = [layer.register_forward_hook(after) for layer in layers]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()
