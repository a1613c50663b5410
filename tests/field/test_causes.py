"""The kind and the place of what is not finite, on models that show what people report."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from precision.findings.origins import causes
from precision.results.layers import LayersReport
from tests.field.cases import guards, masks
from tests.measure.lockstep.side_by_side import lockstep


def layers(case: tuple[nn.Module, tuple[Tensor, ...]], name: str = "float16") -> LayersReport:
    return lockstep(case[0].eval(), *case[1], name=name, operators=True)


@pytest.mark.parametrize(
    ("guard", "operator", "kind", "there", "exact"),
    [
        ("log_clip", "log", "underflow", 0, 1e-8),
        ("div_eps", "div", "underflow", 0, 1e-9),
        ("acos_guard", "acos", "domain", 1.000977, 1 - 1e-6),
        ("sqrt_neg", "sqrt", "domain", -0.0078125, 8.107e-5),
    ],
)
def test_a_lost_guard_says_what_its_input_became(
    guard: str, operator: str, kind: str, there: float, exact: float
) -> None:
    report = layers(guards.lost_guard(guard))
    (origin,) = report.origins
    assert (origin.operator, origin.kind, origin.reaches_output) == (operator, kind, True)
    assert origin.input_there == pytest.approx(there, rel=1e-4)
    assert origin.reference_there == pytest.approx(exact, rel=1e-3)
    assert not any("65,504" in text for text in causes(report))


def test_an_eps_inside_an_operator_is_found() -> None:
    (origin,) = layers(guards.normalized_zero_rows()).origins
    assert (origin.operator, origin.inside, origin.kind) == ("normalize", "div", "underflow")
    assert origin.input_there == 0
    assert origin.reference_there == pytest.approx(1e-12)
    assert layers(guards.normalized_zero_rows(), "bfloat16").origins == ()


def test_an_overflow_comes_before_the_nan_that_follows() -> None:
    (origin,) = layers(guards.softmax_by_hand()).origins
    assert (origin.operator, origin.kind, origin.elements, origin.reaches_output) == ("exp", "overflow", 5, True)
    assert (origin.smallest_input, origin.largest_input) == (-1.78125, 13.9219)


def test_an_infinity_that_makes_a_weight_zero_is_no_mask() -> None:
    report = layers((guards.Normed(), (torch.randn(4, 8),)))
    (origin,) = report.origins
    assert (origin.operator, origin.kind, origin.reaches_output) == ("pow", "overflow", False)
    assert "No output is infinite or NaN" in causes(report)[0]


def test_stored_values_that_the_cast_lost_are_named() -> None:
    x = (torch.ones(3),)
    (lost,) = layers((guards.Stored(factor=1e5, eps=1.0), x)).origins
    assert (lost.kind, lost.argument) == ("stored value", "factor")
    (underflow,) = layers((guards.Stored(factor=1.0, eps=1e-9), x)).origins
    assert (underflow.kind, underflow.argument, underflow.operator) == ("underflow", "eps", "div")
    assert underflow.reference_there == pytest.approx(1e-9)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_row_that_is_masked_throughout_comes_before_its_mask(name: str) -> None:
    report = layers(masks.cast_mask(padded_left=True), name)
    assert [(origin.operator, origin.kind) for origin in report.origins] == [("softmax", "infinities"), ("to", "mask")]
    assert "−3.403e38" in causes(report)[1] or "-3.403e38" in causes(report)[1]


def test_a_mask_that_does_no_harm_is_only_noted() -> None:
    report = layers(masks.cast_mask(padded_left=False))
    assert report.origins == ()
    assert causes(report) == ()
    assert any("no harm" in note for note in report.notes)


def test_the_references_own_nan_is_said_first() -> None:
    report = layers(masks.nan_reference(), "bfloat16")
    assert report.origins == ()
    origin = report.reference_origin
    assert origin is not None
    assert (origin.side, origin.fqn, origin.operator, origin.kind) == ("reference", "attn", "softmax", "infinities")
    assert causes(report)[0].startswith("The reference itself is infinite or NaN in 8 of 48")
