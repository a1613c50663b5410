"""What a model holds besides tensors: its settings and hooks."""

from collections.abc import Iterator

import torch
from torch import nn

_PLAIN = (bool, int, float, str, bytes, type(None), torch.dtype, torch.device)


def settings_of(module: nn.Module) -> dict[str, object]:
    """Numbers, texts, dtypes and devices of every module and of its configuration, and how many hooks it has."""
    found: dict[str, object] = {}
    for fqn, child in module.named_modules():
        for name, value in vars(child).items():
            found |= {f"{fqn}.{name}{rest}".lstrip("."): plain for rest, plain in _settings(value)}
    return found


def _settings(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, _PLAIN):
        yield "", value
    elif isinstance(value, dict) and all(callable(item) for item in value.values()):
        yield " (hooks)", len(value)
    elif isinstance(value, tuple | list) and all(isinstance(item, _PLAIN) for item in value):
        yield "", tuple(value)
    elif hasattr(value, "to_dict") and not isinstance(value, nn.Module):  # a configuration of transformers
        yield from ((f".{name}", repr(item)) for name, item in value.to_dict().items())
