"""Compiled loops: kept where there is a place for them; what they read is the value to the last bit."""

from collections.abc import Callable

import numba
import numpy as np
import numpy.typing as npt
import pytest
import torch

from precision.measure.metrics import compiling
from precision.measure.metrics.compiling import Floats, from_bfloat16, from_half


def test_without_a_place_to_keep_compiled_code_it_is_compiled_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def njit(*, cache: bool = False, **options: object) -> Callable[[Callable[..., object]], Callable[..., object]]:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert compiling.compiled(abs) is abs
    assert asked == [True, False]


@compiling.compiled
def halves(bits: npt.NDArray[np.int16], out: Floats) -> None:
    """Each in float32."""
    for i in range(bits.size):
        out[i] = from_half(bits[i])


@compiling.compiled
def brains(bits: npt.NDArray[np.uint16], out: Floats) -> None:
    """Each in float32."""
    for i in range(bits.size):
        out[i] = from_bfloat16(bits[i])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_value_is_widened_to_the_last_bit(dtype: torch.dtype) -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    values = every.view(dtype).float()
    found = np.empty(every.numel(), dtype=np.float32)
    if dtype == torch.float16:
        halves(every.numpy(), found)
    else:
        brains(every.numpy().view(np.uint16), found)
    widened, nan = torch.from_numpy(found), values.isnan()
    assert torch.equal(widened.isnan(), nan)
    assert torch.equal(widened[~nan].view(torch.int32), values[~nan].view(torch.int32))
