"""A cast copy of a model, and how it is run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from precision.errors import PrecisionError
from precision.formats import NumericFormat, ScaledFormat
from precision.measure.casting.forward import (
    arguments_named,
    explained,
    full_float32,
    fused_attention,
    map_tensors,
    seeded,
    watched,
)
from precision.measure.casting.frames import frame_of
from precision.measure.casting.kept_operators import KeptOperators
from precision.measure.casting.simulation import holds_matrix, quantized_inputs, rounded_tensor
from precision.results import Execution
from precision.spec.keep import Kept

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class CastModel:
    """A cast copy of a model, and how it is run.

    Every call runs on a copy of `stored` that shares only the parameters, with clones of the inputs, in eval
    mode, without gradients and with a fixed seed: nothing that a forward changes (buffers, cached tensors,
    its own inputs) reaches the next call. `no_grad` rather than `inference_mode`, so that outputs are ordinary tensors
    and a forward that differentiates inside still works.
    """

    stored: nn.Module
    """What the cast stores; never run itself, so its tensors are those right after the cast."""
    execution: Execution
    warnings: tuple[str, ...]
    """What torch warned of during the cast."""
    device: torch.device
    input_dtype: torch.dtype
    """Floating-point inputs are cast to it; others never are."""
    wide_inputs: frozenset[str | int] = frozenset()
    """Arguments that are left as they are given: places and names."""
    widened: bool = False
    """Whether parameters and floating buffers are widened to `input_dtype` at the start of every run."""
    rounded_to: NumericFormat | None = None
    """The format to which inputs and every module's outputs are rounded, where arithmetic is simulated."""
    quantized_to: ScaledFormat | None = None
    """The format to which the inputs of every module that holds a weight matrix are rounded."""
    autocast_dtype: torch.dtype | None = None
    kept_operators: KeptOperators | None = None
    """Operators that run in the reference's precision."""
    fused: bool = True
    """Whether fused kernels may skip the code of modules: not where modules have precisions of their own."""

    def __call__(
        self,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
        *,
        on_module: Callable[[str], None] | None = None,
    ) -> object:
        """The output of one forward pass, on `device`; tensors may be nested in tuples, lists and dicts.

        `on_module` is called with the fqn of each leaf module before it runs; a `PrecisionError` it raises ends the
        pass and is passed on as it is.

        Raises:
            ForwardError: the model raised; the message names the module.
            MemoryError: memory ran out (`torch.OutOfMemoryError` on an accelerator).
        """
        with seeded(self.device):
            return self.prepared(args, kwargs).explained(on_module)

    def keeping(self, operators: Iterable[Kept], *, reference: CastModel) -> CastModel:
        """The same with these operators in the reference's precision, besides those that it keeps already."""
        kept = KeptOperators(
            operators=(*(self.kept_operators.operators if self.kept_operators else ()), *operators),
            stored=reference.stored,
            wide=reference.input_dtype,
            low=None if self.autocast_dtype else self.input_dtype,
            device=self.device.type,
        )
        return replace(self, kept_operators=kept, fused=False)

    def prepared(self, args: tuple[object, ...] = (), kwargs: Mapping[str, object] | None = None) -> PreparedRun:
        """One forward pass, ready to be timed: a fresh copy and cast inputs; errors come out as they are."""
        cast_args, cast_kwargs = self._inputs(args, kwargs or {})
        return PreparedRun(
            model=self,
            module=self._fresh(),
            args=cast_args,
            kwargs=cast_kwargs,
            again=lambda: self.prepared(args, kwargs),
        )

    def _run(self, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        kept = self.kept_operators.in_run_of(module) if self.kept_operators else nullcontext()
        with torch.no_grad(), self._autocast(), full_float32(self.device), fused_attention(self.fused), kept:
            if self.widened:
                return torch.func.functional_call(module, self._wide(module), args, kwargs)
            return module(*args, **kwargs)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.autocast_dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.autocast_dtype)

    def _wide(self, module: nn.Module) -> dict[str, Tensor]:
        tensors = (*module.named_parameters(), *module.named_buffers())
        return {name: tensor.to(self.input_dtype) for name, tensor in tensors if tensor.is_floating_point()}

    def _fresh(self) -> nn.Module:
        """A copy of `stored` that shares its parameters and nothing else."""
        module = copy.deepcopy(self.stored, {id(parameter): parameter for parameter in self.stored.parameters()})
        for child in module.modules():
            if frame_of(child) is not None:  # which rounds by itself
                continue
            if self.rounded_to is not None:
                child.register_forward_hook(lambda _module, _inputs, output: self.rounded(output))
            if self.quantized_to is not None and holds_matrix(child):
                child.register_forward_pre_hook(self.quantized, with_kwargs=True)
        return module

    def _inputs(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        uncast = arguments_named(self.wide_inputs, args, kwargs)

        def moved(tensor: Tensor) -> Tensor:
            if id(tensor) in uncast or not tensor.is_floating_point():
                return tensor.detach().to(device=self.device, copy=True)
            return self.rounded(tensor.detach().to(device=self.device, dtype=self.input_dtype, copy=True))

        return map_tensors((tuple(args), dict(kwargs)), moved)

    def rounded(self, structure: T) -> T:
        """A copy of a structure whose floating-point tensors are rounded to `rounded_to`; itself without one."""
        fmt = self.rounded_to
        if fmt is None:
            return structure
        return map_tensors(structure, lambda tensor: rounded_tensor(tensor, fmt))

    def quantized(
        self, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """A call's inputs rounded to `quantized_to`."""
        fmt = self.quantized_to
        return (args, kwargs) if fmt is None else quantized_inputs(module, args, kwargs, fmt=fmt)


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedRun:
    """One forward pass with everything around it done. Called again, it runs on the same copy and inputs."""

    model: CastModel
    module: nn.Module
    """The copy that it runs."""
    args: tuple[object, ...]
    kwargs: dict[str, object]
    again: Callable[[], PreparedRun]
    """Makes another one that has not run."""

    def __call__(self) -> object:
        """The model's output."""
        return self.model._run(self.module, self.args, self.kwargs)

    def explained(self, on_module: Callable[[str], None] | None = None) -> object:
        """The model's output; errors come out as they do of a `CastModel`."""
        try:
            with watched(self.module, on_module):
                return self()
        except (PrecisionError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if "can't allocate memory" in str(error):
                raise MemoryError(str(error)) from error
            again = self.again()
            raise explained(error, self.module, again=again.module, run_again=again) from error
