"""What a model takes in memory in every format, from shapes alone: nothing of it is allocated."""

import torch
from torch import nn

from precision.formats import ALL_FORMATS, AnyFormat
from precision.measure.casting.castable import require_initialised
from precision.measure.casting.held_weights import estimated_bytes, is_held
from precision.measure.casting.memory_spans import MemorySpans
from precision.measure.casting.methods import copied
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.models.loading import skeleton
from precision.measure.preparation import Task
from precision.measure.rounding import holding_dtype, storage_dtype
from precision.models.catalogue import describe
from precision.results import FormatMemory, MemoryResult, ModelMemory
from precision.spec.cast_methods import usual_method


def measure_memory(task: Task) -> MemoryResult:
    """Bytes that a model stores in every format of the table, before it is loaded.

    Raises:
        InputError: no such model, its configuration is not available, or a lazy module was never run.
    """
    task.progress.step("Building the model without its values", 0.0)
    description = task.given.description if task.given else describe(task.spec.model)
    module = task.given.module if task.given else skeleton(task.spec.model)
    task.progress.step("Counting bytes", 0.7)
    require_initialised(module)
    memory = model_memory(module)
    model = description.model_copy(update={"parameters": memory.parameters})
    return MemoryResult(**dict(task.start()), model=model, memory=memory)


def model_memory(module: nn.Module) -> ModelMemory:
    """Bytes of every tensor that `module` stores, in float32 and in every format; `meta` tensors will do."""
    return ModelMemory(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        reference_bytes=_spans(copied(module).float()).total,
        formats=tuple(FormatMemory(format=fmt.name, stored_bytes=stored_bytes(module, fmt)) for fmt in ALL_FORMATS),
    )


def stored_bytes(module: nn.Module, fmt: AnyFormat) -> int:
    """Bytes that `module` would store in `fmt`, every byte of memory once.

    Cast by `.to(dtype)`, or, for formats with scales, weight matrices alone, as `casting.cast` does. Formats that torch
    cannot store count as if their values lay packed.
    """
    cast = copied(module)
    if fmt.has_dtype:
        return _spans(cast.to(storage_dtype(fmt))).total
    cast.to(holding_dtype(fmt)) if holding_dtype(fmt) == torch.float64 else cast.float()
    method = usual_method(fmt)
    spans, owners = _spans(cast), dict(cast.named_modules(remove_duplicate=False))
    total = spans.total
    for held in stored_tensors(cast):
        if (owned := spans.owned(held.fqn)) and is_held(held.tensor, held.kind, fmt, method):
            estimate = estimated_bytes(held.tensor, fmt, owners[held.module])
            total -= owned - round(estimate * owned / spans.size(held.fqn))
    return total


def _spans(module: nn.Module) -> MemorySpans:
    return MemorySpans((held.fqn, held.tensor) for held in stored_tensors(module))
