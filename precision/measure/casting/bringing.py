"""Each cast method as what a person does to a module: one call, in place or not."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import nn

from precision.formats import AnyFormat
from precision.measure.casting.held_weights import round_and_hold
from precision.measure.casting.state_dict_routes import built_in, load_low, saved_and_loaded
from precision.measure.casting.torchao_kernels import quantize
from precision.measure.rounding import storage_dtype
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod


def bring(module: nn.Module, fmt: AnyFormat, method: CastMethod) -> nn.Module:
    """Cast `module` itself to `fmt` by `method`, and nothing around it: in place, or into a new one.

    Raises:
        UnsupportedError: the model or the device does not allow it. Whatever torch raises is passed on.
    """
    if method in TORCHAO_FORMATS:
        return quantize(module, fmt, method)
    if not fmt.has_dtype:
        round_and_hold(module, fmt, method)
        return module
    return _BRING[method](module, storage_dtype(fmt))


def _store_checkpoint_in(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Cast what `state_dict()` holds; a buffer that two modules share is cast once."""
    for parameter in module.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)
    low = {id(buffer): buffer.to(dtype) for buffer in module.buffers() if buffer.is_floating_point()}
    for child in module.modules():
        for name, buffer in list(child.named_buffers(recurse=False, remove_duplicate=False)):
            if id(buffer) in low and name not in child._non_persistent_buffers_set:
                setattr(child, name, low[id(buffer)])
    return module


_BRING: Mapping[CastMethod, Callable[[nn.Module, torch.dtype], nn.Module]] = {
    CastMethod.TO: lambda module, dtype: module.to(dtype),
    CastMethod.HALF: lambda module, _: module.half(),
    CastMethod.BFLOAT16: lambda module, _: module.bfloat16(),
    CastMethod.AUTOCAST: lambda module, _: module.float(),
    CastMethod.WEIGHTS_ONLY: _store_checkpoint_in,
    CastMethod.TYPE: lambda module, dtype: module.type(dtype),
    CastMethod.FROM_PRETRAINED: saved_and_loaded,
    CastMethod.LOAD_STATE_DICT: lambda module, dtype: load_low(module.float(), dtype),
    CastMethod.LOAD_STATE_DICT_ASSIGN: partial(load_low, assign=True),
    CastMethod.DEFAULT_DTYPE: built_in,
}
