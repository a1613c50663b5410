"""What cannot be cast, found before anything is copied, and explained."""

import difflib
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from precision.errors import InputError, UnsupportedError
from precision.formats import AnyFormat
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.rounding import dtype_name
from precision.spec import CastMethod, formats_of
from precision.text.names import plain

_NAME_CHARACTERS = 200
"""Longest part of a name that a message repeats."""
_COMPARED_NAMES = 10_000
"""Only this many names are searched for similar ones."""


def require_method(method: CastMethod, fmt: AnyFormat) -> None:
    """Check that `method` can produce `fmt`.

    Raises:
        UnsupportedError: it cannot, such as autocast in float8.
    """
    if not formats_of(method, (fmt.name,)):
        others = ", ".join(repr(other.value) for other in CastMethod if formats_of(other, (fmt.name,)))
        raise UnsupportedError(f"Cast method {method.value!r} cannot cast to {fmt.name}. Choose method {others}.")


def require_device(device: torch.device, dtype: torch.dtype) -> None:
    """Check that `device` is there, and that it stores tensors of `dtype`.

    Raises:
        UnsupportedError: the device or the dtype is missing; the message says which.
    """
    try:
        if device.type == "meta":
            raise UnsupportedError("The meta device holds no values, so nothing can be compared on it. Choose cpu.")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UnsupportedError(f"This machine has no device {str(device)!r}. Choose cpu.") from error
    try:
        torch.zeros(1, device=device).to(dtype)
    except (RuntimeError, TypeError) as error:
        raise UnsupportedError(
            f"{device} cannot store {dtype_name(dtype)} with torch {torch.__version__}. "
            f"Choose float32, float16 or bfloat16 there, or the cpu for {dtype_name(dtype)}."
        ) from error


def require_autocast(device: torch.device, dtype: torch.dtype) -> None:
    """Check that autocast to `dtype` takes effect on `device` (torch only warns where it does not).

    Raises:
        UnsupportedError: it does not.
    """
    if not _autocasts(device, dtype):
        raise UnsupportedError(
            f"autocast to {dtype_name(dtype)} is not supported on {device} with torch {torch.__version__}. "
            "Choose the other 16-bit format, or method 'to'."
        )


def _autocasts(device: torch.device, dtype: torch.dtype) -> bool:
    try:
        with torch.autocast(device.type, dtype):
            return torch.is_autocast_enabled(device.type) and torch.get_autocast_dtype(device.type) == dtype
    except RuntimeError:
        return False


def require_castable(module: nn.Module) -> None:
    """Check that every tensor of `module` holds plain values that a cast can round.

    Raises:
        UnsupportedError: a lazy, meta, quantized, sparse or wrapped tensor, or a quantized module; the
            message names it and says what to do.
    """
    for name, child in module.named_modules():
        kind = type(child).__module__
        if kind.startswith("torch.ao.nn.") and ".quantized." in kind and ".reference." not in kind:
            where = name or "the model"
            raise UnsupportedError(
                f"{where} ({type(child).__name__}) is quantized: its integer weights cannot be cast to a "
                "floating-point format. Load the model before quantization."
            )
    require_initialised(module)
    for stored in stored_tensors(module):
        tensor = stored.tensor
        if tensor.is_meta:
            raise UnsupportedError(
                f"{stored.fqn} is on the meta device and holds no values. Load the weights before casting."
            )
        if tensor.is_quantized:
            raise UnsupportedError(f"{stored.fqn} is a quantized tensor. Dequantize the model before casting it.")
        if tensor.layout is not torch.strided:
            raise UnsupportedError(f"{stored.fqn} is sparse ({tensor.layout}). Make it dense with .to_dense() first.")
        if is_traceable_wrapper_subclass(tensor):
            raise UnsupportedError(
                f"{stored.fqn} is a {type(tensor).__name__}, which wraps other tensors (quantized or distributed). "
                "Load the plain model instead."
            )


def require_initialised(module: nn.Module) -> None:
    """Check that every tensor of `module` has a shape.

    Raises:
        UnsupportedError: a lazy module that was never run.
    """
    for stored in stored_tensors(module):
        if is_lazy(stored.tensor):
            raise UnsupportedError(
                f"{stored.fqn} is not initialised yet (a lazy module). Run the model once on an input, then cast it."
            )


def require_unscripted(module: nn.Module) -> None:
    """Check that no part of `module` is TorchScript, whose weights cannot be swapped and which takes no hooks.

    Raises:
        UnsupportedError: a part is.
    """
    if (name := scripted_part(module)) is not None:
        raise UnsupportedError(
            f"{name} is a TorchScript module, whose weights cannot be widened and whose outputs "
            "cannot be rounded. Use the Python model; only whole casts by 'to' to a format with kernels take this one."
        )


def scripted_part(module: nn.Module) -> str | None:
    """How a sentence that begins with the first part of `module` that is TorchScript calls it; None without one."""
    for name, child in module.named_modules():
        if isinstance(child, torch.jit.ScriptModule):
            return plain(name) if name else "The model"
    return None


def no_such_module(fqn: str, known: Iterable[str], *, purpose: str) -> InputError:
    """The error for a name that is not among `known`, with similar names; `purpose` is such as `to keep`."""
    hint = _near(fqn, list(known)) or "Take a name from the table of layers."
    return InputError(f"The model has no module {fqn[:_NAME_CHARACTERS]!r} {purpose}. {hint}")


def no_such_weight(name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not among those `known` of parameters, with similar names."""
    names = list(known)
    hint = _near(name, names) or (f"Its first ones: {', '.join(names[:3])}." if names else "It has none.")
    return InputError(f"The model has no parameter {name[:_NAME_CHARACTERS]!r} to store in another format. {hint}")


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known[:_COMPARED_NAMES], n=2)
    return f"Did you mean {' or '.join(near)}?" if near else ""
