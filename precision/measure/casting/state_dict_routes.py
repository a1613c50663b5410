"""Casts that build a model again or load its values: `load_state_dict`, `from_pretrained`, `set_default_dtype`."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from precision.errors import UnsupportedError
from precision.measure.casting.mixins import mix_in_alike
from precision.measure.models.quiet import quiet_transformers


def load_low(module: nn.Module, dtype: torch.dtype, *, assign: bool = False) -> nn.Module:
    """Give `module` its own values, rounded to `dtype`, by `load_state_dict`: it keeps the dtypes that it has.

    With `assign`, the rounded tensors take the place of those of `module`, dtype and all. Floating-point tensors of the
    state dict are rounded, and tied ones stay tied; complex ones are not, as a checkpoint of a model after `.half()`
    has them.
    """
    done: dict[int, Tensor] = {}
    low = {
        name: done.setdefault(id(tensor), tensor.detach().to(dtype) if tensor.is_floating_point() else tensor.detach())
        for name, tensor in module.state_dict(keep_vars=True).items()
    }
    module.load_state_dict(low, assign=assign)
    return module


def saved_and_loaded(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Save `module` as a checkpoint in a temporary folder, and load it by `from_pretrained(dtype=)`.

    What transformers keeps in float32 (`_keep_in_fp32_modules`) stays so.

    Raises:
        UnsupportedError: it is no model of transformers, or the checkpoint does not give it all of its values.
    """
    with quiet_transformers():
        from transformers import PreTrainedModel
    if not isinstance(module, PreTrainedModel):
        raise UnsupportedError(
            f"{type(module).__name__} is not a transformers model: it has no from_pretrained. Choose method 'to'."
        )
    device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
    loader: Any = type(module)
    with quiet_transformers(), TemporaryDirectory(prefix="precision-") as folder, torch.random.fork_rng(devices=[]):
        module.save_pretrained(folder)
        loaded, info = loader.from_pretrained(folder, dtype=dtype, local_files_only=True, output_loading_info=True)
    if missing := sorted(info["missing_keys"]):
        raise UnsupportedError(f"The saved checkpoint lacks {', '.join(missing[:4])}: from_pretrained cannot load it.")
    found: nn.Module = loaded.to(device)
    mix_in_alike(found, like=module)
    return found


def built_in(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Build the model again while `dtype` is torch's default, and load the values of `module` into it.

    What the constructor makes without naming a dtype is in `dtype`, constants that it computes included.

    Raises:
        UnsupportedError: only its author knows what its constructor needs.
    """
    device = next((tensor.device for tensor in module.parameters()), torch.device("cpu"))
    with torch.random.fork_rng(devices=[]), _default_dtype(dtype), torch.device(device):
        built = _built(module)
    built.load_state_dict(module.state_dict())
    mix_in_alike(built, like=module)
    return built


def _built(module: nn.Module) -> nn.Module:
    kind: Any = type(module)
    config = getattr(module, "config", None)
    try:
        built: nn.Module = kind() if config is None else kind(copy.deepcopy(config))
    except TypeError as error:
        raise UnsupportedError(
            f"{kind.__name__} cannot be built again: {error}. Choose method 'to', or a model whose constructor "
            "takes no arguments or a transformers configuration."
        ) from error
    return built


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
