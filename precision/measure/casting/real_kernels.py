"""Real kernels of simulated formats: torch's own matrix products of the values that the simulation rounds."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from precision.errors import UnsupportedError
from precision.formats import AnyFormat, IntegerGrid, NumericFormat, ScaledFormat
from precision.measure.casting.forward import shortened
from precision.measure.rounding import round_to, storage_dtype
from precision.spec import CastMethod

Multiply = Callable[[Tensor, Tensor], Tensor | None]
"""`x @ w.T` of `(rows, K)` and `(N, K)` in float32; None where the values are not those that the kernel takes."""

_MULTIPLE = 32
"""Kernels want multiples of 16 values, or blocks of 32; accelerators' also more than 16 rows."""
_PROBE = (32, 256, 64)
"""Rows, values of a row, and output channels of the product that shows whether a kernel runs here, and how fast."""
_PROBE_RUNS = 4
"""The quickest counts: the first may have to prepare itself, and others may wait for a busy machine."""
_SCALE_ERROR = 2.0**-21
"""A scale is recovered from float32 products of itself: it may be one float32 away, and its products two."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RealKernel:
    """A kernel that was seen to run on a device, and to be right for -1, 0 and 1; anything else has to be measured.

    (torch's int8 product is wrong on x86 processors without VNNI, which add pairs of products in 16 bits.)
    """

    name: str
    """As it is called in torch."""
    seconds_per_product: float
    """Of the probe, per multiplication of two numbers."""
    multiply: Multiply

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor | None:
        """`x @ weight.T` by the kernel; None where a value is not one that the kernel takes.

        Of `(rows, K)` and `(N, K)`, float32 as the simulation rounds them, `(rows, N)` in float32. Operands are filled
        up with zeros to shapes that kernels take, which changes no sum.
        """
        if x.dtype != torch.float32 or weight.dtype != torch.float32:
            return None
        rows = 1 if x.device.type == "cpu" else _MULTIPLE
        product = self.multiply(_filled_up(x, rows), _filled_up(weight, _MULTIPLE))
        return None if product is None else product[: x.shape[0], : weight.shape[0]]


def find_kernel(fmt: AnyFormat, method: CastMethod, device: torch.device) -> RealKernel:
    """The kernel that takes the very values to which a cast to `fmt` by `method` rounds linear layers.

    It is found by multiplying on the device, never by the names of devices. It computes with the same weights and, by
    `TO` and `DYNAMIC`, the same inputs as the simulation, so that only the arithmetic differs.

    - `TO` a float8 format: `torch._scaled_mm` with scales of 1; tf32: a float32 product with TF32 allowed.
    - `DYNAMIC` to int8: `torch._int_mm`, integers accumulated exactly.
    - `WEIGHTS_ONLY` to int8 and int4: `torch._weight_int8pack_mm` and `torch._weight_int4pack_mm_for_cpu`.

    Raises:
        UnsupportedError: there is none that runs here; the message is a sentence that says why.
    """
    known = _known(fmt, method)
    if known is None:
        raise UnsupportedError(
            f"No real kernel for {fmt.name} by method {method.value!r}: no known kernel takes its values."
        )
    name, multiply = known
    unprobed = RealKernel(name=name, seconds_per_product=0.0, multiply=multiply)
    try:
        seconds = _probe(unprobed, device)
        right = seconds is not None and (fmt.name != "tf32" or _rounds_to_tf32(device))
    except (RuntimeError, AttributeError, TypeError, ValueError) as error:
        raise UnsupportedError(
            f"No real kernel for {fmt.name} on {device}: {name} raised: {shortened(str(error))}"
        ) from error
    if seconds is None or not right:
        raise UnsupportedError(f"No real kernel for {fmt.name} on {device}: {name} does not compute in it there.")
    return RealKernel(name=name, seconds_per_product=seconds, multiply=multiply)


def _known(fmt: AnyFormat, method: CastMethod) -> tuple[str, Multiply] | None:
    if isinstance(fmt, NumericFormat):
        if method is not CastMethod.TO:
            return None
        if fmt.name == "tf32":
            return "torch.matmul with TF32 allowed", partial(_tf32, fmt=fmt)
        is_float8 = fmt.has_dtype and not fmt.computes
        return ("torch._scaled_mm", partial(_float8, dtype=storage_dtype(fmt))) if is_float8 else None
    if not isinstance(fmt.element, IntegerGrid):
        return None
    kernels: Mapping[tuple[CastMethod, int], tuple[str, Callable[..., Tensor | None]]] = {
        (CastMethod.DYNAMIC, 8): ("torch._int_mm", _integers),
        (CastMethod.WEIGHTS_ONLY, 8): ("torch._weight_int8pack_mm", _integer_weights),
        (CastMethod.WEIGHTS_ONLY, 4): ("torch._weight_int4pack_mm_for_cpu", _packed_weights),
    }
    name, multiply = kernels.get((method, fmt.element.bits), (None, None))
    return (name, partial(multiply, fmt=fmt)) if name and multiply else None


def _probe(kernel: RealKernel, device: torch.device) -> float | None:
    """Seconds of one multiplication; None where the product is wrong."""
    rows, length, channels = _PROBE
    x, w = (_signs(count, length, device) for count in (rows, channels))
    seconds = []
    for _ in range(_PROBE_RUNS):
        started = time.perf_counter()
        product = kernel(x, w)
        if product is None or not torch.allclose(product, x @ w.T, rtol=1e-5, atol=1e-4):
            return None
        seconds.append(time.perf_counter() - started)
    return min(seconds) / (rows * length * channels)


def _signs(rows: int, columns: int, device: torch.device) -> Tensor:
    """-1, 0 and 1 in turns, which every format holds; so are their sums in float32."""
    return (torch.arange(rows * columns, device=device) % 3 - 1).to(torch.float32).reshape(rows, columns)


def _filled_up(x: Tensor, rows: int) -> Tensor:
    """`x` with zeros after it: `rows` at least, and a multiple; columns by the multiple that all kernels take."""
    missing = [
        max(-size % multiple, multiple - size) for size, multiple in zip(x.shape, (rows, _MULTIPLE), strict=True)
    ]
    return functional.pad(x, (0, missing[1], 0, missing[0])) if any(missing) else x.contiguous()


def _float8(x: Tensor, w: Tensor, *, dtype: torch.dtype) -> Tensor | None:
    low = [operand.to(dtype) for operand in (x, w)]
    for operand, narrow in zip((x, w), low, strict=True):
        if not torch.allclose(narrow.to(operand.dtype), operand, rtol=0, atol=0, equal_nan=True):
            return None
    one = torch.ones((), device=x.device)
    return torch._scaled_mm(low[0], low[1].t(), scale_a=one, scale_b=one, out_dtype=torch.float32)


def _tf32(x: Tensor, w: Tensor, *, fmt: NumericFormat) -> Tensor | None:
    if not all(torch.equal(round_to(operand, fmt), operand) for operand in (x, w)):
        return None
    with _tf32_allowed(x.device):
        return x @ w.T


@contextmanager
def _tf32_allowed(device: torch.device) -> Iterator[None]:
    backend: Any = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    switch = backend.matmul
    before = switch.fp32_precision
    switch.fp32_precision = "tf32"
    try:
        yield
    finally:
        switch.fp32_precision = before


def _rounds_to_tf32(device: torch.device) -> bool:
    """Whether float32 products keep 10 bits of a mantissa: torch takes the wish everywhere, and few devices obey."""
    ones = torch.ones(_MULTIPLE, _MULTIPLE, device=device)
    kept, lost = 2.0**-10, 2.0**-12
    with _tf32_allowed(device):
        products = [(ones * (1 + bit)) @ ones / _MULTIPLE - 1 for bit in (kept, lost)]
    return bool((products[0] == kept).all() and (products[1] == 0).all())


class _Codes(NamedTuple):
    """Integers and the scale of each row."""

    values: Tensor
    scales: Tensor


def _codes(x: Tensor, fmt: ScaledFormat) -> _Codes | None:
    """The integers of which `x` consists, `(rows, K)`; None where it was not rounded to `fmt`."""
    largest = x.abs().amax() if fmt.granularity == "tensor" else x.abs().amax(dim=-1)
    scales = (largest / fmt.element.max).expand(x.shape[0])
    divisors = torch.where(scales == 0, 1.0, scales)[:, None]
    values = (x / divisors).round()
    if not torch.allclose(values * divisors, x, rtol=_SCALE_ERROR, atol=0):
        return None
    return _Codes(values.to(torch.int8), scales.contiguous())


def _integers(x: Tensor, w: Tensor, *, fmt: ScaledFormat) -> Tensor | None:
    left, right = _codes(x, fmt), _codes(w, fmt)
    if left is None or right is None:
        return None
    sums = torch._int_mm(left.values, right.values.t())
    return sums.to(torch.float32) * left.scales[:, None] * right.scales


def _integer_weights(x: Tensor, w: Tensor, *, fmt: ScaledFormat) -> Tensor | None:
    codes = _codes(w, fmt)
    return None if codes is None else torch._weight_int8pack_mm(x, codes.values, codes.scales)


def _packed_weights(x: Tensor, w: Tensor, *, fmt: ScaledFormat) -> Tensor | None:
    codes = _codes(w, fmt)
    if codes is None:
        return None
    packed = torch._convert_weight_to_int4pack_for_cpu(codes.values.int() + 8, 1)
    scales = codes.scales.expand(w.shape[1] // _MULTIPLE, -1)
    scales_and_zeros = torch.stack([scales, torch.zeros_like(scales)], dim=-1).contiguous()
    return torch._weight_int4pack_mm_for_cpu(x, packed, _MULTIPLE, scales_and_zeros)
