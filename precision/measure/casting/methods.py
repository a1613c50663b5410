"""Every way to cast a model: a copy is cast, the caller's is never changed."""

import copy
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from precision.errors import UnsupportedError
from precision.formats import AnyFormat, NumericFormat, ScaledFormat
from precision.measure.casting import castable
from precision.measure.casting.bringing import bring
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.rounding import dtype_name, holding_dtype, storage_dtype
from precision.results import Execution
from precision.spec.cast_methods import CastMethod
from precision.text.units import number_text


def cast(module: nn.Module, fmt: AnyFormat, *, method: CastMethod, device: torch.device) -> CastModel:
    """A copy of `module` on `device`, cast to `fmt` by `method`, in eval mode.

    `CastMethod` says of each method what it does.

    Where torch has no dtype for the format, and no kernel of torchao stores it, every floating-point tensor is held in
    float32 (float64 for formats wider than that); those that `held_weights.is_held` names are rounded to the format
    before, and saturated. Complex tensors stay as they are. Where torch has a dtype, its own cast decides what stored
    values beyond the range become: `audit` counts them.

    Raises:
        UnsupportedError: the method, the device or the model does not allow it; says what to choose instead.
    """
    dtype = storage_dtype(fmt) if fmt.has_dtype else holding_dtype(fmt)
    castable.require_method(method, fmt)
    castable.require_device(device, dtype)
    castable.require_castable(module)
    running = method.row.running
    simulated = not fmt.computes and running == "rounded"
    if running == "autocast":
        castable.require_autocast(device, dtype)
    if not method.row.takes_torchscript or simulated:
        castable.require_unscripted(module)
    stored, said = _stored(module, dtype, bring=lambda model: bring(model, fmt, method), device=device)
    return CastModel(
        stored=stored,
        execution=_execution(fmt, method, device),
        warnings=said,
        device=device,
        input_dtype=_computing_dtype(fmt, method),
        widened=fmt.has_dtype and (simulated or running == "widened"),
        rounded_to=fmt if simulated and isinstance(fmt, NumericFormat) else None,
        quantized_to=fmt if running == "quantized" and isinstance(fmt, ScaledFormat) else None,
        autocast_dtype=dtype if running == "autocast" else None,
    )


def reference(module: nn.Module, fmt: NumericFormat, *, device: torch.device) -> CastModel:
    """A copy of `module` to measure against: like `cast` by `TO`, but complex tensors keep their imaginary part.

    `.to(torch.float32)` drops it, so that a model with complex rotary embeddings would be compared against a
    broken one; `.float()` and `.double()`, which are used here, do not.

    Raises:
        UnsupportedError: the format is not float32 or float64, or the device or the model does not allow the cast.
    """
    if fmt.name not in _REFERENCE:
        raise UnsupportedError(f"{fmt.name} cannot be the reference. Choose one of: {', '.join(_REFERENCE)}.")
    dtype = storage_dtype(fmt)
    castable.require_device(device, dtype)
    castable.require_castable(module)
    stored, said = _stored(module, dtype, bring=_REFERENCE[fmt.name], device=device)
    return CastModel(
        stored=stored,
        execution=_execution(fmt, CastMethod.TO, device),
        warnings=said,
        device=device,
        input_dtype=dtype,
    )


def _stored(
    module: nn.Module, dtype: torch.dtype, *, bring: Callable[[nn.Module], nn.Module], device: torch.device
) -> tuple[nn.Module, tuple[str, ...]]:
    """The cast copy, and what torch warned of on the way."""
    try:
        with collected_warnings() as said:
            stored = bring(copied(module).to(device)).eval()
    except (MemoryError, torch.OutOfMemoryError, UnsupportedError):
        raise
    except Exception as error:
        raise UnsupportedError(
            f"{type(module).__name__} cannot be copied and cast to {dtype_name(dtype)} on {device}: {error}"
        ) from error
    return stored, tuple(dict.fromkeys(said))


def copied(module: nn.Module, *, share_parameters: bool = False) -> nn.Module:
    """A deep copy; torch refuses to copy tensors with a history (as the old weight_norm keeps), so these are cloned.

    With `share_parameters`, the copy holds the parameters themselves.
    """
    memo: dict[int, object] = {
        id(held.tensor): held.tensor.detach().clone() for held in stored_tensors(module) if not held.tensor.is_leaf
    }
    if share_parameters:
        memo |= {id(parameter): parameter for parameter in module.parameters()}
    with torch.no_grad():  # otherwise the parameters of a TorchScript module's copy have a history
        twin = copy.deepcopy(module, memo)
    for copied_parameter, parameter in zip(twin.parameters(), module.parameters(), strict=True):
        if copied_parameter.requires_grad != parameter.requires_grad:
            copied_parameter.requires_grad_(parameter.requires_grad)
    return twin


