"""A cast in which each layer that is named has a format of its own, and all others the reference's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import _reparametrize_module

from precision.errors import InputError
from precision.formats import AnyFormat, NumericFormat
from precision.measure.casting import castable
from precision.measure.casting.cast_model import CastModel, holds_matrix, quantized_inputs, rounded_tensor
from precision.measure.casting.forward import map_tensors
from precision.measure.casting.held_weights import is_held, rounded_weight
from precision.measure.casting.methods import reference as cast_reference
from precision.measure.casting.mixins import mix_in, require_forward
from precision.measure.rounding import dtype_name, holding_dtype, storage_dtype
from precision.results import Execution, TensorKind
from precision.spec.cast_methods import CastMethod, usual_method
from precision.text.units import count_text


@dataclass(frozen=True, kw_only=True)
class Lowering:
    """How one lowered layer computes."""

    fmt: AnyFormat
    outside: torch.dtype
    """The reference's, which the layers around it see."""

    @property
    def inside(self) -> torch.dtype:
        """What the layer's own code sees: the format's dtype, or the one in which it is simulated."""
        return storage_dtype(self.fmt) if self.fmt.computes else holding_dtype(self.fmt)

    @property
    def method(self) -> CastMethod:
        """The cast of a whole model that does to every layer what this does to one."""
        return usual_method(self.fmt)

    @property
    def widened(self) -> bool:
        """Whether weights are stored in a dtype that does not compute, and widened at every call."""
        return self.fmt.has_dtype and not self.fmt.computes


