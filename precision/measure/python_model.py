"""Models whose code is Python of somebody's own: a function of whoever runs the server, or a text that was pasted."""

import linecache
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

from precision.errors import InputError
from precision.measure.models.built import Built
from precision.measure.own_model import own_model
from precision.models.pasted import PASTED_PREFIX, text_of
from precision.models.python_models import function_of
from precision.models.request import InputRequest
from precision.text.names import plain

NEEDED, OPTIONAL = ("model", "inputs"), ("labels", "mask")
"""What the code gives, by name; as the arguments of `own_model`."""
_REASON_CHARACTERS = 300

_log = logging.getLogger("precision.models")


def build(request: InputRequest) -> Built:
    """The model and the inputs that a function of the operator's gives.

    It takes nothing, and returns a module and its inputs, or a dict with `model` and `inputs`, and `labels` and `mask`
    where there are any. All batches are read, and held.

    Raises:
        InputError: it cannot be imported, raises, or gives something else; the log has the trace.
    """
    entry = function_of(request.model)
    with _told(f"{entry.value} failed with "):
        function = entry.load()
        if not callable(function):
            raise InputError(f"{entry.value} is no function: its type is {type(function).__name__}.")
        given = function()
    if isinstance(given, tuple) and len(given) == len(NEEDED):
        given = dict(zip(NEEDED, given, strict=True))
    if not isinstance(given, Mapping):
        raise InputError(
            f"{entry.value} returned something of type {type(given).__name__}. It must return a module and its inputs, "
            "as `model, inputs`, or a dict with 'model' and 'inputs'."
        )
    if unknown := [str(name) for name in given if name not in (*NEEDED, *OPTIONAL)]:
        known = ", ".join((*NEEDED, *OPTIONAL))
        raise InputError(f"{entry.value} returned a dict with {plain(', '.join(unknown))}. Known: {known}.")
    return _built(given, entry.value)


def build_pasted(request: InputRequest) -> Built:
    """The model and the inputs that a pasted text defines as `model` and `inputs`, besides `labels` and `mask`.

    Raises:
        InputError: code is not allowed here, or not this one; it raises, with the line; or it does not define them.
    """
    text, name = text_of(request.model), f"pasted_{request.model.removeprefix(PASTED_PREFIX)[:8]}"
    file = f"<{name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for traces, and for torch
    module = ModuleType(name)
    with _told("", file=file):
        sys.modules[name] = module  # where dataclasses look for the names in annotations
        try:
            exec(compile(text, file, "exec"), vars(module))  # noqa: S102  # allowed by whoever runs this
        finally:
            del sys.modules[name]  # it would hold the model
    return _built({known: vars(module)[known] for known in (*NEEDED, *OPTIONAL) if known in vars(module)}, "The code")


def _built(given: Mapping[str, object], source: str) -> Built:
    if missing := [name for name in NEEDED if given.get(name) is None]:
        raise InputError(f"{source} gives no `{missing[0]}`. It must give `model`, a torch.nn.Module, and `inputs`.")
    also = {name: given[name] for name in OPTIONAL if given.get(name) is not None}
    try:
        with _told(f"{source} gives inputs that failed with "):
            loaded = own_model(given["model"], given["inputs"], **also)  # type: ignore[arg-type]  # which it checks
            more = tuple(loaded.more)
    except InputError as error:
        raise InputError(f"{source} gives what cannot be used. {error}") from error
    return Built(loaded.module, loaded.args, loaded.kwargs, labels=loaded.labels, more=more, mask=loaded.mask)


@contextmanager
def _told(begin: str, *, file: str | None = None) -> Iterator[None]:
    """What is raised inside, as one sentence that begins so; of code in `file`, with the line."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        _log.warning("a model's own code raised", exc_info=True)
        reason = plain(f"{type(error).__name__}: {error}".rstrip(": "), limit=_REASON_CHARACTERS).rstrip(".")
        line = f"Line {_line(error, file)} of the code failed with " if file else ""
        raise InputError(f"{begin}{line}{reason}.") from error


def _line(error: BaseException, file: str) -> int:
    """Where in `file` something was raised, or does not parse."""
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else getattr(error, "lineno", None) or 1
