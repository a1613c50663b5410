"""The analyses, one row each: what it measures, which settings it reads, and its words in every interface."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Analysis(StrEnum):
    """What is measured of a model."""

    AUDIT = "audit"
    COMPARE = "compare"
    ERRORS = "errors"
    LAYERS = "layers"
    RANGES = "ranges"
    REGIMES = "regimes"
    ROUTES = "routes"
    SENSITIVITY = "sensitivity"
    TRAINING = "training"
    AUTOCAST = "autocast"
    CLAIMS = "claims"
    MEMORY = "memory"
    DEVICE_SPEED = "device-speed"

    @property
    def info(self) -> AnalysisInfo:
        """Its row."""
        return ANALYSES[self]


class AnalysisInfo(NamedTuple):
    """One analysis.

    `about` and `running` can contain the names that `RunSpec.in_words` fills in.
    """

    function: str
    """`module:function` that measures it; by name, because it needs torch."""
    result: str
    """`module:class` of its result."""
    reads: tuple[str, ...]
    """The settings of a `RunSpec` that it reads."""
    help: str
    """Help of the command with the same name."""
    running: str
    """The heading while it runs."""
    about: str = "**{candidate}** against {reference}{method}"
    """What its numbers are about, for a page's caption."""
    arithmetic_of: str = ""
    """Whose arithmetic the result's `execution` describes, where that is not the candidate's."""
    streams: bool = False
    """Whether it runs all batches of an input, not only the first."""

    @property
    def has_candidate(self) -> bool:
        """Whether it compares one candidate with the reference."""
        return "method" in self.reads


INPUT = ("input", "seed", "batch", "length", "text", "data", "own_weights")
"""The settings that choose a model's input, and its weights."""
_INPUT = ("model", "device", *INPUT)
_IN_REGIME = (*_INPUT, "regime")
_CANDIDATE = ("dtype", "method", "keep", "wide_inputs", "plan", "weights", "reference")
_OUTPUTS = ("candidate_weights", "outputs")
_COMPARING = "Comparing {model} in {candidate} with {reference}"

ANALYSES: Mapping[Analysis, AnalysisInfo] = MappingProxyType(
    {
        Analysis.AUDIT: AnalysisInfo(
            "precision.measure.compare.compare:audit_cast",
            "precision.results.run:CompareResult",
            (*_IN_REGIME, *_CANDIDATE),
            "cast a model and show every tensor before and after",
            "Casting {model} to {candidate}",
        ),
        Analysis.COMPARE: AnalysisInfo(
            "precision.measure.compare.compare:compare",
            "precision.results.run:CompareResult",
            (*_IN_REGIME, *_CANDIDATE, *_OUTPUTS),
            "run a model in two formats and show what differs",
            _COMPARING,
            streams=True,
        ),
        Analysis.ERRORS: AnalysisInfo(
            "precision.measure.compare.compare:compare_errors",
            "precision.results.run:CompareResult",
            (*_IN_REGIME, *_CANDIDATE, *_OUTPUTS),
            "do as compare does, but do not time the models",
            _COMPARING,
            streams=True,
        ),
        Analysis.LAYERS: AnalysisInfo(
            "precision.measure.lockstep.compare_layers:compare_layers",
            "precision.results.layers:LayersResult",
            (*_IN_REGIME, *_CANDIDATE),
            "run a model in two formats side by side and show what differs layer by layer",
            _COMPARING,
        ),
        Analysis.RANGES: AnalysisInfo(
            "precision.measure.ranges.measure_ranges:measure_ranges",
            "precision.results.ranges:RangesResult",
            (*_IN_REGIME, "reference"),
            "run a model once and show which formats its values fit",
            "Counting the values of {model} in {reference}",
            "values of the {reference} reference",
            streams=True,
        ),
        Analysis.REGIMES: AnalysisInfo(
            "precision.measure.regimes.measure_regimes:measure_regimes",
            "precision.results.regimes:RegimesResult",
            (*_INPUT, *_CANDIDATE, "outputs"),
            "run a model in two formats on its input scaled, with an outlier channel and random",
            "Comparing {model} in {candidate} with {reference} in every input regime",
        ),
        Analysis.ROUTES: AnalysisInfo(
            "precision.measure.routes.measure_routes:measure_routes",
            "precision.results.routes:RoutesResult",
            (*_IN_REGIME, "dtype", "reference"),
            "cast a model to a format in every possible way and show what each way does",
            "Trying every route of {model} to {dtype}",
            "every route to **{dtype}** against {reference}",
            "the reference's ",
        ),
        Analysis.SENSITIVITY: AnalysisInfo(
            "precision.measure.sensitivity.measure_sensitivity:measure_sensitivity",
            "precision.results.sensitivity:SensitivityResult",
            (*_IN_REGIME, "reference", "formats", "wide_inputs", "exact"),
            "show what every layer adds to the error in each of several formats",
            "Measuring how much error each format causes in every layer of {model}",
            "every layer alone in another format than {reference}",
            "the reference's ",
        ),
        Analysis.TRAINING: AnalysisInfo(
            "precision.measure.training.measure_training:measure_training",
            "precision.results.training:TrainingResult",
            (*_IN_REGIME, "dtype"),
            "make one training step in a 16-bit format and show what happens to gradients and weights",
            "Trying one training step of {model} in {dtype}",
            "one training step in **{dtype}** against float32",
        ),
        Analysis.AUTOCAST: AnalysisInfo(
            "precision.measure.autocast.measure_autocast:measure_autocast",
            "precision.results.autocast:AutocastResult",
            ("dtype", "device"),
            "show which dtype operators compute in under autocast on a device",
            "Trying operators under autocast to {dtype}",
            "operators under autocast to **{dtype}**",
        ),
        Analysis.CLAIMS: AnalysisInfo(
            "precision.measure.claims.measure_claims:measure_claims",
            "precision.results.claims:ClaimsResult",
            _INPUT,
            "try on a model what two articles claim about half() and to(torch.float16)",
            "Trying on {model} what the articles claim",
            "**half()** and **to(torch.float16)** against float32",
            "the reference's ",
        ),
        Analysis.MEMORY: AnalysisInfo(
            "precision.measure.memory:measure_memory",
            "precision.results.memory:MemoryResult",
            ("model", "device"),
            "show a model's bytes in every format, and on which devices they fit, without loading the model",
            "Counting the bytes of {model}",
            "bytes in every format",
        ),
        Analysis.DEVICE_SPEED: AnalysisInfo(
            "precision.measure.device_speed:measure_device_speed",
            "precision.results.device_speed:DeviceSpeedResult",
            ("device",),
            "time matmul, conv2d, layer norm and softmax in every dtype of a device",
            "Timing operators in every dtype",
            "operators in every dtype of the device",
        ),
    }
)
"""To add an analysis: a row here, its function, its result's class, and its main table."""
