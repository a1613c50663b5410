"""Assertions for the tests of other projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from precision.errors import InputError, PrecisionError
from precision.findings.thresholds import Threshold, threshold_on, violations
from precision.library.calls import compare, hold, layers
from precision.text.metrics import METRIC_NAMES
from precision.text.names import plain

if TYPE_CHECKING:
    from precision.library.settings import Format, Model
    from precision.measure.models.loading import LoadedModel

__all__ = ["assert_precision"]


def assert_precision(
    model: Model,
    inputs: object = None,
    *,
    dtype: Format = "float16",
    validate: Any = None,
    **limits: Any,
) -> None:
    """Check that a model keeps its limits in a format. The arguments are those of `precision.compare`, and:

    Args:
        **limits: `min_` or `max_` and the name of a metric, such as `min_sqnr_db=40`, `max_rmse=1e-3` or
            `min_top1_agreement=0.99`, at least one (metrics called `max_...` need no second `max_`).

    Raises:
        AssertionError: a limit is not kept, or something that no metric covers differs: an infinity or NaN, an integer,
            an output that only one side has. The message names the layer whose own error is the largest.
        InputError: no limit, or one that cannot be checked: an unknown metric, no number, or the metric's good side.
    """
    thresholds = [_threshold(name, limits.pop(name)) for name in list(limits) if _is_limit(name)]
    if not thresholds:
        raise InputError("Give a limit, such as min_sqnr_db=40 or max_abs_error=1e-2.")
    held = hold(model, inputs, limits)
    run = compare(held, dtype=dtype, validate=validate, **limits)
    failed = [run.failure] if run.failure else []
    if run.result.comparison is not None:
        failed += violations(run.result.comparison, thresholds)
    if failed:
        raise AssertionError("\n".join([*failed, *_culprit(held, dtype, limits)]))


def _is_limit(name: str) -> bool:
    return name in METRIC_NAMES or name.startswith(("min_", "max_"))


def _threshold(name: str, value: Any) -> Threshold:
    """The limit of a keyword: `max_abs_error` is a metric itself, so its `max_` may be left to it."""
    is_metric, is_low = name in METRIC_NAMES, name.startswith("min_")
    if is_metric and not name.startswith("max_"):
        raise InputError(f"{name} is a metric and not a limit. Write min_{name}=... or max_{name}=...")
    metric = name if is_metric else name[len("min_") :]
    return threshold_on(metric, value, higher_is_better=is_low, low=f"min_{metric}", high=f"max_{metric}")


def _culprit(held: LoadedModel, dtype: Format, settings: Any) -> list[str]:
    """The layer to look at, by its first batch; nothing where the layers cannot be measured."""
    try:
        found = layers(held, dtype=dtype, **{name: value for name, value in settings.items() if name != "outputs"})
    except PrecisionError:
        return []
    if (origin := found.first_nonfinite) is not None:
        where = plain(origin.fqn) if origin.fqn else "the model itself"
        return [f"The first value that is not finite is made in {where}, by {origin.operator or 'its forward'}."]
    worst = next(iter(found.worst(1)), None)
    if worst is None or worst.own is None:
        return []
    where, share = plain(worst.fqn) if worst.fqn else "The model itself", worst.own.local.normalized_l2
    kind = f"{worst.type}, own code" if worst.has_own_code else worst.type
    return [f"{where} ({kind}) has the largest error of its own: {100 * share:.3g} % of its output."]
