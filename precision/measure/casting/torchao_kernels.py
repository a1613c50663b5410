"""torchao's `quantize_`: the weights of linear layers in tensors of its own, multiplied by its own kernels."""

import warnings

import torch
from torch import nn

from precision.errors import UnsupportedError
from precision.formats import AnyFormat, any_format_named
from precision.measure.casting.forward import shortened
from precision.measure.models.quiet import quiet_torchao
from precision.spec.cast_methods import INT4_GROUP, INT4_ROWS, TORCHAO_FORMATS, CastMethod, usual_method
from precision.text.names import plain

_LEAVE_THE_COMPILER = {"set_inductor_config": False}
"""Otherwise torchao would change settings of torch.compile for the whole process."""


def quantize(module: nn.Module, fmt: AnyFormat, method: CastMethod) -> nn.Module:
    """`module` with the weights of its linear layers quantized, in place; all else in the dtype that goes with it.

    It is in float32, and on the device that it is to run on. `method` is one of `TORCHAO_FORMATS`, and `fmt` one of its
    formats, with scales per output channel or per tensor.

    Raises:
        UnsupportedError: torchao is not installed, or has no kernels for it here, and the message is torchao's own
            reason; or a layer makes its weight anew in every call.
    """
    _require_stored_weights(module, method)
    module.to(torch.bfloat16) if method.row.computing == "bfloat16" else module.float()
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
            takes = _fits_int4 if method is CastMethod.INT4_WEIGHT_ONLY else _is_linear
            quantize_(module, _config(method, fmt, device), filter_fn=takes)
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
                f"torchao's quantize_ replaces a weight by its own parameter, but "
                f"{plain(name, limit=None)} (Linear) computes its weight in every call, as weight_norm, "
                f"spectral_norm and other parametrizations do. Remove that first. {_elsewhere(method)}"
            )


def _elsewhere(method: CastMethod) -> str:
    """What gives a model in a like format without kernels of torchao."""
    simulated = usual_method(any_format_named(TORCHAO_FORMATS[method][0]))
    return f"Choose method {simulated.value!r} or {CastMethod.WEIGHTS_ONLY.value!r}."


def _config(method: CastMethod, fmt: AnyFormat, device: torch.device) -> object:
    """torchao's configuration of the method."""
    from torchao import quantization as ao

    options = {"group_size": INT4_GROUP}
    if method is not CastMethod.INT4_WEIGHT_ONLY:
        kind = getattr(ao, method.row.torchao or "")
        options = {"granularity": ao.PerTensor() if fmt.name == "int8" else ao.PerRow()}
    elif device.type == "cpu":
        from torchao.prototype.quantization import int4

        kind = int4.PrototypeInt4WeightOnlyConfig
    else:
        kind = ao.Int4WeightOnlyConfig
    made: object = kind(**options, **_LEAVE_THE_COMPILER)
    return made


def _is_linear(module: nn.Module, _fqn: str) -> bool:
    return isinstance(module, nn.Linear) and module.weight.numel() > 0


def _fits_int4(module: nn.Module, fqn: str) -> bool:
    if not (_is_linear(module, fqn) and isinstance(module, nn.Linear)):
        return False
    return module.in_features % INT4_GROUP == 0 and module.out_features % INT4_ROWS == 0
