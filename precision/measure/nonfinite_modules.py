"""In which modules infinities and NaNs appear, and what is said of the reference's own."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from precision.errors import ForwardError
from precision.findings.origins import reference_nonfinite_text
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import map_tensors, seeded
from precision.measure.metrics.decisions import masked_classes
from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import Flattened, Leaf, paired
from precision.spec.regimes import THE_INPUT


def watched(model: CastModel, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[object, tuple[str, ...]]:
    """A run's output, and where infinities and NaNs appear though all that went in is finite: fqns, in order."""
    run = model.prepared(args, kwargs)
    places = [THE_INPUT] if _all_finite((args, kwargs)) and not _all_finite((run.args, run.kwargs)) else []
    names = {id(child): name for name, child in run.module.named_modules()}

    def look(child: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object) -> None:
        if id(child) in names and not _all_finite(output) and _all_finite((args, kwargs)):
            places.append(names[id(child)])

    with register_module_forward_hook(look, with_kwargs=True), seeded(model.device):
        return run.explained(), tuple(places)


def reference_warnings(
    reference: CastModel, args: tuple[object, ...], kwargs: dict[str, object], outputs: Sequence[Tensor]
) -> tuple[str, ...]:
    """That the reference's own outputs are infinite or NaN, and where that begins; nothing where they are finite.

    Runs the reference once more where they are not.
    """
    elements, count = _counted(tuple(outputs))
    if not count:
        return ()
    try:
        _, places = watched(reference, args, kwargs)
    except (ForwardError, MemoryError, torch.OutOfMemoryError):
        places = ()
    return (reference_nonfinite_text(count, elements, begins_in=places[0] if places else None),)


def without_masked_classes(reference: Flattened, candidate: Flattened, *, known: Known) -> list[Tensor]:
    """The reference's tensors; of class scores, zeros instead of the -inf by which both sides mask classes."""
    others = {leaf.path: twin.tensor for leaf, twin in paired(reference, candidate).pairs}
    found = []
    for leaf in reference.leaves:
        masked = _masked(leaf, others[leaf.path], known) if leaf.path in others else None
        found.append(leaf.tensor if masked is None else leaf.tensor.masked_fill(masked, 0.0))
    return found


def masked_elements(pairs: Iterable[tuple[Leaf, Leaf]], *, known: Known) -> int:
    """Elements of class scores, of reference and candidate, that both sides mask by -inf."""
    found = (_masked(reference, candidate.tensor, known) for reference, candidate in pairs)
    return sum(int(masked.sum()) for masked in found if masked is not None)


def _masked(reference: Leaf, candidate: Tensor, known: Known) -> Tensor | None:
    """Where both sides mask a class; None where the reference is finite or has no scores of classes."""
    if _all_finite(reference.tensor) or known.taken(reference).kind.decides != "classes":
        return None
    return masked_classes(reference.tensor, candidate.to(reference.tensor))


def _all_finite(structure: object) -> bool:
    return not _counted(structure)[1]


def _counted(structure: object) -> tuple[int, int]:
    """Elements of all floating-point tensors, and how many of them are not finite."""
    elements = nonfinite = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal elements, nonfinite
        if tensor.is_floating_point():
            elements += tensor.numel()
            nonfinite += int((~tensor.float().isfinite()).sum())
        return tensor

    map_tensors(structure, count)
    return elements, nonfinite
