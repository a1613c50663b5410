"""What surrounds a forward pass: cloned inputs, a fixed seed, a watcher, and the explanation of a failure."""

import copy
import dataclasses
import re
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils import _pytree as pytree

from precision.errors import ForwardError
from precision.text.names import plain

SEED = 0
"""Of every forward pass, for models that draw random numbers in eval mode too."""
MESSAGE_CHARACTERS = 300
"""How much of a foreign error message is repeated."""
_BEGINNING_CHARACTERS = 10
"""Less than this of its beginning says nothing."""
QUOTED_CHARACTERS = 120
"""The same, where the message only confirms what we say."""

T = TypeVar("T")


def map_tensors(structure: T, change: Callable[[Tensor], Tensor]) -> T:
    """`structure` with every tensor replaced; one that occurs twice is replaced by one new tensor.

    Looks into tuples, lists, dicts, dataclasses and whatever is registered with torch's pytree (as the outputs of
    transformers are); other objects are kept as they are.
    """
    changed: dict[int, Tensor] = {}

    def once(tensor: Tensor) -> Tensor:
        if id(tensor) not in changed:
            changed[id(tensor)] = change(tensor)
        return changed[id(tensor)]

    def leaf(value: object) -> object:
        if isinstance(value, Tensor):
            return once(value)
        if not dataclasses.is_dataclass(value) or isinstance(value, type):
            return value
        twin = copy.copy(value)
        for field in dataclasses.fields(value):
            # also of a frozen dataclass, whose copy nobody has seen yet
            object.__setattr__(twin, field.name, pytree.tree_map(leaf, getattr(value, field.name)))
        return twin

    mapped: T = pytree.tree_map(leaf, structure)
    return mapped


def tensors_of(structure: object) -> list[Tensor]:
    """The tensors in what operators take and return, in order; one that occurs twice is there twice."""
    return [leaf for leaf in pytree.tree_leaves(structure) if isinstance(leaf, Tensor)]


def arguments_named(
    names: Collection[str | int], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> frozenset[int]:
    """The `id` of every tensor in the arguments of these names or places."""
    given = (*enumerate(args), *kwargs.items())
    return frozenset(map(id, tensors_of([value for name, value in given if name in names])))


@contextmanager
def seeded(device: torch.device) -> Iterator[None]:
    """Random numbers of the CPU and of `device` start at `SEED` inside, and go on as before afterwards."""
    accelerators = [device] if device.type in {"cuda", "xpu"} else []
    with torch.random.fork_rng(devices=accelerators, device_type=device.type if accelerators else "cuda"):
        torch.default_generator.manual_seed(SEED)
        for accelerator in accelerators:
            backend = torch.get_device_module(accelerator)
            with backend.device(accelerator):
                backend.manual_seed(SEED)
        yield


def full_float32(device: torch.device) -> AbstractContextManager[None]:
    """Convolutions compute in real float32 inside: cuDNN's default is TF32, with float16's 10 mantissa bits."""
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    context: AbstractContextManager[None] = cudnn.flags(
        enabled=cudnn.enabled, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    )
    return context


class _FusedAttention:
    """Torch's own switch, which is one for all threads: off while any of them needs it off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = True

    @contextmanager
    def off(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._before = torch.backends.mha.get_fastpath_enabled()
                torch.backends.mha.set_fastpath_enabled(False)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    torch.backends.mha.set_fastpath_enabled(self._before)


_FUSED_ATTENTION = _FusedAttention()


def fused_attention(allowed: bool) -> AbstractContextManager[None]:
    """Without leave, the attention modules of torch run their own code inside, rather than one fused kernel."""
    return nullcontext() if allowed else _FUSED_ATTENTION.off()


@contextmanager
def watched(module: nn.Module, on_module: Callable[[str], None] | None) -> Iterator[None]:
    """Call `on_module` with the fqn of every leaf module of `module` just before it runs.

    The hook is a global one: hooks on the modules themselves would switch off the fast path of
    `nn.TransformerEncoder` and so change what is measured.
    """
    if on_module is None:
        yield
        return
    names = {id(child): name for name, child in module.named_modules() if not any(True for _ in child.children())}

    def before(child: nn.Module, _inputs: object) -> None:
        if id(child) in names:
            on_module(names[id(child)])

    with register_module_forward_pre_hook(before):
        yield


def explained(
    error: Exception, module: nn.Module, *, again: nn.Module, run_again: Callable[[], object]
) -> ForwardError:
    """`error`, raised by a forward of `module`, with the module it came from and the last one that ran before.

    The first is read off the traceback. For the second the forward runs once more, watched, so that runs which
    succeed need no watching.

    `run_again` runs `again`, an unused copy of `module`.
    """
    where = raised_in(error, module)
    last = _last_to_finish(again, run_again)
    kind = type(dict(module.named_modules())[where]).__name__  # TorchScript has no get_submodule
    place = f"{plain(where)} ({kind})" if where else f"the model itself ({kind})"
    after = f"after {plain(last)} had run" if last else "before any other module had run"
    return ForwardError(f"Forward failed in {place}, {after}: {error_text(error)}", where=where)


def error_text(error: Exception) -> str:
    """What a forward raised: where it is known, our words come first, and that line of torch's is quoted."""
    for pattern, words in _KNOWN.items():
        for line in str(error).splitlines():
            if re.search(pattern, line):
                return f'{words} Torch says: "{shortened(line, limit=QUOTED_CHARACTERS)}"'
    message = shortened(str(error)) or type(error).__name__
    return message if message.endswith((".", "!", "…")) else f"{message}."


def raised_in(error: Exception, module: nn.Module) -> str:
    """fqn of the innermost module on the way from the call to where it raised."""
    names = {id(child): name for name, child in module.named_modules()}
    where = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        where = names.get(id(frame.f_locals.get("self")), where)
    return where


def _last_to_finish(module: nn.Module, run: Callable[[], object]) -> str | None:
    names = {id(child): name for name, child in module.named_modules()}
    last: str | None = None

    def after(child: nn.Module, _inputs: object, _output: object) -> None:
        nonlocal last
        last = names.get(id(child), last)

    with register_module_forward_hook(after), suppress(Exception):
        run()
    return last


def shortened(message: str, limit: int = MESSAGE_CHARACTERS) -> str:
    """A foreign message on one line. A long one loses its middle: the last line often says the cause.

    >>> shortened("It failed.\\n  at layer 1\\nno such dtype", limit=30)
    'It failed. at … no such dtype'
    """
    text = " ".join(message.split())
    if len(text) <= limit:
        return text
    *_, last = ("", *(" ".join(line.split()) for line in message.strip().splitlines()[1:]))
    if not last or len(last) > limit - _BEGINNING_CHARACTERS:
        return f"{text[: limit - 1]}…"
    return f"{text[: limit - len(last) - 3].rstrip()} … {last}"


_KNOWN: Mapping[str, str] = {
    r"not implemented for|Low precision dtypes|Unsupported dtype|must be either float or double": (
        "This operator has no kernel for that dtype here: keep its module in float32, or use autocast."
    ),
    r"same dtype|dtypes match|dtypes must be|match weight dtype|type \w+ but found|should be the same|mixed dtype": (
        "Two dtypes meet here, often because forward creates a float32 tensor or casts to float32: "
        "use the dtype of the input instead, or use autocast."
    ),
    r"cannot be converted to type|without overflow": (
        "A constant in forward is beyond the range of the format: use torch.finfo(x.dtype).min or .max instead."
    ),
    r"same device|expected device|different from other tensors": (
        "A tensor that is a plain attribute does not move with the model: register it as a buffer."
    ),
}
