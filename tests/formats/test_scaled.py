"""Formats with scales: what a value takes."""

import pytest

from precision.formats import SCALED_FORMATS, IntegerGrid, ScaledFormat, any_format_named


def scaled(name: str) -> ScaledFormat:
    fmt = any_format_named(name)
    assert isinstance(fmt, ScaledFormat)
    return fmt


def test_bits_per_value_as_the_specifications_give_them() -> None:
    known = {
        "mxfp8_e4m3": 8.25,
        "mxfp8_e5m2": 8.25,
        "mxfp6_e3m2": 6.25,
        "mxfp6_e2m3": 6.25,
        "mxfp4_e2m1": 4.25,
        "nvfp4": 4.5,
        "int8": 8,
        "int8_per_channel": 8,
        "int4": 4,
        "int4_per_channel": 4,
    }
    bits = {fmt.name: fmt.bits_per_value for fmt in SCALED_FORMATS}
    assert known.items() <= bits.items()


@pytest.mark.parametrize(
    ("name", "shape", "scales", "stored"),
    [
        ("mxfp4", (64, 64), 128, 64 * 64 // 2 + 128),
        ("mxfp4", (3, 33), 6, 50 + 6),
        ("mxfp6", (1, 32), 1, 24 + 1),
        ("mxfp8", (2, 3, 32), 6, 192 + 6),
        ("nvfp4", (64, 64), 256, 64 * 64 // 2 + 256 + 4),
        ("nvfp4", (1, 17), 2, 9 + 2 + 4),
        ("int8", (7, 5), 1, 35 + 4),
        ("int8_per_channel", (7, 5), 7, 35 + 28),
        ("int4_per_channel", (7, 5), 7, 18 + 28),
        ("int4", (), 1, 1 + 4),
        ("int4_per_channel", (9,), 1, 5 + 4),
        ("mxfp4", (), 1, 1 + 1),
    ],
)
def test_stored_bytes(name: str, shape: tuple[int, ...], scales: int, stored: int) -> None:
    assert scaled(name).scales(shape) == scales
    assert scaled(name).stored_bytes(shape) == stored


@pytest.mark.parametrize("fmt", SCALED_FORMATS, ids=lambda fmt: fmt.name)
def test_nothing_takes_nothing(fmt: ScaledFormat) -> None:
    assert fmt.scales((0, 4)) == fmt.scales((4, 0)) == fmt.stored_bytes((4, 0)) == 0


@pytest.mark.parametrize("fmt", SCALED_FORMATS, ids=lambda fmt: fmt.name)
def test_a_large_tensor_takes_the_bits_per_value(fmt: ScaledFormat) -> None:
    assert fmt.stored_bytes((4096, 4096)) * 8 / 4096**2 == pytest.approx(fmt.bits_per_value, rel=2e-3)


@pytest.mark.parametrize("fmt", SCALED_FORMATS, ids=lambda fmt: fmt.name)
def test_scaled_formats_have_no_range_of_their_own(fmt: ScaledFormat) -> None:
    assert not any(hasattr(fmt, field) for field in ("max", "min_exponent", "mantissa_bits", "smallest_normal"))
    assert (fmt.computes, fmt.has_dtype) == (False, False)


def test_integers_are_symmetric() -> None:
    assert (IntegerGrid(bits=8).max, IntegerGrid(bits=4).max, IntegerGrid(bits=4).name) == (127, 7, "int4")
