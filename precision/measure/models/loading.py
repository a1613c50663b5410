"""From a run's spec to a module with its input, whatever the source."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from precision.measure.models.built import Batch, Built
from precision.measure.models.other_weights import give_weights
from precision.measure.models.own_data import with_data
from precision.models.catalogue import describe, entry_of
from precision.models.request import request_input
from precision.results import InputDescription, ModelDescription, StoredWeight
from precision.spec import INPUT, RunSpec


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run: `module(*args, **kwargs)`, in eval mode, on the CPU, in float32."""

    module: nn.Module
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    description: ModelDescription
    input: InputDescription
    labels: Tensor | None
    """True classes `(B,)` int64 of a labelled input, else None."""
    texts: tuple[str, ...] = ()
    """The sentence of each sample; empty where the input is no text."""
    tokenizer: Any = None
    """What made token ids of the texts; None where the input is no text."""
    warnings: tuple[str, ...] = ()
    stored: tuple[StoredWeight, ...] = ()
    """What a checkpoint stores its weights as; empty of other models."""
    more: Iterable[Batch] = ()
    """Batches after the first; read once."""
    mask: Tensor | str | None = None
    """`(texts, positions)`, not zero where there is data; or the argument that says so. None: see `padding`."""
    asked: Mapping[str, object] = field(default_factory=dict)
    """The settings of the spec that chose model and input, by name; empty of a caller's own module."""

    def named(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Mapping[str, object]:
        """The arguments of a call by name."""
        return {**dict(zip(argument_names(self.module), args, strict=False)), **kwargs}

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name} {dtype} {list(shape)}" for name, dtype, shape in self.input.tensors)
        return f"{self.description.title}, {self.description.parameters or 0:,} parameters, with {inputs or 'no input'}"


def load(spec: RunSpec) -> LoadedModel:
    """The model and the input that `spec` names. Equal specs give bit-equal weights and inputs.

    The random state, the default dtype and the thread count of the caller stay as they are.

    Raises:
        InputError: the model or its input is not available as asked; the message says what to do.
    """
    description = describe(spec.model)
    request = request_input(description, spec)
    with _isolated(spec.seed):
        built: Built = function_named(entry_of(spec.model).builder)(request)
        if request.data is not None:
            built = with_data(built, request)
    module = built.module.eval()
    warnings = (*built.warnings, *(give_weights(module, spec.own_weights) if spec.own_weights else ()))
    parameters = sum(parameter.numel() for parameter in module.parameters() if not is_lazy(parameter))
    return LoadedModel(
        module=module,
        args=built.args,
        kwargs=built.kwargs,
        description=description.model_copy(update={"parameters": parameters}),
        input=InputDescription(
            name=request.choice.name,
            real=request.choice.real,
            tensors=tuple(tensors_of(built.module, built.args, built.kwargs)),
        ),
        labels=built.labels,
        texts=built.texts,
        tokenizer=built.tokenizer,
        warnings=warnings,
        stored=built.stored,
        more=built.more,
        mask=built.mask,
        asked={name: getattr(spec, name) for name in ("model", *INPUT)},
    )


def skeleton(model_id: str) -> nn.Module:
    """The module that `load` would give, on torch's `meta` device, where tensors have a shape and take no memory.

    Only a checkpoint's configuration is read. Models of this package's own are so small that they are built and then
    moved.

    Raises:
        InputError: no such model, or no configuration for it.
    """
    path = entry_of(model_id).skeleton
    module: nn.Module = function_named(path)(model_id) if path else load(RunSpec(model=model_id)).module.to("meta")
    return module


def function_named(path: str) -> Any:
    """A function by its place: `module:name` in this folder, or with the module's full name."""
    return resolve_name(path if path.startswith("precision.") else f"precision.measure.models.{path}")


@contextmanager
def _isolated(seed: int) -> Iterator[None]:
    """Seeded float32 building on the CPU that leaves no trace in torch's process-wide settings."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.set_default_dtype(torch.float32)
            # Not torch.manual_seed, which would seed the generators of all other devices too.
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


def tensors_of(
    module: nn.Module, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Name, dtype and shape of each tensor that a module is called with."""
    for name, value in (*zip(argument_names(module), args, strict=False), *kwargs.items()):
        if isinstance(value, Tensor):
            yield name, str(value.dtype).removeprefix("torch."), tuple(value.shape)


def argument_names(module: nn.Module) -> Iterator[str]:
    """What `forward` calls its arguments by place; `input 3` for the third where it does not say."""
    try:
        parameters = [*inspect.signature(module.forward).parameters.values()]
    except ValueError:  # a TorchScript module's has none
        parameters = []
    named = [each.name for each in parameters if each.kind is not inspect.Parameter.VAR_POSITIONAL]
    return chain(named, (f"input {place}" for place in count(len(named) + 1)))
