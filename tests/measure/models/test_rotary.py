"""The model with a complex buffer: its rotation, and what a cast of it does."""

from __future__ import annotations

import cmath

import pytest
import torch

from precision.measure.models.loading import load
from precision.measure.models.rotary import RotaryNet, rotated, rotations
from precision.spec import RunSpec


def test_rotations_are_those_of_the_formula() -> None:
    turns = rotations(5, 4)
    assert turns.shape == (5, 2)
    assert turns.dtype == torch.complex64
    for position in range(5):
        for pair in range(2):
            expected = cmath.exp(1j * position * 10_000.0 ** (-2 * pair / 4))
            assert complex(turns[position, pair]) == pytest.approx(expected, abs=1e-6)


def test_rotations_do_not_depend_on_the_default_dtype() -> None:
    expected = rotations(3, 4)
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert torch.equal(rotations(3, 4), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_products_of_turned_vectors_depend_on_their_distance_alone() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 8).double()
    turns = rotations(20, 8)

    def product(m: int, n: int) -> float:
        return float((rotated(query, turns[m : m + 1]) * rotated(key, turns[n : n + 1])).sum())

    assert product(3, 1) == pytest.approx(product(15, 13), abs=1e-5)
    assert product(3, 1) != pytest.approx(product(3, 2), abs=1e-2)


def test_real_turns_are_accepted_and_turn_nothing() -> None:
    x = torch.ones(1, 1, 1, 2)
    turns = torch.polar(torch.ones(1, 1), torch.full((1, 1), 2.0))
    assert rotated(x, turns.real) == pytest.approx(x * torch.tensor(2.0).cos())


def test_order_comes_in_by_the_buffer_alone() -> None:
    module = load(RunSpec(model="rotary")).module
    assert isinstance(module, RotaryNet)
    ids = torch.tensor([[7, 9, 7, 9, 7]])
    with torch.no_grad():
        turned = module(ids)
        module.freqs_cis.fill_(1)
        plain = module(ids)
    assert not torch.allclose(turned[0, -1], plain[0, -1])
    assert torch.allclose(turned[0, 0], plain[0, 0])  # the first position is turned by nothing
