"""Short ways to run two models side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from precision.formats import any_format_named, format_named
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.methods import cast, reference
from precision.measure.lockstep.director import Options
from precision.measure.lockstep.run import run_lockstep
from precision.results.layers import LayerRow, LayersReport
from precision.spec import CastMethod

CPU = torch.device("cpu")


def both(module: nn.Module, name: str, method: CastMethod = CastMethod.TO) -> tuple[CastModel, CastModel]:
    """Reference and candidate of a model."""
    return (
        reference(module, format_named("float32"), device=CPU),
        cast(module, any_format_named(name), method=method, device=CPU),
    )


def lockstep(
    module: nn.Module,
    *args: object,
    name: str = "float16",
    method: CastMethod = CastMethod.TO,
    kwargs: Mapping[str, object] | None = None,
    **options: Any,
) -> LayersReport:
    """The report of a model against itself in another format."""
    told = {key: options.pop(key) for key in ("on_call", "on_partial") if key in options}
    asked = Options(fmt=any_format_named(name), **options)
    return run_lockstep(*both(module, name, method), args, kwargs, options=asked, **told)


def row_of(report: LayersReport, fqn: str, call: int = 1) -> int | None:
    """Index of the row of a module's call; None where there is none."""
    return next((at for at, row in enumerate(report.rows) if (row.fqn, row.call) == (fqn, call)), None)


def row_named(report: LayersReport, fqn: str, call: int = 1) -> LayerRow:
    """One row; fails the test where there is none."""
    place = row_of(report, fqn, call)
    assert place is not None, f"no row {fqn!r} ({call}) in {[row.fqn for row in report.rows]}"
    return report.rows[place]


def operator_names(report: LayersReport, only: str | None = None) -> list[str]:
    """Names of the operators that both sides ran, or only one."""
    return [operator.name for operator in report.operators if operator.only == only]
