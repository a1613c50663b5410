"""Gradients of random combinations of a model's outputs, at the output of every layer."""

import copy
import functools
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from precision.errors import PrecisionError
from precision.measure.casting.cast_model import CastModel, PreparedRun
from precision.measure.casting.forward import full_float32, map_tensors, seeded, shortened
from precision.measure.metrics.outputs import flatten
from precision.measure.sensitivity.exact import Reads
from precision.measure.sensitivity.layers import Structure, floating_tensors, hooked

PROBES = 32
"""Random vectors wanted for each layer: an estimate from so many is off by a quarter (standard deviation)."""
PASSES = (4, 16)
"""Fewest and most backward passes of random vectors: a layer whose samples mix has one probe from each."""
MOST_OUTPUTS = 16
"""So many outputs, in all or of each sample, have a backward pass each, and nothing is drawn at random."""
_SEED = 0


class NotDifferentiableError(PrecisionError):
    """Gradients do not tell how this model's output depends on its layers; the message says why."""


Directions = Literal["random", "outputs of a sample", "outputs"]
"""What backward passes start from: random vectors; one output of every sample at once, with random signs; or one output
of all."""


class Tap(NamedTuple):
    """One floating-point tensor that a layer returned."""

    fqn: str
    call: int
    place: int
    """Among the floating-point tensors of that output."""


@dataclass(frozen=True, kw_only=True)
class Adjoint:
    """What the output does when a layer's output changes a little, seen from random directions.

    With v ~ N(0, I) and g the gradient of v·y at a layer's output, an error e there moves the output y by J e to first
    order, and (g·e)² has the expectation |J e|². Where the samples of a batch do not mix, every sample is a probe of
    its own.

    Source: M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix" (1990); H. Menon et al.,
    "ADAPT: algorithmic differentiation applied to floating-point precision tuning" (SC 2018).
    """

    gradients: Mapping[Tap, tuple[Tensor, ...]]
    """For each pass; absent where the output does not depend on that tensor."""
    sample_dims: Mapping[Tap, int]
    """The dimension along which samples do not mix; absent where they do, or where there is one sample."""
    samples: int
    passes: int
    """Probes of a layer whose samples mix."""
    backward_passes: int
    directions: Directions

    @property
    def probes(self) -> int:
        """Of a layer whose samples do not mix."""
        return self.passes * (1 if self.directions == "outputs" else self.samples)

    def is_sampled(self, tap: Tap) -> bool:
        """Whether other random numbers would give this tensor's errors another size."""
        return self.directions == "random" or (self.directions == "outputs of a sample" and tap not in self.sample_dims)


@dataclass
class _Taps:
    """The tapped tensors of one forward pass, and the gradients of the backward pass under way."""

    anchor: Tensor
    recording: bool = True
    seen: list[Tap] = field(default_factory=list)
    gradients: dict[Tap, Tensor] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def after(self, fqn: str, inputs: Structure, output: object) -> object:
        """The output with every floating tensor in the graph, and a hook on its gradient."""
        call, place = self.calls[fqn], 0
        self.calls[fqn] += self.recording
        handed_in = {id(tensor) for tensor in floating_tensors(inputs)}

        def tapped(tensor: Tensor) -> Tensor:
            nonlocal place
            if not tensor.is_floating_point():
                return tensor
            if not tensor.requires_grad or id(tensor) in handed_in:
                with torch.enable_grad():
                    tensor = tensor + self.anchor
            if self.recording:  # not when torch.utils.checkpoint runs it again
                tap = Tap(fqn, call, place)
                self.seen.append(tap)
                tensor.register_hook(  # type: ignore[no-untyped-call]
                    lambda gradient: self.gradients.__setitem__(tap, gradient.detach())
                )
            place += 1
            return tensor

        return map_tensors(output, tapped)


def _all_tensors(output: object) -> tuple[Tensor, ...]:
    return flatten(output, detached=False).magnitudes()


