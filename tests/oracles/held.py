"""The product's numbers, held against those of the oracles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import precision as px
from precision.library.measured import Sensitivity
from precision.library.mixed_plan import MixedPlan
from tests.oracles import own_code, plain
from tests.oracles.fresh import run_fresh
from tests.oracles.lowered import lowered, places, runs_in
from tests.oracles.structures import floating, is_same

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]


def given(args: Args, kwargs: Kwargs) -> object:
    """Inputs as the product takes them."""
    return dict(kwargs) if kwargs else args


def is_near(one: float | None, other: float | None, *, rel: float = 1e-9) -> bool:
    """Whether two numbers are the same; None and NaN are, and rounding to `rel` is let pass."""
    if one is None or other is None or math.isnan(other):
        return one is None or one is other
    return one == other or math.isclose(one, other, rel_tol=rel, abs_tol=1e-30)


def data_of(outputs: list[Tensor], kwargs: Kwargs) -> list[Tensor]:
    """Of tensors with a row for each position of a text, the rows that are no padding."""
    mask = kwargs.get("attention_mask")
    if mask is None:
        return outputs
    return [t[mask.bool()] if t.shape[:2] == mask.shape else t for t in outputs]


def hold_compare(module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype) -> None:
    """Every floating-point output's errors."""
    run = px.compare(module, given(args, kwargs), dtype=dtype, progress=False)
    assert run.failure is None
    exact, low = (
        data_of(floating(plain.outputs(module, args, kwargs, each)), kwargs) for each in (torch.float32, dtype)
    )
    rows = [row for row in run.outputs if "float" in row.reference_dtype]
    for row, r, y in zip(rows, exact, low, strict=True):
        if r.shape != y.shape:
            continue  # as many as the values ask for: nothing is compared
        expected = plain.errors([r], [y])
        assert row.metrics.finite_pairs == expected.pairs
        for name in ("mean_abs_error", "max_abs_error", "rmse", "sqnr_db"):
            assert is_near(getattr(row.metrics, name), getattr(expected, name)), (row.path, name)


def hold_layers(module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype) -> int:
    """Every call's errors, its own and its input's; how many calls were taken apart."""
    run = px.layers(module, given(args, kwargs), dtype=dtype, progress=False)
    report = run.result.report
    assert report is not None
    assert run.failure is None
    exact, low = (plain.calls(module, args, kwargs, each) for each in (torch.float32, dtype))
    rows = {(row.fqn, row.call): (at, row) for at, row in enumerate(report.rows)}
    assert exact.keys() <= rows.keys()
    apart = 0
    for key, call in exact.items():
        at, row = rows[key]
        sides = [data_of(floating(side[key].output), kwargs) for side in (exact, low) if key in side]
        if len(sides) < 2 or [t.shape for t in sides[0]] != [t.shape for t in sides[1]]:
            continue
        found, expected = report.errors_of(at), plain.errors(*sides) if sides[0] else None
        assert (found is None) == (expected is None), key
        if found is None or expected is None:
            continue
        assert found.finite_pairs == expected.pairs, key
        for name in ("mean_abs_error", "max_abs_error", "rmse", "sqnr_db"):
            assert is_near(getattr(found, name), getattr(expected, name), rel=1e-5), (key, name)
        if row.corners is not None:
            apart += 1
            local, inherited = plain.local_and_inherited(call, low[key], lambda tensors: data_of(tensors, kwargs))
            for name in ("rmse", "max_abs_error"):
                assert is_near(getattr(row.corners.local, name), getattr(local, name), rel=1e-5), (key, name)
                assert is_near(getattr(row.corners.inherited, name), getattr(inherited, name), rel=1e-5), (key, name)
    return apart


def hold_own_code(module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype) -> int:
    """The errors of modules' own code; of how many calls."""
    report = px.layers(module, given(args, kwargs), dtype=dtype, progress=False).result.report
    assert report is not None
    exact, low = (own_code.calls(module, args, kwargs, each) for each in (torch.float32, dtype))
    held = 0
    for row in report.rows:
        if row.own_code is None:
            continue
        key = row.fqn, row.call
        expected = own_code.local_and_inherited(exact[key], low[key], lambda tensors: data_of(tensors, kwargs))
        assert expected is not None, key
        held += 1
        for name in ("rmse", "max_abs_error"):
            for found, oracle in zip((row.own_code.local, row.own_code.inherited), expected, strict=True):
                assert is_near(getattr(found, name), getattr(oracle, name), rel=1e-5), (key, name)
    return held


def hold_ranges(module: nn.Module, args: Args, kwargs: Kwargs) -> None:
    """Every tensor's elements, zeros, ends and counts by exponent."""
    found = px.ranges(module, given(args, kwargs), progress=False).result.ranges
    assert found is not None
    rows = {(row.module, row.name): found.histogram_of(row) for row in found.tensors}
    expected = plain.ranges(module, args, kwargs)
    assert rows.keys() == expected.keys()
    for key, row in rows.items():
        values = expected[key]
        assert (row.elements, row.zeros, row.infinite, row.nan) == values.counts, key
        counted = {row.first_exponent + at: count for at, count in enumerate(row.counts) if count}
        assert counted == values.exponents, key
        if counted:
            assert is_near(row.largest, values.largest, rel=1e-5), key
            assert is_near(row.smallest, values.smallest, rel=1e-5), key


def hold_sensitivity(module: nn.Module, args: Args, kwargs: Kwargs, dtype: torch.dtype) -> Sensitivity:
    """The output's squared error with every place alone in the dtype; the product's result."""
    run = px.sensitivity(module, given(args, kwargs), formats=[dtype], exact=True, progress=False)
    report = run.result.report
    assert report is not None
    assert run.failure is None
    runs = runs_in(module, args, kwargs, dtype)
    exact = data_of(floating(plain.outputs(module, args, kwargs, torch.float32, fused=False)), kwargs)
    assert {layer.fqn for layer in report.layers} == places(module, runs)
    for layer in report.layers:
        low = data_of(floating(lowered(module, args, kwargs, {layer.fqn: dtype}, runs=runs)), kwargs)
        found = layer.contributions[0].exact_squared_error
        assert is_near(found, plain.squared_error(exact, low)), layer.fqn
    return run


def hold_plan(name: str, folder: Path, plan: MixedPlan, module: nn.Module, args: Args, kwargs: Kwargs) -> None:
    """What `verify` measured, against the plan's code in a fresh process, and against modules lowered by hooks."""
    measured = plan.verify().measured_squared_error
    (found,) = run_fresh(folder, {name: (name, plan.code())}).values()
    chosen = {fqn: getattr(torch, dtype) for fqn, dtype in plan.formats.items()}
    runs = runs_in(module, args, kwargs, *set(chosen.values()))
    assert chosen
    assert is_same(found, lowered(module, args, kwargs, chosen, runs=runs))
    exact = data_of(floating(plain.outputs(module, args, kwargs, torch.float32, fused=False)), kwargs)
    assert is_near(measured, plain.squared_error(exact, data_of(floating(found), kwargs)))
