"""A metric is a field, its computation and its definition: three spots."""

import json
from pathlib import Path

import pytest

from tests.zoo.grown import Grown

FIELD = "    reference_rms: float | None\n"
COMPUTATION = '            reference_rms=sums["rr"].root_mean(n),\n'
DEFINITION = """\
    MetricDefinition("reference_rms", "RMS", definition="sqrt(mean of r²).", higher_is_better=None),
"""
ADDED = {
    "precision/results/comparison.py": (("    normalized_l2: float | None\n", FIELD),),
    "precision/measure/metrics/statistics.py": (("            normalized_l2=self._normalized_l2()", COMPUTATION),),
    "precision/text/metrics.py": (('    MetricDefinition(\n        "normalized_l2",', DEFINITION),),
}

pytestmark = pytest.mark.slow


def test_it_is_measured_defined_and_a_limit(tmp_path: Path) -> None:
    grown = Grown(tmp_path, ADDED)
    compare = ("-m", "precision", "compare", "--model", "digits", "--batch", "4", "--json")
    found = json.loads(grown.python(*compare, "--fail-above", "reference_rms=1e9"))["comparison"]["overall"]
    assert found["reference_rms"] == pytest.approx(found["rmse"] / found["normalized_l2"])
    grown.tests(
        "tests/text/test_metrics.py", "tests/findings/test_thresholds.py", "tests/measure/metrics/test_chunks.py"
    )
