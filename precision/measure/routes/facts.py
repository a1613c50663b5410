"""What a route did to the stored tensors: summed up from the cast audit, and read off the model."""

from collections import Counter

import torch
from torch import nn

from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.casting.wrapped_tensors import same_bits, stored_dtype
from precision.measure.rounding import dtype_name
from precision.results import CastAudit, TensorAudit
from precision.results.routes import DtypeChange, IslandFacts, TensorGroup, TieFacts


def dtype_changes(audit: CastAudit) -> tuple[DtypeChange, ...]:
    """How many tensors of each group went from which dtype to which, in order of their first tensor."""
    counted = Counter((_group(row), row.dtype_before, row.dtype_after, row.rounded_to) for row in audit.tensors)
    return tuple(
        DtypeChange(group=group, before=before, after=after, rounded_to=rounded, tensors=tensors)
        for (group, before, after, rounded), tensors in counted.items()
    )


def _group(row: TensorAudit) -> TensorGroup:
    if row.kind == "attribute":
        return "plain attribute"
    if row.dtype_before.startswith("complex"):
        return "complex parameter or buffer"
    if row.kind == "parameter":
        return "parameter"
    return "floating buffer" if row.dtype_before.startswith(("float", "bfloat")) else "integer or bool buffer"


def tie_facts(audit: CastAudit, before: nn.Module, after: nn.Module) -> TieFacts:
    """How many ties the cast kept and how many it split."""
    tied = [(row.fqn, row.tied_to, row.tie_kept) for row in audit.tensors if row.tied_to is not None]
    old, new = ({held.fqn: held.tensor for held in stored_tensors(module)} for module in (before, after))
    return TieFacts(
        kept=sum(kept is True for _, _, kept in tied),
        split=sum(kept is False for _, _, kept in tied),
        separate_parameters=sum(
            bool(kept) and old[name] is old[first] and new[name] is not new[first] for name, first, kept in tied
        ),
    )


def imaginary_parts_lost(audit: CastAudit) -> int:
    """Complex tensors that are real after the cast."""
    return sum(
        row.dtype_before.startswith("complex") and not row.dtype_after.startswith("complex") for row in audit.tensors
    )


def max_relative_error(audit: CastAudit) -> float | None:
    """The largest of any rounded value; None where none was rounded."""
    errors = [
        row.stored.max_relative_error
        for row in audit.tensors
        if row.stored is not None and row.stored.max_relative_error is not None
    ]
    return max(errors, default=None)


def island_facts(module: nn.Module, audit: CastAudit, after_half: nn.Module | None) -> IslandFacts | None:
    """Which parameters that transformers keeps in float32 still are, after the cast and then after `.half()`.

    None where transformers names none. `after_half` is None where `.half()` raised.
    """
    names = sorted(
        {*(getattr(module, "_keep_in_fp32_modules", None) or ())}
        | {*(getattr(module, "_keep_in_fp32_modules_strict", None) or ())}
    )
    if not names:
        return None
    kept, of = _in_float32(module, names)
    rounded = {row.fqn for row in audit.tensors if row.dtype_after == "float32" and row.rounded_to is not None}
    return IslandFacts(
        names=tuple(names),
        kept=kept,
        lost=of - kept,
        kept_after_half=_in_float32(after_half, names)[0] if after_half is not None else None,
        rounded=sum(fqn in rounded for fqn, _ in _inside(module, names)),
    )


def _in_float32(module: nn.Module, names: list[str]) -> tuple[int, int]:
    """How many of the parameters inside modules of these names are in float32, and how many there are."""
    dtypes = [stored_dtype(parameter) for _, parameter in _inside(module, names)]
    return dtypes.count(torch.float32), len(dtypes)


def _inside(module: nn.Module, names: list[str]) -> list[tuple[str, nn.Parameter]]:
    """The parameters inside modules of these names, with their fqns."""
    return [
        (fqn, parameter)
        for fqn, parameter in module.named_parameters()
        if any(part in names for part in fqn.split("."))
    ]


def said_dtype(module: nn.Module) -> tuple[str, float] | None:
    """What `module.dtype` says, and the share of the floating-point parameters' elements that are stored in it."""
    said = getattr(module, "dtype", None)
    floating = [parameter for parameter in module.parameters() if parameter.is_floating_point()]
    elements = sum(parameter.numel() for parameter in floating)
    if not isinstance(said, torch.dtype) or not elements:
        return None
    true = sum(parameter.numel() for parameter in floating if stored_dtype(parameter) == said)
    return dtype_name(said), true / elements


def same_state(one: nn.Module, other: nn.Module) -> bool:
    """Whether both state dicts have the same names, dtypes and bits."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(same_bits(first[name], second[name]) for name in first)
