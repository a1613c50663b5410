"""What every layer's own error in a format does to the output: its local errors, seen through the adjoint."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from precision.errors import PrecisionError
from precision.formats import AnyFormat, NumericFormat
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.crossing import Roundings, is_plain
from precision.measure.casting.forward import fused_attention, is_leaf, map_tensors, seeded, shortened
from precision.measure.casting.frames import frame_of
from precision.measure.casting.simulation import holds_matrix, rounded_tensor
from precision.measure.lockstep.values import version_of
from precision.measure.rounding import storage_dtype
from precision.measure.sensitivity.adjoint import Adjoint, Tap
from precision.measure.sensitivity.layers import Structure, floating_tensors, hooked
from precision.measure.sensitivity.trust import Sizes

FEWEST_PROBES = 8
"""With fewer, a squared error comes out less than a quarter of what it is more often than once in fifty."""
_QUICK_S = 0.002
"""A native layer's call that took less is timed once more, since the first may have to prepare itself."""


class Estimate(NamedTuple):
    """A squared error, summed over the outputs' elements."""

    value: float
    standard_error: float | None
    """None for fewer than two probes."""


@dataclass(kw_only=True)
class LocalError:
    """One layer in one format, over all of its calls."""

    products: list[Tensor] = field(default_factory=list)
    """g·e of each tensor, for each pass and sample `(passes, samples)`, or `(passes, 1)` where samples mix."""
    handed_products: list[Tensor] = field(default_factory=list)
    """The same where an input that another layer hands on is in the format already: its rounding is not counted."""
    is_sampled: bool = False
    """Whether any of them comes from random directions."""
    takes_from: set[str] = field(default_factory=set)
    """The layers that hand it an input, where its own output is a number format's values."""
    sizes: Sizes = field(default_factory=Sizes)
    """Where there is an adjoint."""
    passes_on: bool = True
    """Whether its output holds values of its input and zeros alone, as far as rounding both in turn tells."""
    nonfinite: int = 0
    failure: str | None = None
    """What the layer raised in this format."""
    low_s: float = 0.0
    reference_s: float = 0.0

    @property
    def is_finite(self) -> bool:
        """Whether the layer ran, and its output is finite where the reference's is."""
        return not self.nonfinite and self.failure is None

    @property
    def is_rough(self) -> bool:
        """Whether so few random probes were taken that neither the estimate nor its standard error tells much."""
        return self.is_sampled and bool(self.products) and summed(self.products).numel() < FEWEST_PROBES

    def estimate(self, *, handed: bool = False) -> Estimate | None:
        """What the layer alone adds to the squared error of the output; None where it is not finite.

        With `handed`, what it adds where the inputs that other layers hand it are in the format already.
        """
        products = self.handed_products if handed else self.products
        if not self.is_finite:
            return None
        if not products:
            return Estimate(0.0, 0.0)
        squares = summed(products).square()
        if not bool(torch.isfinite(squares).all()):
            return None
        samples, probes = squares.shape[1], squares.numel()
        spread = samples * float(squares.std()) / probes**0.5 if probes > 1 else None
        return Estimate(samples * float(squares.mean()), spread if self.is_sampled else 0.0)


def summed(products: Sequence[Tensor]) -> Tensor:
    """Over all tensors; over the samples too where those of one tensor are."""
    apart = min(product.shape[1] for product in products)
    return torch.stack([each if apart > 1 else each.sum(1, keepdim=True) for each in products]).sum(0)


class _Handed(NamedTuple):
    """A tensor that a layer returned."""

    storage: StorageWeakRef
    version: int | None
    fqn: str


@dataclass(kw_only=True)
class _Call:
    """A layer's call under way in the reference."""

    fqn: str
    entered: float
    """When it was seen, in seconds."""
    inputs: Structure = ((), {})
    rounded: Structure | None = None
    """With what other layers hand it in the format."""
    givers: set[str] = field(default_factory=set)
    random: Tensor | None = None
    """The state of the random numbers, where modules inside may draw some."""
    began: float = 0.0
    apart_s: float = 0.0
    """Of that time, what measuring the layers inside took, with their own calls."""
    inside_s: float = 0.0
    """What their own calls took."""


