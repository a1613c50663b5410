"""Every awkward model's numbers, against the oracles'."""

from __future__ import annotations

import pytest
import torch

from tests.oracles import held
from tests.oracles.models import built
from tests.zoo.cases import ZOO

RAISES = ("float32 mask", "no kernel", "fft")
"""Models that raise in bfloat16: there are no numbers to hold."""
NO_ERRORS = (*RAISES, "no output", "integer output", "integer model", "infinite input", "empty output")
"""Models without a sensitivity: they return no finite numbers, or raise."""


@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind not in RAISES])
def test_outputs_differ_as_the_oracle_says(kind: str) -> None:
    held.hold_compare(*built(ZOO[kind]), torch.bfloat16)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind not in RAISES])
def test_layers_differ_as_the_oracle_says(kind: str) -> None:
    held.hold_layers(*built(ZOO[kind]), torch.bfloat16)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind not in RAISES])
def test_own_code_errs_as_the_oracle_says(kind: str) -> None:
    held.hold_own_code(*built(ZOO[kind]), torch.bfloat16)


@pytest.mark.parametrize("kind", ZOO)
def test_values_lie_where_the_oracle_says(kind: str) -> None:
    held.hold_ranges(*built(ZOO[kind]))


@pytest.mark.parametrize("kind", [kind for kind in ZOO if kind not in NO_ERRORS])
def test_every_place_alone_is_as_wrong_as_the_oracle_says(kind: str) -> None:
    held.hold_sensitivity(*built(ZOO[kind]), torch.bfloat16)
