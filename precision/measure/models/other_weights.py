"""Weights of a user's own for a model that is there already: which tensors match by name and shape, which do not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor, nn

from precision.errors import InputError
from precision.measure.models.foreign_files import explained, shown
from precision.measure.models.hub import locate
from precision.measure.models.own_data import named_file
from precision.measure.models.pretrained.build import filled_in
from precision.measure.models.quiet import quiet_transformers
from precision.measure.models.safetensors_header import StoredTensor, read_header
from precision.measure.models.weights import Filled
from precision.models.catalogue import HUB_PREFIX

_WRAPPERS = ("module.", "_orig_mod.", "model.")
"""What training frameworks put before every name."""
_SHOWN = 4
_LEAST_SHARE = 0.5
"""Of a model's values that weights must have: with fewer, most of it would be something else than was asked for."""


class _Source(NamedTuple):
    """Stored tensors: their shapes, and what reads one."""

    shapes: Mapping[str, tuple[int, ...]]
    integers: frozenset[str]
    """Those with whole numbers or truth values."""
    read: Callable[[str], Tensor]


def give_weights(module: nn.Module, source: str) -> tuple[str, ...]:
    """Give `module`, in place, the tensors of `source` that have its names, one at a time; the others keep theirs.

    Args:
        module: float32, on the CPU.
        source: a safetensors file, or a folder of them; `hf:` and a checkpoint; or `upload:KEY`.

    Returns:
        Sentences on the tensors that have no counterpart.

    Raises:
        InputError: it cannot be read, no name matches, or a tensor has another shape.
    """
    own: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    own |= module.named_buffers(remove_duplicate=False)
    with _opened(module, source) as stored:
        names = _matched(own, list(stored.shapes), str(source))
        wrong = [
            f"{name} {list(stored.shapes[there])} instead of {list(own[name].shape)}"
            for name, there in names.items()
            if stored.shapes[there] != tuple(own[name].shape)
        ]
        if wrong:
            raise _other_shape(module, wrong)
        floating = [name for name in names if own[name].is_floating_point()]
        if quantized := [name for name in floating if names[name] in stored.integers]:
            raise InputError(
                f"{shown(source)}: {_some(quantized)} hold whole numbers where the model has floating-point weights."
            )
        elements = {name: tensor.numel() for name, tensor in own.items()}
        if sum(elements[name] for name in names) < _LEAST_SHARE * sum(elements.values()):
            raise InputError(
                f"{shown(source)}: only {len(names)} of the model's {len(own)} tensors are there, "
                f"{_some(list(names))}, less than half of its values. They are of another architecture: it lacks, say, "
                f"{_some([name for name in own if name not in names])}."
            )
        with torch.no_grad():
            for name, there in names.items():
                own[name].copy_(stored.read(there))
    saved = module.state_dict()
    missing = [name for name in saved if name not in names]
    unexpected = [name for name in stored.shapes if name not in names.values()]
    return tuple(_said(missing, unexpected, len(saved)))


def _other_shape(module: nn.Module, wrong: Sequence[str]) -> InputError:
    return InputError(
        f"{len(wrong)} tensors have another shape than in {type(module).__name__}: {_some(wrong)}. They are of another "
        "architecture."
    )


def _said(missing: Sequence[str], unexpected: Sequence[str], count: int) -> Iterator[str]:
    if missing:
        yield f"{len(missing)} of {count} tensors are not in the weights given, and keep the model's: {_some(missing)}."
    if unexpected:
        yield f"{len(unexpected)} tensors of the weights given have no place in the model: {_some(unexpected)}."


def _some(names: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _matched(own: Mapping[str, Tensor], stored: Sequence[str], source: str) -> Mapping[str, str]:
    """Which stored tensor is which of the module's: by name, or with a prefix that all of one side have."""
    ways: list[Callable[[str], str]] = [lambda name: name]
    ways += [lambda name, start=start: name.removeprefix(start) for start in _WRAPPERS]  # type: ignore[misc]
    ways += [lambda name, start=start: start + name for start in _WRAPPERS]  # type: ignore[misc]
    found = [{way(there): there for there in stored if way(there) in own} for way in ways]
    best = max(found, key=len)
    if not best:
        raise InputError(
            f"{shown(source)}: none of its {len(stored)} tensors has a name of the model's. It has {_some(stored)}; "
            f"the model has {_some(list(own))}."
        )
    return best


@contextmanager
def _opened(module: nn.Module, source: str) -> Iterator[_Source]:
    path = locate(source.removeprefix(HUB_PREFIX).strip()) if source.startswith(HUB_PREFIX) else named_file(source)
    if path.is_dir() and (path / "config.json").is_file():
        yield _of_checkpoint(filled_in(path))
        return
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files or any(file.suffix.lower() != ".safetensors" for file in files):
        raise InputError(
            f"{shown(source)}: weights are read from safetensors, which hold no code. In Python: "
            "safetensors.torch.save_file(model.state_dict(), 'model.safetensors')."
        )
    with ExitStack() as stack:
        stored = _of_files(files, stack)
        yield _renamed(module, stored) if hasattr(module, "base_model_prefix") else stored


def _of_checkpoint(filled: Filled, left: Iterable[str] = ()) -> _Source:
    state = {name: tensor for name, tensor in filled.module.state_dict().items() if name not in filled.missing}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()} | dict.fromkeys(left, ())
    whole = frozenset(name for name, tensor in state.items() if not tensor.is_floating_point())
    return _Source(shapes, whole, state.__getitem__)


def _renamed(module: Any, stored: _Source) -> _Source:
    """Tensors for a model of transformers, which stores some under other names than its modules have."""
    with explained("These weights cannot be loaded"), quiet_transformers():
        filled, info = type(module).from_pretrained(
            None,
            config=module.config,
            state_dict={name: stored.read(name) for name in stored.shapes},
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    if wrong := info["mismatched_keys"]:
        raise _other_shape(module, [f"{name} {list(there)} instead of {list(own)}" for name, there, own in wrong])
    return _of_checkpoint(Filled(filled, tuple(info["missing_keys"]), ()), info["unexpected_keys"])


def _of_files(files: Sequence[Path], stack: ExitStack) -> _Source:
    headers: dict[str, StoredTensor] = {}
    where: dict[str, Any] = {}
    for file in files:
        header = read_header(file)
        with explained(f"{shown(file)} cannot be read"):
            opened: Any = stack.enter_context(safe_open(file, framework="pt"))
        headers |= header
        where |= dict.fromkeys(header, opened)
    return _Source(
        {name: tensor.shape for name, tensor in headers.items()},
        frozenset(name for name, tensor in headers.items() if tensor.is_integer),
        lambda name: where[name].get_tensor(name),
    )