_OF_TORCH = re.compile(r"\s*\(Triggered internally at .*?\)\s*$")


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """The texts of the warnings raised inside, also of those that torch otherwise gives only once.

    Without the place in torch's own source that it adds to them.
    """
    said: list[str] = []
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
    finally:
        torch.set_warn_always(always)
    said.extend(_OF_TORCH.sub("", str(warning.message)) for warning in caught)


_REFERENCE: Mapping[str, Callable[[nn.Module], nn.Module]] = {
    "float32": lambda module: module.float(),
    "float64": lambda module: module.double(),
}


def _computing_dtype(fmt: AnyFormat, method: CastMethod) -> torch.dtype:
    """The dtype of the tensors that the model's own code sees."""
    computing = method.row.computing
    if computing in ("float32", "bfloat16"):
        return torch.float32 if computing == "float32" else torch.bfloat16
    if not fmt.computes:
        return holding_dtype(fmt)
    dtype = storage_dtype(fmt)
    return torch.promote_types(dtype, torch.float32) if computing == "at least float32" else dtype


def _execution(fmt: AnyFormat, method: CastMethod, device: torch.device) -> Execution:
    computing = dtype_name(_computing_dtype(fmt, method))
    if method.row.execution:
        label, words = method.row.execution
        overflow = _overflow(fmt, device) if isinstance(fmt, NumericFormat) and "{overflow}" in words else ""
        return Execution(label=label, explanation=words.format(fmt=fmt.name, device=device, overflow=overflow))
    if isinstance(fmt, ScaledFormat) or not fmt.has_dtype:
        return Execution(label="simulated", explanation=_simulation(fmt, method, computing))
    if method.row.running == "widened" and computing != fmt.name:
        return Execution(
            label="upcast",
            explanation=f"Weights are really stored in {fmt.name} and widened to {computing} at the start of every "
            f"run: all arithmetic is {computing}, which saves storage, not time.{_overflow(fmt, device)}",
        )
    if not fmt.computes:
        return Execution(
            label="simulated",
            explanation=f"Modules do not compute in {fmt.name}. Weights are really stored in it; arithmetic is "
            f"float32, and the floating-point inputs and the outputs of every module are rounded to {fmt.name}: those "
            f"beyond ±{number_text(fmt.max)} become ±{number_text(fmt.max)}.{_overflow(fmt, device)}",
        )
    return Execution(
        label="native",
        explanation=f"Weights, floating-point inputs and operators in {fmt.name}, by the kernels of {device}; "
        "a kernel may accumulate in a wider format before it rounds its result.",
    )


def _simulation(fmt: AnyFormat, method: CastMethod, computing: str) -> str:
    """How a format is simulated that torch cannot store."""
    if isinstance(fmt, ScaledFormat):
        inputs = (
            ", and the floating-point inputs of the modules that hold them,"
            if method.row.running == "quantized"
            else ""
        )
        return (
            f"{fmt.name} is simulated: torch has no dtype for it. Weight matrices{inputs} are rounded to it, with "
            f"scales from their own values, and held in {computing}, in which all arithmetic runs. "
            "Biases, norms and buffers are not rounded."
        )
    weights = f"{fmt.name} is simulated: torch has no dtype for it. Weights are rounded to it and held in {computing}, "
    beyond = f"Values beyond ±{number_text(fmt.max)} become ±{number_text(fmt.max)}."
    if method.row.running == "widened":
        return f"{weights}in which all arithmetic runs. {beyond}"
    return (
        f"{weights}in which arithmetic runs; the floating-point inputs and the outputs of every module are rounded "
        f"to {fmt.name}. {beyond}"
    )


def _overflow(fmt: NumericFormat, device: torch.device) -> str:
    """What torch's own cast makes of values beyond the range: measured, as it differs between versions of torch."""
    if fmt.computes:
        return ""
    kept = torch.tensor(4 * fmt.max, device=device).to(storage_dtype(fmt)).float().item()
    if kept == fmt.max:
        return f" Stored values beyond ±{number_text(fmt.max)} are stored as ±{number_text(fmt.max)}."
    became = "infinite" if kept == float("inf") else "NaN"
    return f" Stored values beyond ±{number_text(fmt.max)} become {became}: torch's cast does not saturate here."
