"""The strip shows what torch says of every layer's tensors, before and after."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import torch
from torch import nn

import precision
from precision.charts.dtype_strip import _dtype_strip_info, plot_dtype_strip, storing_layers
from precision.results import CastAudit
from tests.charts.odd_results import AUDITS


def mixed() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    model.register_buffer("steps", torch.arange(3))
    return model.eval()


def audited(module: nn.Module, dtype: str, **settings: object) -> CastAudit:
    found = precision.compare(module, torch.randn(2, 1, 4, 4), dtype=dtype, progress=False, **settings).result.audit  # type: ignore[arg-type]
    assert found is not None
    return found


def dtypes_of(module: nn.Module) -> dict[str, Counter[str]]:
    """By torch alone."""
    found: dict[str, Counter[str]] = {}
    for fqn, child in module.named_modules():
        own = [*child.parameters(recurse=False), *child.buffers(recurse=False)]
        if own:
            found[fqn] = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in own)
    return found


def test_every_bar_holds_the_dtypes_of_its_layer() -> None:
    model = mixed()
    audit = audited(model, "bfloat16")
    info = _dtype_strip_info(audit)
    fqns = [layer.fqn for layer in storing_layers(audit)]
    for bars, module in ((info.before, model), (info.after, copy.deepcopy(model).to(torch.bfloat16))):
        expected = dtypes_of(module)
        assert {fqn: Counter(dict(bar.formats)) for fqn, bar in zip(fqns, bars, strict=True)} == expected


def test_exceptions_are_named() -> None:
    info = _dtype_strip_info(audited(mixed(), "bfloat16", keep=["1"]))
    assert info.title == "2 of 4 layers store bfloat16 after the cast"
    assert "Unchanged: 1. Whole numbers alone: (model). With whole numbers: 1" in info.detail


def test_a_format_that_no_dtype_stores_is_that_to_which_values_are_rounded() -> None:
    info = _dtype_strip_info(audited(mixed(), "e5m7"))
    assert info.after[-1].formats == (("e5m7", 2),)
    assert info.before[-1].formats == (("float32", 2),)


def test_each_strip_fills_its_height_and_every_dtype_is_listed_once() -> None:
    for audit in AUDITS.values():
        figure = plot_dtype_strip(audit)
        names = [trace.name for trace in figure.data if trace.showlegend]
        assert len(names) == len(set(names))
        heights = Counter[int]()
        for trace in figure.data:
            heights.update(dict(zip(trace.x.tolist(), trace.y.tolist(), strict=True)))
        assert np.allclose(list(heights.values()), 0.94)


def test_a_click_gives_the_layers_place() -> None:
    audit = audited(mixed(), "float16")
    places = {data[0] for trace in plot_dtype_strip(audit).data for data in trace.customdata}
    assert places == set(range(len(storing_layers(audit))))


def test_rounded_values_are_held_not_stored_and_one_layer_is_the_only_one() -> None:
    one = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    assert _dtype_strip_info(audited(one, "float16")).title == "The only layer stores float16 after the cast"
    assert _dtype_strip_info(audited(one, "int8")).title == "The only layer holds values of int8 after the cast"
    two = nn.Sequential(*one, nn.Linear(2, 2))
    assert _dtype_strip_info(audited(two, "int8")).title == "All 2 layers hold values of int8 after the cast"
