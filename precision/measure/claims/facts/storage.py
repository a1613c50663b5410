"""What both calls do to the tensors that a model stores."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from precision.measure.casting.memory_spans import MemorySpans
from precision.measure.casting.methods import collected_warnings, copied
from precision.measure.casting.stored_tensors import StoredTensor, stored_tensors
from precision.measure.casting.wrapped_tensors import same_bits
from precision.measure.claims.shown.calls import CALLS, Call
from precision.measure.claims.shown.settings import settings_of
from precision.measure.rounding import dtype_name
from precision.results import TensorKind


@dataclass(frozen=True, kw_only=True)
class CastTensor:
    """One stored tensor before and after either call."""

    fqn: str
    kind: TensorKind
    before: str
    """dtype, as the two after it."""
    half: str
    to: str
    same: bool
    """Bit for bit, after both calls."""
    elements: int
    kept_by_round_trip: int
    """Elements that `half()` and then `float()` leave as they were."""

    @property
    def is_floating(self) -> bool:
        """Whether it is of a dtype that both calls cast."""
        return self.before in ("float64", "float32", "bfloat16", "float16")

    @property
    def is_complex(self) -> bool:
        """Whether it holds complex numbers before."""
        return self.before.startswith("complex")

    @property
    def named(self) -> str:
        """Its name and dtype before."""
        return f"{self.fqn} ({self.before})"


@dataclass(frozen=True, kw_only=True)
class CastSeen:
    """What one call did to a copy of the model."""

    returned_model: bool
    """Whether it returned the object that it was called on."""
    changed: int
    """Tensors of that object with another dtype than before."""
    total_bytes: int
    warnings: tuple[str, ...]
    settings_changed: tuple[str, ...]
    """Names of settings and hooks that differ afterwards."""


@dataclass(frozen=True, kw_only=True)
class StorageFacts:
    """A model before and after either call."""

    tensors: tuple[CastTensor, ...]
    bytes_before: int
    half: CastSeen
    to: CastSeen
    settings: int
    """How many were looked at."""

    @property
    def parameters(self) -> tuple[CastTensor, ...]:
        """The parameters."""
        return tuple(held for held in self.tensors if held.kind == "parameter")

    @property
    def buffers(self) -> tuple[CastTensor, ...]:
        """The buffers, in checkpoints or not."""
        return tuple(held for held in self.tensors if held.kind in ("buffer", "non-persistent buffer"))


def storage_facts(module: nn.Module) -> StorageFacts:
    """Cast a copy of `module` by either call, and look at every tensor."""
    under_first_name: dict[int, StoredTensor] = {}
    for held in stored_tensors(module):
        under_first_name.setdefault(id(held.tensor), held)
    once = tuple(under_first_name.values())
    before = {held.fqn: held.tensor for held in once}
    settings = settings_of(module)
    copies = {name: copied(module) for name in CALLS}
    seen = {name: _cast(copies[name], call, before, settings) for name, call in CALLS.items()}
    half, to = (_tensors(copies[name]) for name in CALLS)
    return StorageFacts(
        tensors=tuple(
            CastTensor(
                fqn=held.fqn,
                kind=held.kind,
                before=dtype_name(held.tensor.dtype),
                half=dtype_name(half[held.fqn].dtype),
                to=dtype_name(to[held.fqn].dtype),
                same=same_bits(half[held.fqn], to[held.fqn]),
                elements=held.tensor.numel(),
                kept_by_round_trip=_unchanged(held.tensor, half[held.fqn]),
            )
            for held in once
        ),
        bytes_before=MemorySpans(before.items()).total,
        half=seen["half()"],
        to=seen["to(torch.float16)"],
        settings=len(settings),
    )


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {held.fqn: held.tensor for held in stored_tensors(module)}


def _cast(module: nn.Module, call: Call, before: Mapping[str, Tensor], settings: Mapping[str, object]) -> CastSeen:
    with collected_warnings() as said:
        returned = call(module)
    after, settings_after = _tensors(module), settings_of(module)
    return CastSeen(
        returned_model=returned is module,
        changed=sum(after[name].dtype != tensor.dtype for name, tensor in before.items()),
        total_bytes=MemorySpans(after.items()).total,
        warnings=tuple(dict.fromkeys(said)),
        settings_changed=tuple(name for name in settings if settings[name] != settings_after.get(name)),
    )


def _unchanged(before: Tensor, after: Tensor) -> int:
    back = after.detach().to(before.dtype)
    same = (before.detach() == back) | ((before.detach() != before.detach()) & (back != back))
    return int(same.sum())
