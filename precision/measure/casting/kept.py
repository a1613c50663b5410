"""Modules that a candidate keeps in the reference's precision, while the others are cast."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.casting.castable import no_such_module
from precision.measure.casting.forward import map_tensors
from precision.measure.casting.mixins import mix_in, require_forward


class Kept:
    """Runs its module in a wide dtype: inputs are cast up, outputs back down, and autocast is off inside.

    Mixed into the class of a module by `keep_in`, rather than wrapped around it, so that its name stays what it is
    and copies of the model keep it.
    """

    _kept_dtype: torch.dtype
    _low_dtype: torch.dtype
    _kept_device: str

    def forward(self, *args: object, **kwargs: object) -> object:
        """The module's output, in the dtype that the modules around it compute in."""
        wide_args, wide_kwargs = map_tensors((args, kwargs), self._widened)
        with torch.autocast(self._kept_device, enabled=False):
            output = super().forward(*wide_args, **wide_kwargs)  # type: ignore[misc]
        return map_tensors(output, self._lowered)

    def _widened(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._kept_dtype) if tensor.is_floating_point() else tensor

    def _lowered(self, tensor: Tensor) -> Tensor:
        return tensor.to(self._low_dtype) if tensor.dtype == self._kept_dtype else tensor


def keep_in(
    stored: nn.Module, original: nn.Module, *, fqns: Iterable[str], dtype: torch.dtype, low_dtype: torch.dtype
) -> None:
    """Have the modules `fqns` of `stored` compute in `dtype`, with the weights that `original` has there.

    Everything inside them is kept too. A weight that is tied to one outside is separated from it. Modules whose
    forward is not called by the model's code (such as `MultiheadAttention.out_proj`) cannot be kept by themselves.
    `stored`, the cast copy, is changed in place. `dtype` is the reference's; outputs are cast back to `low_dtype`, in
    which the candidate's other modules compute.

    Raises:
        InputError: there is no module of that name, or it is the model itself, or TorchScript.
    """
    modules = dict(stored.named_modules())
    for fqn in fqns:
        _require_module(fqn, modules)
        _keep(modules[fqn], original.get_submodule(fqn), dtype=dtype, low_dtype=low_dtype)


def inside_kept(module: nn.Module) -> frozenset[int]:
    """`id` of every module inside a kept one; the kept ones themselves, whose outputs are cast down, are not."""
    return frozenset(
        id(inner)
        for kept in module.modules()
        if isinstance(kept, Kept)
        for inner in kept.modules()
        if inner is not kept
    )


def _require_module(fqn: str, modules: dict[str, nn.Module]) -> None:
    if not fqn:
        raise InputError("The whole model cannot be kept in the reference's precision: nothing would be cast.")
    if fqn not in modules:
        raise no_such_module(fqn, modules, purpose="to keep")
    if isinstance(modules[fqn], torch.jit.ScriptModule):
        raise InputError(f"{fqn} is a TorchScript module and cannot be kept by itself. Keep the module around it.")


def _keep(module: nn.Module, original: nn.Module, *, dtype: torch.dtype, low_dtype: torch.dtype) -> None:
    wide: dict[int, Tensor] = {}
    sources = dict(original.named_modules(remove_duplicate=False))
    for name, child in module.named_modules(remove_duplicate=False):
        for held, source in ((child._parameters, sources[name]._parameters), (child._buffers, sources[name]._buffers)):
            for key, tensor in source.items():
                if tensor is not None and tensor.is_floating_point() and held.get(key) is not None:
                    held[key] = _wide(tensor, wide, like=held[key], dtype=dtype)
    if not isinstance(module, Kept):
        mix_in(module, Kept)
        require_forward(module)
    device = next((tensor.device.type for tensor in (*module.parameters(), *module.buffers())), "cpu")
    vars(module).update(_kept_dtype=dtype, _low_dtype=low_dtype, _kept_device=device)


def _wide(tensor: Tensor, wide: dict[int, Tensor], *, like: Any, dtype: torch.dtype) -> Any:
    """`tensor` in `dtype`, where `like` is; one and the same for one that occurs twice."""
    if id(tensor) not in wide:
        values = tensor.detach().to(device=like.device, dtype=dtype, copy=True)
        is_parameter = isinstance(like, nn.Parameter)
        wide[id(tensor)] = nn.Parameter(values, requires_grad=like.requires_grad) if is_parameter else values
    return wide[id(tensor)]
