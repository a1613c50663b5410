"""torchao's `quantize_`: the weights of linear layers in tensors of its own, multiplied by its own kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from precision.errors import UnsupportedError
from precision.formats import AnyFormat
from precision.measure.casting.forward import shortened
from precision.measure.models.quiet import quiet_torchao
from precision.results import ExecutionLabel
from precision.spec.cast_methods import TORCHAO_FORMATS, CastMethod
from precision.text.names import plain

_INT4_GROUP = 32
"""Values of a row that share a scale and a zero point; torchao also has groups of 64 and more, for fewer layers."""
_LEAVE_THE_COMPILER = {"set_inductor_config": False}
"""torchao would else change settings of torch.compile for the whole process."""
_INT4_ROWS = 16
"""The kernel takes weights with a multiple of so many rows."""


@dataclass(frozen=True, kw_only=True)
class TorchaoScheme:
    """What one of torchao's methods does, in words, and what surrounds it."""

    label: ExecutionLabel
    computing: torch.dtype
    """Of the inputs, and of all layers that are not quantized."""
    explanation: str


_SCHEMES: Mapping[CastMethod, TorchaoScheme] = {
    CastMethod.INT8_WEIGHT_ONLY: TorchaoScheme(
        label="upcast",
        computing=torch.float32,
        explanation="torchao stores the weights of linear layers in int8, and widens them to float32 inside every "
        "product: all arithmetic is float32.",
    ),
    CastMethod.INT8_DYNAMIC: TorchaoScheme(
        label="native",
        computing=torch.float32,
        explanation="torchao stores the weights of linear layers in int8, rounds their inputs to int8 at every call, "
        "with a scale for each row, and multiplies integers. All other layers run in float32.",
    ),
    CastMethod.FLOAT8_WEIGHT_ONLY: TorchaoScheme(
        label="upcast",
        computing=torch.float32,
        explanation="torchao stores the weights of linear layers in float8_e4m3fn, with a scale for each row, and "
        "widens them to float32 before every product: all arithmetic is float32.",
    ),
    CastMethod.FLOAT8_DYNAMIC: TorchaoScheme(
        label="native",
        computing=torch.bfloat16,
        explanation="torchao stores the weights of linear layers in float8_e4m3fn, rounds their inputs to it at every "
        "call, and multiplies on float8 kernels. All other layers run in bfloat16, which these kernels return.",
    ),
    CastMethod.INT4_WEIGHT_ONLY: TorchaoScheme(
        label="upcast",
        computing=torch.float32,
        explanation=f"torchao packs the weights of linear layers into 4 bits, in groups of {_INT4_GROUP} values with a "
        "scale and a zero point each; the kernel widens them inside. All other layers run in float32. Layers whose "
        f"inputs are no multiple of {_INT4_GROUP} or whose outputs are none of {_INT4_ROWS} stay as they are.",
    ),
}


def torchao_scheme(method: CastMethod) -> TorchaoScheme:
    """What `method`, one of `TORCHAO_FORMATS`, does."""
    return _SCHEMES[method]


def quantize(module: nn.Module, fmt: AnyFormat, method: CastMethod) -> nn.Module:
    """`module` with the weights of its linear layers quantized, in place; all else in the dtype that goes with it.

    Args:
        module: in float32, on the device that it is to run on.
        fmt: one of the formats of `method`: its scales are per output channel, or per tensor.
        method: one of `TORCHAO_FORMATS`.

    Raises:
        UnsupportedError: torchao is not installed, or has no kernels for it here, and the message is torchao's own
            reason; or a layer makes its weight anew in every call.
    """
    _require_stored_weights(module, method)
    module.to(torch.bfloat16) if torchao_scheme(method).computing == torch.bfloat16 else module.float()
    with quiet_torchao(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from torchao.quantization import quantize_
        except ImportError as error:
            raise UnsupportedError(
                "torchao is not installed here. Install the packages of requirements.txt."
            ) from error
        device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
        try:
            quantize_(module, _config(method, fmt, device), filter_fn=_TAKES.get(method, _is_linear))
        except (AssertionError, ImportError, NotImplementedError, RuntimeError, ValueError) as error:
            reason = shortened(str(error)).rstrip(".")
            raise UnsupportedError(
                f"torchao has no {method.value} on {device}: {reason}. {_elsewhere(method)}"
            ) from error
    return module


def _require_stored_weights(module: nn.Module, method: CastMethod) -> None:
    for name, child in module.named_modules():
        if isinstance(child, nn.Linear) and "weight" not in dict(child.named_parameters(recurse=False)):
            raise UnsupportedError(
                f"torchao's quantize_ puts a parameter of its own in the place of a weight, but "
                f"{plain(name, limit=None)} (Linear) makes its weight anew in every call, as weight_norm, "
                f"spectral_norm and other parametrizations do. Remove that first. {_elsewhere(method)}"
            )


def _elsewhere(method: CastMethod) -> str:
    """What gives a model in a like format without kernels of torchao."""
    scaled = TORCHAO_FORMATS[method][0].startswith("int")
    simulated = CastMethod.DYNAMIC if scaled else CastMethod.TO
    return f"Choose method {simulated.value!r} or {CastMethod.WEIGHTS_ONLY.value!r}."


def _config(method: CastMethod, fmt: AnyFormat, device: torch.device) -> object:
    """torchao's configuration of the method."""
    from torchao import quantization as ao

    if method is CastMethod.INT4_WEIGHT_ONLY:
        return _int4_config(device)
    config = {
        CastMethod.INT8_WEIGHT_ONLY: ao.Int8WeightOnlyConfig,
        CastMethod.INT8_DYNAMIC: ao.Int8DynamicActivationInt8WeightConfig,
        CastMethod.FLOAT8_WEIGHT_ONLY: ao.Float8WeightOnlyConfig,
        CastMethod.FLOAT8_DYNAMIC: ao.Float8DynamicActivationFloat8WeightConfig,
    }[method]
    granularity = ao.PerTensor() if fmt.name == "int8" else ao.PerRow()
    made: object = config(granularity=granularity, **_LEAVE_THE_COMPILER)
    return made


def _int4_config(device: torch.device) -> object:
    if device.type != "cpu":
        from torchao.quantization import Int4WeightOnlyConfig

        made: object = Int4WeightOnlyConfig(group_size=_INT4_GROUP, **_LEAVE_THE_COMPILER)
        return made
    from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig

    prototype: object = PrototypeInt4WeightOnlyConfig(group_size=_INT4_GROUP, **_LEAVE_THE_COMPILER)
    return prototype


def _is_linear(module: nn.Module, _fqn: str) -> bool:
    return isinstance(module, nn.Linear) and module.weight.numel() > 0


def _fits_int4(module: nn.Module, fqn: str) -> bool:
    if not (_is_linear(module, fqn) and isinstance(module, nn.Linear)):
        return False
    return module.in_features % _INT4_GROUP == 0 and module.out_features % _INT4_ROWS == 0


_TAKES: Mapping[CastMethod, Callable[[nn.Module, str], bool]] = {CastMethod.INT4_WEIGHT_ONLY: _fits_int4}
