"""What every source of models returns: a module with its input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from precision.results import StoredWeight

if TYPE_CHECKING:
    from precision.measure.models.samples import Samples


class Batch(NamedTuple):
    """The arguments of one call."""

    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    labels: Tensor | None
    """True classes `(B,)`, where the batch has them."""


@dataclass(frozen=True)
class Built:
    """A module and the arguments to call it with."""

    module: nn.Module
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    labels: Tensor | None = None
    """True classes `(B,)` int64, where the input has them."""
    texts: tuple[str, ...] = ()
    """The sentences that were tokenized, one for each sample; empty where the input is no text."""
    tokenizer: Any = None
    """What made token ids of the texts; None where the input is no text."""
    stored: tuple[StoredWeight, ...] = ()
    """What a checkpoint stores its weights as; empty of other models."""
    warnings: tuple[str, ...] = ()
    """What a person must know of this module, such as weights that its checkpoint lacks."""
    more: Iterable[Batch] = ()
    """Batches after the first."""
    mask: Tensor | str | None = None
    """As `LoadedModel.mask`."""
    read: Callable[[Samples, int | None], Iterator[Built]] | None = None
    """Samples as arguments, so many at a time; None of a module that takes arrays alone."""
