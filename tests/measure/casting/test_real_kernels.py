"""Real kernels against float64 products of the same rounded operands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from precision.errors import UnsupportedError
from precision.formats import AnyFormat, ScaledFormat, any_format_named
from precision.measure.casting import real_kernels
from precision.measure.casting.real_kernels import find_kernel
from precision.measure.rounding import round_to
from precision.spec import CastMethod
from tests.measure.casting.kernels import kernel_of

CPU = torch.device("cpu")
KERNELS = [
    ("float8_e4m3fn", CastMethod.TO),
    ("float8_e5m2", CastMethod.TO),
    ("int8", CastMethod.DYNAMIC),
    ("int8_per_channel", CastMethod.DYNAMIC),
    ("int8", CastMethod.WEIGHTS_ONLY),
    ("int8_per_channel", CastMethod.WEIGHTS_ONLY),
    ("int4", CastMethod.WEIGHTS_ONLY),
    ("int4_per_channel", CastMethod.WEIGHTS_ONLY),
]
EVERYWHERE = [("int8", CastMethod.DYNAMIC), ("int8_per_channel", CastMethod.WEIGHTS_ONLY)]
SHAPES = [(1, 3, 5), (17, 33, 7), (3, 64, 32), (0, 4, 4), (3, 0, 2), (2, 4, 0), (1, 1, 1)]


def operands(shape: tuple[int, int, int], fmt: AnyFormat, method: CastMethod) -> tuple[Tensor, Tensor]:
    """Input and weight as the simulation rounds them."""
    rows, length, channels = shape
    random = torch.Generator().manual_seed(rows + length)
    x, w = (torch.randn(count, length, generator=random) for count in (rows, channels))
    return (x if method is CastMethod.WEIGHTS_ONLY else round_to(x, fmt)), round_to(w, fmt)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "method"), KERNELS)
def test_products_are_those_of_float64_as_far_as_float32_sums_allow(
    name: str, method: CastMethod, shape: tuple[int, int, int]
) -> None:
    kernel = kernel_of(name, method)
    x, w = operands(shape, any_format_named(name), method)
    product = kernel(x, w)
    assert product is not None
    assert (product.dtype, product.shape) == (torch.float32, (shape[0], shape[2]))
    exact, sizes = x.double() @ w.double().T, x.double().abs() @ w.double().abs().T
    # n additions and products, each with half a unit in the last place; scales are recovered to one unit each.
    assert ((product.double() - exact).abs() <= (shape[1] + 8) * 2.0**-24 * sizes).all()


@pytest.mark.parametrize(("name", "method"), KERNELS)
def test_where_every_sum_is_exact_so_is_the_kernel(name: str, method: CastMethod) -> None:
    kernel, fmt = kernel_of(name, method), any_format_named(name)
    largest = {"int8": 127.0, "int4": 7.0}.get(name.removesuffix("_per_channel"), 4.0)
    # The largest value is its own code, so that scales are powers of two.
    x = torch.tensor([[largest, -1.0, 0.0, 3.0], [0.0, 2.0, -largest, 1.0]]) / 4
    w = torch.tensor([[1.0, largest, -2.0, 0.0], [-largest, 3.0, 0.0, -1.0], [largest, 0.0, 0.0, 2.0]]) * 8
    assert torch.equal(round_to(x, fmt), x)
    assert torch.equal(round_to(w, fmt), w)
    product = kernel(x, w)
    assert product is not None
    assert torch.equal(product.double(), x.double() @ w.double().T)


@settings(max_examples=80)
@given(
    name=st.sampled_from(["int8", "int8_per_channel", "int4", "int4_per_channel"]),
    exponent=st.integers(-110, 120),  # below, scales have few bits, and may not be found again
    seed=st.integers(0, 2**32 - 1),
)
def test_integers_are_found_again_in_rounded_values_of_any_size(name: str, exponent: int, seed: int) -> None:
    fmt = any_format_named(name)
    assert isinstance(fmt, ScaledFormat)
    x = torch.randn(3, 16, generator=torch.Generator().manual_seed(seed)) * 2.0**exponent
    rounded = round_to(x, fmt)
    codes = real_kernels._codes(rounded, fmt)
    assert codes is not None
    products = codes.values.double() * codes.scales.double()[:, None]
    assert torch.allclose(products, rounded.double(), rtol=2.0**-21, atol=0)


@pytest.mark.parametrize(("name", "method"), KERNELS)
def test_zeros_have_a_product(name: str, method: CastMethod) -> None:
    product = kernel_of(name, method)(torch.zeros(2, 5), torch.zeros(3, 5))
    assert product is not None
    assert torch.equal(product, torch.zeros(2, 3))


@pytest.mark.parametrize(("name", "method"), KERNELS)
def test_operands_that_are_not_rounded_are_not_taken(name: str, method: CastMethod) -> None:
    kernel = kernel_of(name, method)
    x, w = operands((4, 40, 6), any_format_named(name), method)
    assert kernel(x, w) is not None
    assert kernel(x, w * (1 + 0.003 * torch.rand_like(w))) is None
    if method is not CastMethod.WEIGHTS_ONLY:
        assert kernel(x * (1 + 0.003 * torch.rand_like(x)), w) is None
    assert kernel(x.double(), w.double()) is None


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize(("name", "method"), EVERYWHERE)
def test_what_is_not_finite_has_no_code(name: str, method: CastMethod, value: float) -> None:
    assert kernel_of(name, method)(torch.ones(2, 4), torch.tensor([[1.0, value, 0.0, 1.0]])) is None


def test_what_float8_holds_beyond_numbers_goes_through() -> None:
    x = torch.tensor([[torch.inf, 1.0], [torch.nan, 1.0], [2.0, 1.0]])
    product = kernel_of("float8_e5m2", CastMethod.TO)(x, torch.ones(1, 2))
    assert product is not None
    assert torch.equal(product.nan_to_num(nan=-1.0), torch.tensor([[torch.inf], [-1.0], [3.0]]).nan_to_num(nan=-1.0))
    assert kernel_of("float8_e4m3fn", CastMethod.TO)(x, torch.ones(1, 2)) is None


def test_the_probe_says_how_fast_it_is() -> None:
    assert 0 < kernel_of("int8", CastMethod.DYNAMIC).seconds_per_product < 1e-3


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("mxfp4", CastMethod.DYNAMIC),
        ("nvfp4", CastMethod.WEIGHTS_ONLY),
        ("int4", CastMethod.DYNAMIC),
        ("float6_e2m3fn", CastMethod.TO),
        ("tf32", CastMethod.WEIGHTS_ONLY),
        ("e5m7", CastMethod.TO),
    ],
)
def test_a_format_without_kernels_has_a_reason(name: str, method: CastMethod) -> None:
    fmt = any_format_named(name)
    with pytest.raises(UnsupportedError, match=f"No real kernel for {fmt.name} by method '{method.value}'"):
        find_kernel(fmt, method, CPU)


def failing(*_args: object, **_kwargs: object) -> Tensor:
    raise RuntimeError("needs another processor")


def wrong(x: Tensor, w: Tensor) -> Tensor:
    return torch.ones(x.shape[0], w.shape[1], dtype=torch.int32)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (failing, r"int8 on cpu: torch._int_mm raised: needs another processor"),
        (wrong, r"int8 on cpu: torch._int_mm does not compute in it there"),
    ],
)
def test_a_kernel_counts_only_when_it_ran_and_was_right(
    monkeypatch: pytest.MonkeyPatch, kernel: Callable[..., Tensor], message: str
) -> None:
    monkeypatch.setattr(torch, "_int_mm", kernel)
    with pytest.raises(UnsupportedError, match=message):
        find_kernel(any_format_named("int8"), CastMethod.DYNAMIC, CPU)


@pytest.mark.parametrize("obeys", [True, False])
def test_tf32_is_asked_for_and_believed_only_where_products_show_it(
    monkeypatch: pytest.MonkeyPatch, obeys: bool
) -> None:
    monkeypatch.setattr(real_kernels, "_rounds_to_tf32", lambda device: obeys)
    fmt = any_format_named("tf32")
    before = torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]
    if not obeys:
        with pytest.raises(UnsupportedError, match="TF32 allowed does not compute in it there"):
            find_kernel(fmt, CastMethod.TO, CPU)
    else:
        x, w = operands((3, 20, 4), fmt, CastMethod.TO)
        kernel = find_kernel(fmt, CastMethod.TO, CPU)
        product = kernel(x, w)
        assert product is not None
        assert torch.allclose(product, x @ w.T)
        assert kernel(x + 1e-6, w) is None
    assert torch.backends.mkldnn.matmul.fp32_precision == before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fmt", "believed"), [("tf32", True), ("float32", False), ("bfloat16", False), ("float16", True)]
)
def test_rounding_to_tf32_is_told_from_others(monkeypatch: pytest.MonkeyPatch, fmt: str, believed: bool) -> None:
    multiply = Tensor.__matmul__

    def rounding(x: Tensor, y: Tensor) -> Tensor:
        return multiply(round_to(x, any_format_named(fmt)), y)

    monkeypatch.setattr(Tensor, "__matmul__", rounding)
    assert real_kernels._rounds_to_tf32(CPU) is believed
