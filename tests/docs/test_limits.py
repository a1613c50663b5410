"""Limits that the methods name are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from precision.engine.book import FINISHED_KEPT
from precision.findings.decisions_judged import ENOUGH_CLUSTERS, Yardsticks
from precision.findings.fit.fitness import FitLimits
from precision.formats import FORMATS, SCALED_FORMATS
from precision.measure.casting.kernel_layers import BUDGET_S
from precision.measure.compare.float64_truth import MAX_REFERENCE_S, MAX_STORED_BYTES
from precision.measure.lockstep.alignment import MAX_CELLS
from precision.measure.lockstep.director import MAX_DIVERGENCES, Options
from precision.measure.lockstep.inner_calls import MAX_KEPT_BYTES
from precision.measure.lockstep.origins import MAX_ORIGINS
from precision.measure.lockstep.remedies import DISTORTED_BELOW_DB, MAX_INPUTS, MAX_TRIES
from precision.measure.metrics.chunks import SINGLE_MIN_ELEMENTS
from precision.measure.metrics.neighbours import MAX_SAMPLES
from precision.measure.metrics.octaves import MAX_OCTAVES
from precision.measure.metrics.outputs import MAX_DEPTH, MAX_LEAVES
from precision.measure.metrics.quantiles import SAMPLE_ELEMENTS
from precision.measure.metrics.sample_means import MAX_UNITS, RESAMPLES
from precision.measure.models.bounded_build import MAX_BUILD_S, MAX_PARTS
from precision.measure.sensitivity.adjoint import MOST_OUTPUTS, PASSES, PROBES
from precision.measure.training.float64_step import MAX_FLOAT32_S
from precision.measure.training.scaling import INITIAL_SCALE, MAX_ATTEMPTS
from precision.models.opened import MAX_BYTES
from precision.models.pasted import MAX_CHARACTERS
from precision.plan.front import POINTS
from precision.plan.knapsack import MOST_PARTIAL_CHOICES
from precision.results.training import MOSTLY_ERROR
from precision.spec import MAX_BATCH, MAX_LENGTH, MAX_PLAN_LAYERS, MAX_TEXT_CHARACTERS
from precision.spec.regimes import OUTLIER_FACTOR, USUAL

DOCS = Path(__file__).parents[2] / "docs"
VERDICT, FIT = Yardsticks(), FitLimits()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("architecture", f"the last {FINISHED_KEPT} finished jobs"),
        ("operating", f"a batch of {MAX_BATCH:,}, a length of {MAX_LENGTH:,}, a text of {MAX_TEXT_CHARACTERS:,}"),
        ("library", f"at most {MAX_BYTES // 2**20} MiB"),
        ("operating", f"results of more than {MAX_BYTES // 2**20} MiB"),
        ("your_models", f"at most {MAX_CHARACTERS:,} characters"),
        ("operating", f"a plan of {MAX_PLAN_LAYERS:,} layers"),
        ("operating", f"more than {MAX_PARTS:,} modules and parameters, or takes {MAX_BUILD_S:g} s"),
        ("methods/compare", f"took more than {MAX_REFERENCE_S:g} s"),
        ("methods/compare", f"more than {MAX_STORED_BYTES / 2**30:g} GiB"),
        ("methods/compare", f"SQNR < {VERDICT.broken_below_db:g} dB"),
        ("methods/compare", f"RMSE ≤ {VERDICT.rounding_multiple:g} × rounding floor"),
        ("methods/compare", f"interval ends at or below {100 * VERDICT.resolved_flips:g} %"),
        ("methods/compare", f"fewer than {ENOUGH_CLUSTERS} texts"),
        ("methods/compare", f"({VERDICT.tolerated_flips:g} by default"),
        ("methods/compare", f"cosine similarity is below {VERDICT.least_cosine:g}"),
        ("methods/compare", f"{RESAMPLES:,} bootstrap means"),
        ("methods/compare", f"{MAX_UNITS:,} samples, groups"),
        ("methods/compare", f"first {MAX_SAMPLES:,} samples"),
        ("methods/metrics", f"fewer than {SINGLE_MIN_ELEMENTS:,} elements"),
        ("methods/metrics", f"up to {SAMPLE_ELEMENTS:,} elements"),
        ("methods/metrics", f"a depth of {MAX_DEPTH} and to {MAX_LEAVES:,} tensors"),
        ("methods/layers", f"at most {MAX_TRIES} runs"),
        ("methods/layers", f"At most {MAX_INPUTS} are left uncast"),
        ("methods/layers", f"the output is below {DISTORTED_BELOW_DB:g} dB"),
        ("methods/layers", f"{Options.max_calls:,} module calls and {Options.max_operators:,} operators"),
        ("methods/layers", f"more than {Options.timeout_s:g} s"),
        ("methods/layers", f"return more than {MAX_KEPT_BYTES / 2**20:g} MiB"),
        ("methods/layers", f"the first {MAX_ORIGINS}."),
        ("methods/layers", f"the first {MAX_DIVERGENCES}."),
        ("methods/layers", f"more than {MAX_CELLS:,} are matched"),
        ("methods/layers", f"at most {MAX_OCTAVES}."),
        ("methods/ranges", f"More than {100 * FIT.underflow_fraction:g} % of the non-zero values become zero"),
        ("methods/ranges", f"More than {100 * FIT.subnormal_fraction:g} % are subnormal"),
        ("methods/ranges", f"below {FIT.sqnr_db:g} dB"),
        *(("methods/regimes", f"`{regime}`") for regime in USUAL),
        ("methods/regimes", f"is multiplied by {OUTLIER_FACTOR:g}"),
        ("methods/sensitivity", f"at most {MOST_OUTPUTS} numbers"),
        ("methods/sensitivity", f"{PROBES} probes wanted: {PASSES[0]} to {PASSES[1]} passes"),
        ("methods/plan", f"at most {POINTS} vertices"),
        ("methods/plan", f"more than {MOST_PARTIAL_CHOICES:,} partial choices"),
        ("methods/training", f"starts at {INITIAL_SCALE:,.0f}"),
        ("methods/training", f"up to {MAX_ATTEMPTS} attempts"),
        ("methods/training", f"at most {MAX_FLOAT32_S:g} s"),
        ("methods/training", f"Above {MOSTLY_ERROR:g} it"),
        ("methods/real-kernels", f"more than {BUDGET_S:g} s"),
        ("methods/formats", f"{len(FORMATS)} floating-point formats, {len(SCALED_FORMATS)} scaled ones"),
    ],
)
def test_a_limit_is_the_codes(document: str, said: str) -> None:
    text = " ".join((DOCS / f"{document}.md").read_text(encoding="utf-8").split())
    assert said in text
