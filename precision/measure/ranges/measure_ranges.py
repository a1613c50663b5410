"""One reference pass from start to end: load, count the weights, run, count what every module sees."""

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from precision.errors import ForwardError
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.held_weights import weight_rows
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.models.loading import LoadedModel
from precision.measure.models.padding import data_positions, padding_text
from precision.measure.preparation import Task, failure_of, module_progress
from precision.measure.ranges.counts import counts_of
from precision.measure.ranges.observer import Observed, RangeObserver
from precision.measure.rounding import dtype_name
from precision.progress import Progress
from precision.results.ranges import WEIGHT_KINDS, ExponentHistogram, Ranges, RangesResult, TensorRange
from precision.text.names import plain
from precision.text.units import count_text

_LOADED, _COUNTED = 0.15, 0.35
"""Fractions of the whole at which the weights, and then the pass, begin."""


def measure_ranges(task: Task) -> RangesResult:
    """Count every weight, input and output of one pass of the reference by its exponent.

    The spec's format and cast method play no part: the result answers for all of them. A forward that raises does
    not lose what was counted before it: the result then has a `failure`.
    """
    loaded = task.load()
    model = task.reference(loaded)
    return _measure(loaded, model, RangesResult(**dict(task.head(loaded, model)), ranges=None), task.progress)


def _measure(loaded: LoadedModel, model: CastModel, result: RangesResult, progress: Progress) -> RangesResult:
    """The result with what was counted, and the failure that ended it, if one did."""
    observer = RangeObserver()
    weights: tuple[Observed, ...] = ()
    stage = "Counting the weights"
    failure = None
    try:
        progress.step(stage, _LOADED)
        weights = tuple(_weights(model.stored, progress, stage))
        result = result.model_copy(update={"ranges": _ranges(weights, observer, has_run=False)})
        progress.partial(result)
        stage = f"Running the {result.spec.reference} reference"
        _run(loaded, model, observer, progress, stage)
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        failure = failure_of(error, stage)
    ranges = _ranges(weights, observer, has_run=failure is None)
    said = (
        *padding_text(loaded, "values there are not counted", batches=(None, *loaded.more)),
        *_caveats(ranges, model.stored, result.spec.reference),
    )
    return result.model_copy(
        update={"ranges": ranges, "failure": failure, "warnings": (*said, *result.warnings)},
    )


def _weights(module: nn.Module, progress: Progress, stage: str) -> Iterator[Observed]:
    """Parameters and buffers with exponents, each tensor once, under its first name."""
    modules = dict(module.named_modules(remove_duplicate=False))
    stored = [each for each in stored_tensors(module) if each.tensor.is_floating_point() or each.tensor.is_complex()]
    held = {id(each.tensor): each for each in reversed(stored)}
    total = sum(each.tensor.numel() for each in held.values()) or 1
    done = 0
    for each in reversed(held.values()):
        if each.kind == "attribute":
            continue
        progress.step(stage, _LOADED + (_COUNTED - _LOADED) * done / total, each.fqn)
        done += each.tensor.numel()
        owner = modules[each.module]
        yield Observed(
            module=each.module,
            module_type=type(owner).__name__,
            kind=each.kind,
            name=each.fqn,
            dtype=dtype_name(each.tensor.dtype),
            counts=counts_of(weight_rows(each.tensor, owner)),
        )


def _run(loaded: LoadedModel, model: CastModel, observer: RangeObserver, progress: Progress, stage: str) -> None:
    progress.step(stage, _COUNTED)
    on_module = module_progress(progress, model, stage=stage, start=_COUNTED, end=1.0)
    with observer.observing(data_positions(loaded)):
        model(loaded.args, loaded.kwargs, on_module=on_module)
    for place, batch in enumerate(loaded.more, 2):
        progress.step(f"{stage}, batch {place:,}", 1.0)
        with observer.observing(data_positions(loaded, batch)):
            model(batch.args, batch.kwargs)


def _ranges(weights: Iterable[Observed], observer: RangeObserver, *, has_run: bool) -> Ranges:
    """All rows, with equal histograms kept once: most inputs are another module's output."""
    places: dict[ExponentHistogram, int] = {}
    tensors = tuple(
        TensorRange(
            module=row.module,
            module_type=row.module_type,
            kind=row.kind,
            name=row.name,
            dtype=row.dtype,
            calls=row.calls,
            histogram=places.setdefault(row.counts.result(), len(places)),
        )
        for row in (*weights, *observer.rows)
    )
    return Ranges(tensors=tensors, histograms=tuple(places), not_called=observer.not_called if has_run else ())


def _caveats(ranges: Ranges, module: nn.Module, reference: str) -> tuple[str, ...]:
    """Reasons in the counts not to read too much into them."""
    caveats = []
    first = next((row for row in ranges.tensors if ranges.histogram_of(row).nan), None)
    if first is not None:
        caveats.append(
            f"{first.label} holds NaNs in the {reference} reference: values after it are not those of a sound model."
        )
    holders = {row.module for row in ranges.tensors if row.kind in WEIGHT_KINDS}
    not_called = [fqn for fqn in ranges.not_called if fqn in holders]
    scripted = {name for name, child in module.named_modules() if isinstance(child, torch.jit.ScriptModule)}
    if hidden := [fqn for fqn in not_called if fqn in scripted]:
        caveats.append(
            f"{count_text(len(hidden), 'module')} with weights cannot be watched, for example {plain(hidden[0])}: what "
            "runs inside TorchScript is not observed."
        )
    if unseen := [fqn for fqn in not_called if fqn not in scripted]:
        caveats.append(
            f"{count_text(len(unseen), 'module')} with weights never ran, for example {plain(unseen[0])}: this input "
            "does not need them, or a fused kernel did their work, which cannot be observed."
        )
    return tuple(caveats)