@dataclass(kw_only=True)
class LocalErrors:
    """Watches a pass of the reference, and runs every layer in the format too, on the inputs that it is handed."""

    reference: CastModel
    lowered: Mapping[str, nn.Module]
    """Every layer in the format, which casts its inputs and outputs by itself."""
    crossed: Mapping[str, nn.Module] = field(default_factory=dict)
    """The layers with modules inside, in the reference, but given values of the format by what is around and inside."""
    fmt: AnyFormat
    adjoint: Adjoint | None
    """Without one only times and non-finite elements are measured."""
    on_layer: Callable[[str], None]
    found: dict[str, LocalError] = field(default_factory=dict)
    _calls: Counter[str] = field(default_factory=Counter)
    _running: list[_Call] = field(default_factory=list)
    _handed: dict[int, _Handed] = field(default_factory=dict)
    _exact: nn.Module = field(default_factory=nn.Module)

    def run(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, LocalError]:
        """The errors of every layer that is called, by fqn."""
        run = self.reference.prepared(args, kwargs)
        self._exact = self.reference.prepared().module
        layers = {name: run.module.get_submodule(name) for name in self.lowered}
        with seeded(self.reference.device), hooked(layers, before=self._before, after=self._after):
            run()
        return self.found

    def _before(self, fqn: str, inputs: Structure) -> None:
        self.on_layer(fqn)
        call = _Call(fqn=fqn, entered=self._now())
        self._running.append(call)
        if self._is_changed(fqn):
            call.givers = {giver for tensor in floating_tensors(inputs) if (giver := self._giver(tensor)) is not None}
            call.givers.discard(fqn)
            if call.givers and self.adjoint and isinstance(self.fmt, NumericFormat):
                call.rounded = map_tensors(inputs, self._as_handed)
            # Cloned, as the layer may overwrite them.
            call.inputs = map_tensors(inputs, torch.clone)
            call.random = None if is_leaf(self.lowered[fqn]) else torch.get_rng_state()
        call.began = self._now()

    def _after(self, fqn: str, _inputs: Structure, output: object) -> None:
        call = self._running.pop()
        error = self.found.setdefault(fqn, LocalError())
        took = self._now() - call.began - call.apart_s + call.inside_s
        error.reference_s += took - call.inside_s
        at = self._calls[fqn]
        self._calls[fqn] += 1
        outputs = floating_tensors(output)
        self._hand_on(fqn, outputs)
        if self._is_changed(fqn):
            try:
                with self._random_as_at(call):
                    self._measure(error, call, at, outputs)
            except (PrecisionError, MemoryError, torch.OutOfMemoryError):
                raise
            except Exception as raised:  # noqa: BLE001 - whatever the layer raises in this format is its result
                error.failure = shortened(str(raised)) or type(raised).__name__
        if self._running:
            around = self._running[-1]
            around.givers.add(fqn)
            around.inside_s += took
            around.apart_s += self._now() - call.entered

    @contextmanager
    def _random_as_at(self, call: _Call) -> Iterator[None]:
        """Random numbers are those that the call began with, and go on afterwards as they would have."""
        if call.random is None:
            yield
            return
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(call.random)
            yield

    def _measure(self, error: LocalError, call: _Call, at: int, outputs: tuple[Tensor, ...]) -> None:
        roundings = Roundings()
        with roundings.noted():
            low = self._run_low(error, call)
        exact = outputs
        crossed = self.crossed.get(call.fqn)
        if call.rounded is not None or (crossed is not None and call.givers and self.adjoint):
            module = crossed or self._exact.get_submodule(call.fqn)
            args, kwargs = call.rounded or map_tensors(call.inputs, torch.clone)
            with self._random_as_at(call), roundings.repeated():
                exact = floating_tensors(module(*args, **kwargs))
            error.takes_from |= call.givers
            error.passes_on &= crossed is None and all(map(torch.equal, exact, map(self._in_format, outputs)))
        else:
            error.passes_on = False
        for place, (r, y, same) in enumerate(zip(outputs, low, exact, strict=True)):
            difference, nonfinite = _difference(y, r)
            error.nonfinite += nonfinite
            tap = Tap(call.fqn, at, place)
            if self.adjoint is None:
                continue
            error.sizes.add(r if is_plain(r) else r.to_dense(), difference)
            if (gradients := self.adjoint.gradients.get(tap)) is None:
                continue
            error.is_sampled |= self.adjoint.is_sampled(tap)
            dim = self.adjoint.sample_dims.get(tap)
            alone = _products(gradients, difference, dim)
            error.products.append(alone)
            # What is handed on unchanged has no error of its own.
            is_alone = same is r or not bool(difference.any())
            error.handed_products.append(alone if is_alone else _products(gradients, _difference(y, same)[0], dim))

    def _is_changed(self, fqn: str) -> bool:
        """Whether the layer computes differently in the format; with scales, only those that hold a matrix do."""
        layer, frame = self.lowered[fqn], frame_of(self.lowered[fqn])
        if isinstance(self.fmt, NumericFormat) or frame is None or frame.side.dtype != frame.base.dtype:
            return True
        return holds_matrix(layer)

    def _run_low(self, error: LocalError, call: _Call) -> tuple[Tensor, ...]:
        output, seconds = self._timed(call)
        if self.fmt.computes and seconds < _QUICK_S and call.random is None:
            seconds = min(seconds, self._timed(call)[1])
        error.low_s += max(seconds - call.inside_s, 0.0)
        return floating_tensors(output)

    def _timed(self, call: _Call) -> tuple[object, float]:
        args, kwargs = map_tensors(call.inputs, torch.clone)
        began = self._now()
        with fused_attention(False):
            output: object = self.lowered[call.fqn](*args, **kwargs)
        return output, self._now() - began

    def _now(self) -> float:
        if self.reference.device.type != "cpu":
            torch.get_device_module(self.reference.device).synchronize(self.reference.device)
        return time.perf_counter()

    def _hand_on(self, fqn: str, outputs: tuple[Tensor, ...]) -> None:
        for tensor in filter(is_plain, outputs):
            storage = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
            self._handed[storage.cdata] = _Handed(storage, version_of(tensor), fqn)

    def _giver(self, tensor: Tensor) -> str | None:
        """The layer that returned what the tensor holds, perhaps in another shape; else the layer whose code calls.

        None without either: of the inputs of the model.
        """
        handed = self._handed.get(tensor.untyped_storage()._cdata) if is_plain(tensor) else None
        if handed is None or handed.storage.expired() or version_of(tensor) != handed.version:  # type: ignore[no-untyped-call]
            return self._running[-2].fqn if len(self._running) > 1 else None
        return handed.fqn

    def _as_handed(self, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point() or self._giver(tensor) is None:
            return tensor.clone()
        return self._in_format(tensor)

    def _in_format(self, tensor: Tensor) -> Tensor:
        """Values of the format, in the tensor's own dtype."""
        if self.fmt.computes and isinstance(self.fmt, NumericFormat):
            return tensor.to(storage_dtype(self.fmt)).to(tensor.dtype)
        return rounded_tensor(tensor, self.fmt)


def _difference(y: Tensor, r: Tensor) -> tuple[Tensor, int]:
    """y - r, 0 where r is not finite; and how many elements of y are not, where r is."""
    if not (is_plain(y) and is_plain(r)):
        y, r = y.to_dense(), r.to_dense()
    difference = y - r
    if bool(torch.isfinite(difference.sum())):
        return difference, 0
    finite = torch.isfinite(r)
    return torch.where(finite, difference, 0.0), int((finite & ~torch.isfinite(y)).sum())


def _products(gradients: tuple[Tensor, ...], error: Tensor, dim: int | None) -> Tensor:
    """g·e `(passes, samples)` in float64; `(passes, 1)` without a dimension of samples."""

    def rows(tensor: Tensor) -> Tensor:
        tensor = tensor if is_plain(tensor) else tensor.to_dense()
        return tensor.reshape(1, -1) if dim is None else tensor.movedim(dim, 0).reshape(tensor.shape[dim], -1)

    e = rows(error)
    return torch.stack([torch.linalg.vecdot(rows(gradient).to(e.dtype), e) for gradient in gradients]).double().cpu()
