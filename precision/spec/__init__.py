"""What to run: one frozen, validated request, and the cast methods and input regimes that it may name."""

from precision.spec.analysis import INPUT, Analysis
from precision.spec.cast_methods import CastMethod, formats_of
from precision.spec.run_spec import (
    AUTOCAST_DTYPE,
    MAX_BATCH,
    MAX_LENGTH,
    MAX_PLAN_LAYERS,
    MAX_TEXT_CHARACTERS,
    SENSITIVITY_FORMATS,
    RunSpec,
)
