"""Assertions for the tests of other projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from precision.errors import InputError
from precision.library.calls import compare, layers
from precision.library.settings import Cast
from precision.results import ErrorMetrics
from precision.text.names import plain
from precision.text.units import number_text

if TYPE_CHECKING:
    from precision.library.settings import Format, Model

__all__ = ["assert_precision"]


def assert_precision(
    model: Model, inputs: object = None, *, dtype: Format = "float16", labels: Any = None, **limits: Any
) -> None:
    """Check that a model keeps its limits in a format.

    Args:
        model: as of `precision.compare`.
        inputs: as of `precision.compare`.
        dtype: as of `precision.compare`.
        labels: as of `precision.compare`.
        **limits: `min_` or `max_` and the name of a metric of `ErrorMetrics`, such as `min_sqnr_db=40` or
            `max_abs_error=1e-2`, at least one; and settings of `precision.compare`.

    Raises:
        AssertionError: a limit is not kept, or an output that the reference has finite is not; the message names the
            layer whose own error is the largest.
        InputError: no limit, or one of a metric that there is not.
    """
    asked = {name: limits.pop(name) for name in list(limits) if _metric_of(name)}
    if not asked:
        raise InputError("Give a limit, such as min_sqnr_db=40 or max_abs_error=1e-2.")
    settings: Cast = limits  # type: ignore[assignment]
    run = compare(model, inputs, dtype=dtype, labels=labels, **settings)
    failed = [run.failure] if run.failure else []
    if run.metrics and run.metrics["cand_only_nonfinite"]:
        failed.append(
            f"{run.metrics['cand_only_nonfinite']:,} outputs are infinite or NaN that the reference has finite."
        )
    failed += [text for name, limit in asked.items() if (text := _violation(run.metrics, name, limit))]
    if failed:
        raise AssertionError("\n".join([*failed, *_culprit(model, inputs, dtype, settings)]))


def _metric_of(name: str) -> str | None:
    """The metric that a limit is of: `max_abs_error` is one itself, so `max_` may be left to it."""
    known = ErrorMetrics.model_fields
    if name in known:
        return name
    rest = name.removeprefix("min_").removeprefix("max_")
    return rest if rest != name and rest in known else None


def _violation(metrics: Any, name: str, limit: float) -> str | None:
    metric = _metric_of(name) or ""
    value = metrics.get(metric)
    if value is None:
        return f"{metric} was not measured; {name} = {limit:g} was asked for."
    if value < limit if name.startswith("min_") else value > limit:
        return f"{metric} is {number_text(value)}; {name} = {limit:g} was asked for."
    return None


def _culprit(model: Model, inputs: object, dtype: Format, settings: Cast) -> list[str]:
    found = layers(model, inputs, dtype=dtype, **settings)
    origin = found.first_nonfinite
    if origin is not None:
        where = plain(origin.fqn) or "the model itself"
        return [f"The first value that is not finite is made in {where}, by {origin.operator or 'its forward'}."]
    worst = next(iter(found.worst(1)), None)
    if worst is None or worst.corners is None:
        return []
    own = worst.corners.local.normalized_l2
    return [f"{plain(worst.fqn)} ({worst.type}) has the largest error of its own: {100 * own:.3g} % of its output."]
