"""The report of one module's sensitivity."""

from __future__ import annotations

import pytest
from torch import nn

from precision.results import SensitivityReport, SensitivityResult
from precision.spec import Analysis, RunSpec
from tests.runs import measure_sensitivity, with_model

FORMATS = ("bfloat16", "float8_e4m3fn", "int8", "e5m7")


def measured(
    monkeypatch: pytest.MonkeyPatch,
    module: nn.Module,
    *args: object,
    formats: tuple[str, ...] = FORMATS,
    exact: bool = True,
) -> SensitivityReport:
    """The report of this module instead of the spec's."""
    with_model(monkeypatch, module, *args)
    result = measure_sensitivity(RunSpec(analysis=Analysis.SENSITIVITY, formats=formats, exact=exact))
    assert result.failure is None, result.failure
    assert result.report is not None
    assert SensitivityResult.model_validate_json(result.model_dump_json()) == result
    return result.report
