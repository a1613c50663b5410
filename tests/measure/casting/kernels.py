"""Real kernels of this machine, for tests."""

from __future__ import annotations

import functools

import pytest
import torch

from precision.errors import UnsupportedError
from precision.formats import any_format_named
from precision.measure.casting.real_kernels import RealKernel, find_kernel
from precision.spec import CastMethod


@functools.cache
def kernel_of(name: str, method: CastMethod) -> RealKernel:
    """The CPU's kernel for a format; a test that asks for one that is not there, or saturates, is skipped."""
    if method is CastMethod.DYNAMIC and _saturates():
        pytest.skip("torch._int_mm is wrong on this processor: it adds pairs of products in 16 bits.")
    try:
        return find_kernel(any_format_named(name), method, torch.device("cpu"))
    except UnsupportedError as error:
        pytest.skip(str(error))


def _saturates() -> bool:
    """As kernels of x86 processors without VNNI do; found by torch alone."""
    largest = torch.full((32, 32), 127, dtype=torch.int8)
    return bool((torch._int_mm(largest, largest) != 32 * 127**2).any())
