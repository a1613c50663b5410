"""Every analysis' result as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from precision.cli.autocast import autocast_text
from precision.cli.claims import claims_text
from precision.cli.layers import layers_text
from precision.cli.memory import memory_text
from precision.cli.ranges import ranges_text
from precision.cli.regimes import regimes_text
from precision.cli.report import audit_text, compare_text
from precision.cli.routes import routes_text
from precision.cli.sensitivity import sensitivity_text
from precision.cli.training import training_text
from precision.results import AnalysisResult
from precision.spec import Analysis

_TEXTS: Mapping[Analysis, Callable[..., str]] = {
    Analysis.AUDIT: audit_text,
    Analysis.COMPARE: compare_text,
    Analysis.LAYERS: layers_text,
    Analysis.RANGES: ranges_text,
    Analysis.REGIMES: regimes_text,
    Analysis.ROUTES: routes_text,
    Analysis.SENSITIVITY: sensitivity_text,
    Analysis.TRAINING: training_text,
    Analysis.AUTOCAST: autocast_text,
    Analysis.CLAIMS: claims_text,
    Analysis.MEMORY: memory_text,
}


def text_of(result: AnalysisResult, **options: Any) -> str:
    """The text of a result.

    Args:
        result: of an analysis with a command of its own.
        **options: what only this analysis' text takes, such as `operators` of layers.
    """
    return _TEXTS[result.spec.analysis](result, **options)
