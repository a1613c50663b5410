"""Bit by bit: all places low is the cast, none the reference, and exported code in a fresh process is what ran."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

import precision as px
from precision.errors import ForwardError
from precision.findings.frames import places_of
from precision.formats import format_named
from precision.measure.casting.methods import reference
from precision.measure.casting.precisions import Precisions
from precision.models.catalogue import CATALOGUE
from precision.plan.exported_code import exported_code
from tests.oracles import plain
from tests.oracles.everything import FIELD, build
from tests.oracles.fresh import run_fresh
from tests.oracles.lowered import lowered, runs_in
from tests.oracles.models import MODELS
from tests.oracles.structures import floating, is_same
from tests.zoo.cases import ZOO

SMALL = [entry.id for entry in CATALOGUE if not entry.family.endswith("full size") and entry.family != "Pretrained"]
NAMES = [
    *(f"zoo:{name}" for name in ZOO),
    *(f"field:{name}" for name in FIELD),
    *(f"catalogue:{name}" for name in SMALL),
    *(f"model:{name}" for name in MODELS),
]
DRAWS = ("zoo:sampling", "field:sampler", "field:picker")
"""Models that draw random numbers, which the oracle hands on in another way."""
CPU, WIDE, LOW = torch.device("cpu"), format_named("float32"), format_named("bfloat16")
Model = tuple[Any, tuple[Any, ...], dict[str, Any]]


def model_of(name: str) -> Model:
    """The module, in eval mode, and what it is called with."""
    kind, _, which = name.partition(":")
    if kind != "catalogue":
        return build(name)
    loaded = px.load(which)
    return loaded.module.eval(), loaded.args, dict(loaded.kwargs)


@dataclass
class Outcome:
    """What one model gave, by what was low: `none`, `all`, and `mixed` of two formats."""

    raised: tuple[str, ...] = ()
    """The modules that raise in the whole cast."""
    formats: dict[str, dict[str, str]] = field(default_factory=dict)
    ran: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, Any] = field(default_factory=dict)


def outcome_of(name: str) -> Outcome:
    """Of the product, in this process."""
    module, args, kwargs = model_of(name)
    precisions = Precisions(module, reference(module, WIDE, device=CPU), WIDE, args, kwargs)
    precisions.planned({"": LOW})
    places = places_of(precisions.flows.values())
    found = Outcome(raised=precisions.flows["bfloat16"].raised)
    found.formats = {
        "none": {},
        "all": dict.fromkeys((fqn for fqn in places if fqn not in found.raised), "bfloat16"),
        "mixed": {fqn: ("bfloat16", "float16")[at % 2] for at, fqn in enumerate(places)},
    }
    for which, formats in found.formats.items():
        planned = precisions.planned({fqn: format_named(dtype) for fqn, dtype in formats.items()})
        with suppress(ForwardError):  # of what no kernel computes in 16 bits
            found.ran[which] = planned(args, kwargs)
            found.codes[which] = exported_code("float32", formats, precisions.flows)
    return found


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """Of all models; all exported code runs in one fresh process, but that of the catalogue, whose code is needed."""
    found, folder = {name: outcome_of(name) for name in NAMES}, tmp_path_factory.mktemp("fresh")
    for is_catalogue in (False, True):
        tasks: dict[str, tuple[str, str]] = {}
        for name, outcome in found.items():
            if name.startswith("catalogue:") == is_catalogue:
                source = _stored(name, folder) if is_catalogue else name
                tasks |= {f"{which} {name}": (source, code) for which, code in outcome.codes.items()}
        for task, output in run_fresh(folder, tasks).items():
            which, _, name = task.partition(" ")
            found[name].fresh[which] = output
    return found


def _stored(name: str, folder: Path) -> str:
    path = folder / f"{name.partition(':')[2]}.pt"
    torch.save(model_of(name), path)
    return f"file:{path}"


@pytest.mark.parametrize("name", NAMES)
def test_none_low_is_the_reference_and_all_low_the_cast(name: str, outcomes: Mapping[str, Outcome]) -> None:
    outcome, model = outcomes[name], model_of(name)
    assert is_same(outcome.ran["none"], plain.outputs(*model, torch.float32, shared=False))
    if outcome.raised:
        with pytest.raises(RuntimeError):
            plain.outputs(*model, torch.bfloat16)
    else:
        assert is_same(outcome.ran["all"], plain.outputs(*model, torch.bfloat16, fused=False, shared=False))


@pytest.mark.parametrize("name", NAMES)
def test_exported_code_gives_in_a_fresh_process_what_ran(name: str, outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[name]
    assert {"none", "all"} <= outcome.ran.keys() == outcome.fresh.keys()
    for which, output in outcome.ran.items():
        assert is_same(output, outcome.fresh[which]), which


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DRAWS])
def test_modules_in_two_formats_are_what_hooks_make_of_them(name: str, outcomes: Mapping[str, Outcome]) -> None:
    outcome, model = outcomes[name], model_of(name)
    chosen = {fqn: getattr(torch, dtype) for fqn, dtype in outcome.formats["mixed"].items()}
    try:
        runs = runs_in(*model, *set(chosen.values()))
    except RuntimeError:
        pytest.skip("it raises in 16 bits")
    assert is_same(outcome.ran["mixed"], lowered(*model, chosen, runs=runs))


@pytest.mark.parametrize("name", [f"zoo:{name}" for name in ZOO])
def test_a_plan_that_is_run_is_as_wrong_as_its_code(name: str, outcomes: Mapping[str, Outcome]) -> None:
    outcome, (module, args, kwargs) = outcomes[name], build(name)
    low = floating(outcome.fresh.get("mixed"))
    if not low or name in DRAWS:
        pytest.skip("no floating-point numbers, or other random ones")
    run = px.compare(module, kwargs or args, plan=outcome.formats["mixed"], progress=False)
    exact = floating(plain.outputs(module, args, kwargs, torch.float32, fused=False))
    if [t.shape for t in exact] != [t.shape for t in low]:
        return  # as many as the values ask for: nothing is compared
    expected = plain.errors(exact, low)
    assert run.failure is None
    assert run.metrics["finite_pairs"] == expected.pairs
    assert not expected.pairs or run.metrics["rmse"] == pytest.approx(expected.rmse, rel=1e-9)
