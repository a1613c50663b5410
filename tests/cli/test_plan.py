"""The plan that the options of `python -m precision plan` ask for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from precision.cli.arguments import parser
from precision.cli.plan import chosen
from precision.errors import InputError
from precision.results import LayerSensitivity, SensitivityResult
from precision.spec import Analysis, RunSpec
from tests.plan.reports import contribution, layer, report
from tests.runs import measure_sensitivity

TIED = (
    layer("a", (contribution(1e-3, 50, time_s=0.1),), tied_to=("b",)),
    layer("b", (contribution(None, 50, nonfinite=1),), tied_to=("a",)),
    layer("c", (contribution(1e-4, 50, time_s=0.5),)),
)


@pytest.fixture(scope="module")
def measured() -> SensitivityResult:
    return measure_sensitivity(RunSpec(model="linear-5-10", formats=("bfloat16",), analysis=Analysis.SENSITIVITY))


def formats_of(measured: SensitivityResult, layers: Sequence[LayerSensitivity], *options: str) -> str:
    result = measured.model_copy(update={"report": report(*layers, formats=("bfloat16",))})
    return " ".join(name for _, name in chosen(parser().parse_args(["plan", *options]), result).pairs)


def test_a_share_of_the_time_is_kept(measured: SensitivityResult) -> None:
    assert formats_of(measured, TIED, "--time-share", "1") == "float32 float32 float32"
    assert formats_of(measured, TIED, "--time-share", "0.84") == "float32 float32 bfloat16"
    with pytest.raises(InputError, match="No plan fits in"):
        formats_of(measured, TIED, "--time-share", "0.6")


def test_tied_layers_differ_where_that_is_asked_for(measured: SensitivityResult) -> None:
    assert formats_of(measured, TIED, "--time-share", "0.6", "--split-ties") == "bfloat16 float32 bfloat16"


def test_a_share_of_times_that_were_not_measured_is_refused(measured: SensitivityResult) -> None:
    untimed = (layer("c", (contribution(1e-4, 50),), time_s=None),)
    with pytest.raises(InputError, match="plan by bytes"):
        formats_of(measured, untimed, "--time-share", "0.6")