class Lowered:
    """Runs its layer in a format: floating inputs are cast to it, floating outputs back to the reference's dtype.

    Mixed into the class of a module by `cast_mixed`, rather than wrapped around it, so that its name stays what it is
    and copies of the model keep it.
    """

    _lowering: Lowering

    def forward(self, *args: object, **kwargs: object) -> object:
        """The layer's output, in the reference's dtype."""
        low_args, low_kwargs = self._cast_inputs(args, kwargs)
        if not self._lowering.widened:
            return self._cast_outputs(super().forward(*low_args, **low_kwargs))  # type: ignore[misc]
        module: Any = self
        with _reparametrize_module(module, _widened(module, self._lowering.inside)):
            return self._cast_outputs(super().forward(*low_args, **low_kwargs))  # type: ignore[misc]

    def _cast_inputs(
        self, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        inside, fmt = self._lowering.inside, self._lowering.fmt
        args, kwargs = map_tensors((args, kwargs), lambda tensor: _brought(tensor, inside))
        if fmt.computes:
            return args, kwargs
        if isinstance(fmt, NumericFormat):
            return map_tensors((args, kwargs), lambda tensor: rounded_tensor(tensor, fmt))
        module: Any = self
        return quantized_inputs(module, args, kwargs, fmt=fmt) if holds_matrix(module) else (args, kwargs)

    def _cast_outputs(self, output: object) -> object:
        lowering = self._lowering
        if isinstance(lowering.fmt, NumericFormat) and not lowering.fmt.computes:
            fmt = lowering.fmt
            output = map_tensors(output, lambda tensor: rounded_tensor(tensor, fmt))
        return map_tensors(output, lambda tensor: _brought(tensor, lowering.outside))


def cast_mixed(
    module: nn.Module, formats: Mapping[str, AnyFormat], *, reference: NumericFormat, device: torch.device
) -> CastModel:
    """A copy of `module` in the reference's precision in which every named layer is lowered, in eval mode.

    A lowered layer stores its weights in its format, casts its floating inputs to it, computes, and casts its floating
    outputs back to the reference's dtype. Formats that torch computes in run natively. Others are simulated as
    `methods.cast` does it by `TO`, with inputs, weights and outputs rounded and arithmetic in float32; formats with
    scales as by `DYNAMIC`, with weight matrices and their inputs rounded. Each layer gives bit for bit what it gives
    when it is cast alone and run on the same input. Complex tensors stay as they are.

    A weight that lowered layers of the same format share stays shared; else it is split. Layers whose forward the
    model's code does not call (such as `MultiheadAttention.out_proj`) cannot be lowered by themselves. Formats go by
    the fqn of a module without modules inside; without any, the copy is the reference, in float32 or float64.

    Raises:
        InputError: there is no module of that name, or it has modules inside, or its names ask for two formats.
        UnsupportedError: the device or the model does not allow the cast.
    """
    model = cast_reference(module, reference, device=device)
    layers = [(layer, fmt) for layer, fmt in _layers(model.stored, formats) if fmt != reference]
    low: dict[tuple[int, str], Tensor] = {}
    for layer, fmt in layers:
        castable.require_device(device, storage_dtype(fmt) if fmt.has_dtype else holding_dtype(fmt))
        _lower(layer, Lowering(fmt=fmt, outside=model.input_dtype), low)
    return replace(model, execution=_execution([fmt for _, fmt in layers], model, reference))


def lowering_of(module: nn.Module) -> Lowering | None:
    """How a layer was lowered by `cast_mixed`; None for all others."""
    return module._lowering if isinstance(module, Lowered) else None


def _layers(stored: nn.Module, formats: Mapping[str, AnyFormat]) -> list[tuple[nn.Module, AnyFormat]]:
    modules = dict(stored.named_modules(remove_duplicate=False))
    layers: dict[int, tuple[nn.Module, AnyFormat]] = {}
    for fqn, fmt in formats.items():
        if fqn not in modules:
            raise castable.no_such_module(fqn, modules, purpose="to give its own format")
        layer = modules[fqn]
        if any(True for _ in layer.children()):
            raise InputError(f"{fqn or 'The model'} contains other modules: give each of those its format by name.")
        if isinstance(layer, torch.jit.ScriptModule):
            raise InputError(f"{fqn} is a TorchScript module and cannot have its own format.")
        if layers.setdefault(id(layer), (layer, fmt))[1] != fmt:
            raise InputError(f"{fqn} is the same module as one that was given another format under another name.")
    return list(layers.values())


def _lower(module: nn.Module, lowering: Lowering, low: dict[tuple[int, str], Tensor]) -> None:
    """Store the weights of `module` in its format, and have it compute there.

    `low` holds the tensors that are lowered already, by `id` of the original and by format; it is added to.
    """
    named: list[tuple[TensorKind, dict[str, Any]]] = [("parameter", module._parameters), ("buffer", module._buffers)]
    held = [(kind, name, tensor) for kind, tensors in named for name, tensor in tensors.items()]
    for kind, name, tensor in held:
        if tensor is not None and tensor.is_floating_point():
            key = id(tensor), lowering.fmt.name
            if key not in low:
                low[key] = _lowered(tensor, kind, lowering, module)
            setattr(module, name, low[key])  # also renews the flat weights of an LSTM
    mix_in(module, Lowered)
    require_forward(module)
    vars(module)["_lowering"] = lowering


def _lowered(tensor: Tensor, kind: TensorKind, lowering: Lowering, module: nn.Module) -> Tensor:
    fmt, values = lowering.fmt, tensor.detach()
    if is_held(tensor, kind, fmt, lowering.method):
        values = rounded_weight(values, fmt, module)
    values = values.to(storage_dtype(fmt) if fmt.has_dtype else lowering.inside)
    return nn.Parameter(values, requires_grad=tensor.requires_grad) if kind == "parameter" else values


def _widened(module: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    tensors = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    return {name: tensor.to(dtype) for name, tensor in tensors if tensor.is_floating_point()}


def _brought(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _execution(formats: list[AnyFormat], model: CastModel, reference: NumericFormat) -> Execution:
    names = ", ".join(dict.fromkeys(fmt.name for fmt in formats))
    simulated = ", ".join(dict.fromkeys(fmt.name for fmt in formats if not fmt.computes))
    if not formats:
        return model.execution
    explanation = (
        f"{count_text(len(formats), 'layer')} in {names}: each casts its floating-point inputs to its format and its "
        f"outputs back to {dtype_name(model.input_dtype)}. Everything else is {reference.name}, on {model.device}."
    )
    if not simulated:
        return Execution(label="native", explanation=explanation)
    return Execution(
        label="simulated",
        explanation=f"{explanation} Layers in {simulated} are simulated: values are rounded, arithmetic is float32 "
        "(float64 for formats wider than that).",
    )