def adjoint_of(
    reference: CastModel,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    *,
    layers: Collection[str],
    on_pass: Callable[[float], None],
    read: Reads = _all_tensors,
) -> Adjoint:
    """One forward pass with gradients, and backward passes of random combinations of its outputs.

    Parameters need no gradient: the graph begins at the first floating-point outputs of layers, so that integer inputs
    do not matter. The gradients at all layers' outputs are kept, for every pass: as many numbers as all activations
    times `passes`. The first two passes are of the first sample and of all others, which shows whether samples mix.

    `layers` are their fqns. `on_pass` is told the share done (0 to 1) before every pass, and may raise to stop.

    Raises:
        NotDifferentiableError: an operator or a dtype in it has no gradient, or the output depends on a layer by a way
            that has none, such as an index.
    """
    on_pass(0.0)
    run = reference.prepared(args, kwargs)
    module = _without_gradients(run.module)
    # Adding -0 changes no number, not even -0.
    taps = _Taps(torch.tensor(-0.0, dtype=reference.input_dtype, device=reference.device, requires_grad=True))
    try:
        with (
            seeded(reference.device),
            full_float32(reference.device),
            torch.enable_grad(),
            hooked(_modules(module, layers), after=taps.after),
        ):
            output = module(*run.args, **run.kwargs)
            taps.recording = False
            outputs = tuple(tensor for tensor in read(output) if tensor.requires_grad)
            if not outputs:
                raise NotDifferentiableError("No floating-point output has a gradient.")
            found = _backward_passes(outputs, taps, on_pass=on_pass)
    except (PrecisionError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise NotDifferentiableError(f"It cannot be differentiated: {shortened(str(error))}") from error
    del output, outputs
    hidden = [tap for tap in taps.seen if tap not in found.gradients]
    if hidden and _depends_on(frozenset(hidden), reference, args, kwargs, layers=layers, read=read):
        names = ", ".join(dict.fromkeys(tap.fqn for tap in hidden))
        raise NotDifferentiableError(f"The output depends on layers that no gradient reaches: {shortened(names)}")
    return found


def _modules(module: nn.Module, layers: Collection[str]) -> dict[str, nn.Module]:
    return {fqn: module.get_submodule(fqn) for fqn in layers}


def _without_gradients(module: nn.Module) -> nn.Module:
    """A copy whose parameters are the same memory, and need no gradient."""
    memo: dict[int, object] = {
        id(parameter): nn.Parameter(parameter.detach(), requires_grad=False) for parameter in module.parameters()
    }
    return copy.deepcopy(module, memo)


@dataclass
class _Passes:
    """Backward passes over one graph."""

    outputs: Sequence[Tensor]
    taps: _Taps
    on_pass: Callable[[float], None]
    done: int = 0
    planned: int = 0

    def gradients_of(self, vectors: Iterable[Tensor]) -> dict[Tap, Tensor]:
        """The gradients of the sum of all vectors times outputs, where there are any."""
        self.on_pass(self.done / (self.planned + 1) if self.planned else 0.05)
        self.done += 1
        self.taps.gradients = {}
        torch.autograd.grad(self.outputs, self.taps.anchor, tuple(vectors), retain_graph=True, allow_unused=True)
        return self.taps.gradients


def _backward_passes(outputs: Sequence[Tensor], taps: _Taps, *, on_pass: Callable[[float], None]) -> Adjoint:
    generator = torch.Generator().manual_seed(_SEED)
    samples, elements = _samples(outputs), sum(output.numel() for output in outputs)
    run = _Passes(outputs, taps, on_pass)
    kept: dict[Tap, list[Tensor]] = {}
    dims: dict[Tap, int] = {}
    directions: Directions = "outputs" if 0 < elements <= MOST_OUTPUTS else "random"
    if samples > 1 and directions == "random":
        dims, kept = _look_for_samples(run, samples, generator)
    are_apart = 2 * len(dims) >= max(len(kept), 1)
    if samples > 1 and are_apart and 0 < elements <= MOST_OUTPUTS * samples and directions == "random":
        directions = "outputs of a sample"
    starts: Iterable[list[Tensor]]
    if directions == "random":
        fewest, most = PASSES
        passes = min(max(-(-PROBES // (samples if are_apart else 1)), fewest), most)
        run.planned = run.done + passes - bool(kept)
        starts = (_random_vectors(outputs, generator) for _ in range(run.done, run.planned))
    else:
        kept = {}
        starts = _unit_vectors(outputs, 1 if directions == "outputs" else samples, generator)
        passes = len(starts)
        run.planned = run.done + passes
    for vectors in starts:
        for tap, gradient in run.gradients_of(vectors).items():
            kept.setdefault(tap, []).append(gradient)
    return Adjoint(
        gradients={tap: tuple(gradients) for tap, gradients in kept.items()},
        sample_dims=dims,
        samples=samples,
        passes=passes,
        backward_passes=run.done,
        directions=directions,
    )


def _look_for_samples(
    run: _Passes, samples: int, generator: torch.Generator
) -> tuple[dict[Tap, int], dict[Tap, list[Tensor]]]:
    """By two passes, the dimension of each tensor along which samples do not mix, and gradients of a random vector."""
    chosen = torch.arange(samples) == 0
    vectors = _random_vectors(run.outputs, generator)
    one, other = [run.gradients_of(map(_of_samples, vectors, [mask] * len(vectors))) for mask in (chosen, ~chosen)]
    dims: dict[Tap, int] = {}
    whole: dict[Tap, list[Tensor]] = {}
    for tap in dict.fromkeys((*one, *other)):
        both = ((one.get(tap), ~chosen), (other.get(tap), chosen))
        parts = [(part, others) for part, others in both if part is not None]
        if (dim := _sample_dim(parts, samples)) is not None:
            dims[tap] = dim
        whole[tap] = [functools.reduce(torch.add, (part for part, _ in parts))]
    return dims, whole


def _samples(outputs: Sequence[Tensor]) -> int:
    """The size of the first dimension, where all outputs agree on it; 1 otherwise."""
    sizes = {output.shape[0] if output.dim() else 1 for output in outputs}
    return max(sizes.pop(), 1) if len(sizes) == 1 else 1


def _random_vectors(outputs: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """v ~ N(0, I); 0 where the output is not finite."""
    return [
        _where_finite(torch.randn(output.shape, generator=generator, dtype=torch.float32).to(output), output)
        for output in outputs
    ]


def _unit_vectors(outputs: Sequence[Tensor], samples: int, generator: torch.Generator) -> list[list[Tensor]]:
    """One for each output of a sample, for all samples at once, with random signs; 0 as above.

    Each is as long as the root of their number, so that means over them are sums.
    """
    widths = [output.numel() // samples for output in outputs]
    starts = []
    for place, width in enumerate(widths):
        for at in range(width):
            signs = torch.randint(0, 2, (samples,), generator=generator) * 2.0 - 1.0
            vectors = [torch.zeros(output.shape).to(output) for output in outputs]
            vectors[place].view(samples, width)[:, at] = signs.to(vectors[place]) * sum(widths) ** 0.5
            starts.append([_where_finite(v, output) for v, output in zip(vectors, outputs, strict=True)])
    return starts


def _where_finite(vector: Tensor, output: Tensor) -> Tensor:
    return vector.masked_fill_(~torch.isfinite(output.detach()), 0.0)


def _of_samples(vector: Tensor, mask: Tensor) -> Tensor:
    return vector * mask.to(vector).reshape(-1, *[1] * (vector.dim() - 1))


def _sample_dim(parts: Sequence[tuple[Tensor, Tensor]], samples: int) -> int | None:
    """The dimension along which no part of the samples has a gradient at the others; each comes with their mask."""
    for dim in (dim for dim, size in enumerate(parts[0][0].shape) if size == samples):
        if not any(part.movedim(dim, 0)[others.to(part.device)].count_nonzero() for part, others in parts):
            return dim
    return None


def _depends_on(
    taps: Collection[Tap],
    reference: CastModel,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    *,
    layers: Collection[str],
    read: Reads,
) -> bool:
    """Whether the output changes, or the model fails, where these tensors are random numbers of about their size."""
    expected = _shaken((), reference.prepared(args, kwargs), layers=layers, read=read)
    try:
        found = _shaken(taps, reference.prepared(args, kwargs), layers=layers, read=read)
    except Exception:  # noqa: BLE001 - whatever it raises, it depends on them
        return True
    return len(found) != len(expected) or any(
        not torch.equal(one.nan_to_num(), other.nan_to_num()) for one, other in zip(expected, found, strict=True)
    )


def _shaken(taps: Collection[Tap], run: PreparedRun, *, layers: Collection[str], read: Reads) -> tuple[Tensor, ...]:
    """The outputs of a run in which random numbers take the place of these tensors."""
    calls = Counter[str]()
    generator = torch.Generator().manual_seed(_SEED)

    def shake(fqn: str, _inputs: Structure, output: object) -> object:
        places = itertools.count()
        call = calls[fqn]
        calls[fqn] += 1

        def other(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point() or Tap(fqn, call, next(places)) not in taps:
                return tensor
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float32).to(tensor)
            size = tensor.nan_to_num(0, 0, 0).square().mean().sqrt()
            return noise * torch.where(size > 0, size, 1.0)

        return map_tensors(output, other)

    with seeded(run.model.device), hooked(_modules(run.module, layers), after=shake):
        return read(run())
