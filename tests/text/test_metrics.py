import subprocess
import sys

import pytest

from precision.errors import InputError
from precision.results import ClassDecisions, CrossingDecisions, ErrorMetrics, NeighbourDecisions
from precision.text.metrics import DECISION_METRICS, METRICS, metric_named

NOT_A_NUMBER = {"max_abs_error_index"}


def test_every_number_of_the_metrics_is_defined_once() -> None:
    assert sorted(metric.name for metric in METRICS) == sorted(set(ErrorMetrics.model_fields) - NOT_A_NUMBER)


def test_every_number_of_decisions_is_one_of_a_result() -> None:
    for metric in DECISION_METRICS:
        owners = [
            kind
            for kind in (ClassDecisions, CrossingDecisions, NeighbourDecisions)
            if metric.name in {*dir(kind), *kind.model_fields}
        ]
        assert len(owners) == 1


def test_labels_are_unique_and_definitions_are_sentences() -> None:
    metrics = (*METRICS, *DECISION_METRICS)
    assert len({metric.label for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert metric.definition.endswith(".")
        assert "`" not in metric.definition
        assert "  " not in metric.definition


def test_directions() -> None:
    better_when_higher = {metric.name for metric in METRICS if metric.higher_is_better}
    assert better_when_higher == {"sqnr_db", "cosine_similarity", "exact_share", "within_tolerance_share"}
    assert metric_named("mean_abs_error").higher_is_better is False
    assert metric_named("error_balance").higher_is_better is None


def test_settings_are_no_errors() -> None:
    assert {metric.name for metric in METRICS if metric.is_setting} == {
        *("relative_tolerance", "absolute_tolerance", "quantile_elements"),
    }


def test_unknown_names_are_refused_with_near_ones() -> None:
    with pytest.raises(InputError, match=r"Unknown metric 'mean_abs_eror'. Did you mean mean_abs_error"):
        metric_named("mean_abs_eror")
    with pytest.raises(InputError, match=r"Unknown metric 'x'. Known: mean_abs_error, "):
        metric_named("x")


def test_it_needs_no_torch() -> None:
    code = "import sys, precision.text.metrics, precision.text.terms; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
