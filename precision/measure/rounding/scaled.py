"""Exact rounding of tensors to formats whose values share scales."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from precision.errors import InputError
from precision.formats import IntegerGrid, NumericFormat, Scale, ScaledFormat, format_named
from precision.formats.scaled import E8M0_EXPONENTS
from precision.measure.rounding.dtypes import dtype_name
from precision.measure.rounding.numeric import powers_of_two_below, round_block

_BLOCK_ELEMENTS = 2**16
"""Rounded at a time: the temporaries stay in a processor's cache."""
_E4M3 = format_named("float8_e4m3fn")


def round_scaled(x: Tensor, fmt: ScaledFormat, *, axis: int) -> Tensor:
    """`x` rounded to elements of `fmt` times the scales that its own values give.

    Raises:
        InputError: `x` is not float32 or float64.
    """
    if x.dtype not in {torch.float32, torch.float64}:
        raise InputError(f"A {dtype_name(x.dtype)} tensor cannot hold {fmt.name} values: pass it as float32.")
    if not x.numel():
        return x.clone()
    moved = x.detach().reshape(x.shape or (1,)).movedim(axis, -1)
    if x.device.type == "mps":  # no float64 there
        moved = moved.cpu()
    groups = _groups(moved, fmt)
    steps = _STEPS[fmt.scale](_largest(groups), fmt)
    rounded = torch.empty_like(groups)
    for rows, columns in _parts(groups):
        rounded[rows, columns] = _round_part(groups[rows, columns], steps[rows], fmt)
    if rounded.numel() > moved.numel():
        # Copied, as a view would keep what filled up the last blocks in memory.
        rounded = rounded.reshape(*moved.shape[:-1], -1)[..., : moved.shape[-1]].clone()
    return rounded.reshape(moved.shape).movedim(-1, axis).reshape(x.shape).to(x.device)


def _groups(moved: Tensor, fmt: ScaledFormat) -> Tensor:
    """`(groups, values)`: one row for each scale; an incomplete last block is filled up with zeros."""
    if fmt.granularity == "tensor":
        return moved.reshape(1, -1)
    if fmt.block_size is None:
        return moved.reshape(-1, moved.shape[-1])
    missing = -moved.shape[-1] % fmt.block_size
    padded = functional.pad(moved, (0, missing)) if missing else moved
    return padded.reshape(-1, fmt.block_size)


def _largest(groups: Tensor) -> Tensor:
    """Largest magnitude of each row, float64 `(groups, 1)`; NaN where there is one."""
    low, high = torch.aminmax(groups, dim=-1, keepdim=True)
    return torch.maximum(low.abs(), high.abs()).to(torch.float64)


def _power_of_two_steps(largest: Tensor, fmt: ScaledFormat) -> Tensor:
    if isinstance(fmt.element, IntegerGrid):
        raise InputError(f"{fmt.name}: integers have float32 scales, not powers of two.")
    low, high = (2.0**exponent for exponent in E8M0_EXPONENTS)
    power = powers_of_two_below(largest, smallest=2.0**-1022)
    steps = power.mul_(2.0**-fmt.element.max_exponent).clamp_(low, high)
    return torch.where(largest.isfinite(), steps, torch.nan)


def _float32_steps(largest: Tensor, fmt: ScaledFormat) -> Tensor:
    return _to_float32(largest / fmt.element.max)


def _two_level_steps(largest: Tensor, fmt: ScaledFormat) -> Tensor:
    whole = _to_float32(largest.amax() / (_E4M3.max * fmt.element.max))
    of_blocks = _rounded(largest / (fmt.element.max * whole), _E4M3)
    # Only where all are zero, or so small that the tensor's scale underflows, is there nothing to divide by.
    return torch.where(whole == 0, whole, of_blocks * whole)


_STEPS: dict[Scale, Callable[[Tensor, ScaledFormat], Tensor]] = {
    "e8m0": _power_of_two_steps,
    "float32": _float32_steps,
    "e4m3": _two_level_steps,
}


def _rounded(quotients: Tensor, fmt: NumericFormat) -> Tensor:
    return round_block(quotients, fmt, saturate=True, out=quotients)


def _to_float32(scales: Tensor) -> Tensor:
    return scales.to(torch.float32).to(torch.float64)


def _parts(groups: Tensor) -> Iterator[tuple[slice, slice]]:
    count, length = groups.shape
    rows, columns = max(1, _BLOCK_ELEMENTS // length), min(length, _BLOCK_ELEMENTS)
    for row in range(0, count, rows):
        for column in range(0, length, columns):
            yield slice(row, row + rows), slice(column, column + columns)


def _round_part(values: Tensor, steps: Tensor, fmt: ScaledFormat) -> Tensor:
    # Quotients by powers of two, and their products, are exact in float32; others need float64.
    work = values.dtype if fmt.scale == "e8m0" else torch.float64
    divisors = torch.where(steps == 0, torch.ones_like(steps), steps).to(work)
    quotients = torch.div(values.to(work), divisors)
    if isinstance(fmt.element, IntegerGrid):
        elements = quotients.round_().clamp_(-fmt.element.max, fmt.element.max)
        products = elements.mul_(steps).add_(0.0)  # integers have no -0
    else:
        products = _rounded(quotients, fmt.element).mul_(steps.to(work))
    # An infinity or NaN has no scale: its whole group is NaN.
    products.masked_fill_(~steps.isfinite(), torch.nan)
    most = torch.finfo(values.dtype).max
    return products.clamp_(-most, most).to(values.dtype)
