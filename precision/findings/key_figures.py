"""The numbers of a comparison to read first."""

from collections.abc import Iterator

from precision.findings.cast import estimated_text
from precision.findings.decisions import decision_rows, truth_cells
from precision.findings.speed import compare_speed
from precision.findings.systematic import systematic_cells
from precision.results import CompareResult
from precision.text.metrics import metric_named
from precision.text.names import plain
from precision.text.units import bytes_text, number_text, seconds_text, share_text


def key_figures(result: CompareResult) -> Iterator[tuple[str, str, str]]:
    """Label, value and remark of each: errors, bytes and time, as far as they were measured."""
    if result.comparison is not None:
        metrics, floor = result.comparison.overall, result.comparison.rounding_floor
        rounds = not result.spec.weights  # only to the formats of weights
        yield "Mean absolute error", number_text(metrics.mean_abs_error), _floor(floor.mean_abs_error, rounds)
        yield "Max absolute error", number_text(metrics.max_abs_error), _floor(floor.max_abs_error, rounds)
        if (cells := systematic_cells(metrics))[0]:
            yield "Mean signed error", *cells
        pooled = sum(output.distributions is not None for output in result.comparison.outputs)
        together = f"all {pooled} outputs together" if pooled > 1 else ""
        yield "SQNR", number_text(metrics.sqnr_db) + ("" if metrics.sqnr_db is None else " dB"), together
        yield "Cosine similarity", number_text(metrics.cosine_similarity), ""
        for output in result.comparison.outputs:
            if count := output.differs_as_integer:
                yield "Whole numbers", f"{count:,} of {output.metrics.elements:,} differ", f"in {plain(output.path)}"
        if (truth := result.comparison.truth) is not None:
            yield "RMSE against float64", *truth_cells(truth)
    if (score := result.score) is not None:
        yield "Your score", f"{score.reference:g} → {score.candidate:g}", f"{score.difference:+g}"
    if result.audit is not None:
        yield "Stored", stored_text(result.audit.bytes_before, result.audit.bytes_after), estimated_text(result.audit)
    if (cost := result.cost) is not None:
        times = f"{seconds_text(cost.reference_time.median_s)} → {seconds_text(cost.candidate_time.median_s)}"
        yield "Time per run", times, f"{result.candidate_name} is {compare_speed(cost).text} the reference here"


def decided_figures(result: CompareResult) -> list[tuple[str, str, str]]:
    """The same of what the first output that decides something decides; none where no output does."""
    labels = {metric_named(name).label for name in ("top1_agreement", "candidate_accuracy", "neighbour_agreement")}
    outputs = result.comparison.outputs if result.comparison else ()
    decided = ([row for row in decision_rows(each.decisions) if row[0] in labels] for each in outputs if each.decisions)
    return next(filter(None, decided), [])


def stored_text(before: int, after: int) -> str:
    """Stored bytes before and after the cast, and the share saved."""
    saved = f" ({share_text(1 - after / before)} saved)" if 0 <= after < before else ""
    return f"{bytes_text(before)} → {bytes_text(after)}{saved}"


def _floor(value: float | None, rounds: bool) -> str:
    return "" if value is None or not rounds else f"only rounding the outputs: {number_text(value)}"
