"""Why a side could not go on, as far as that is known: module, operator, and the tensors that did not fit."""

from collections import Counter
from contextlib import suppress

import torch
from torch import nn

from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import error_text, raised_in, seeded
from precision.measure.lockstep.observer import Observer
from precision.measure.lockstep.operators import OperatorRecorder, Raised
from precision.measure.rounding import dtype_name
from precision.results.layers import Stopped
from precision.results.origins import Side
from precision.text.names import plain
from precision.text.units import seconds_text

_OUT_OF_MEMORY = "Out of memory. Choose a smaller batch, a shorter input or a smaller model."


class Failed(Exception):  # noqa: N818 - not an error of ours
    """A side's model raised."""

    def __init__(self, side: Side, error: Exception) -> None:
        super().__init__(str(error))
        self.side = side
        self.error = error


def timed_out(side: Side, observer: Observer, timeout_s: float) -> Stopped:
    """The report of a side that did not come to a meeting in time."""
    top = observer.top
    return Stopped(
        side=side,
        fqn=None if top is None else top.fqn,
        operator=None,
        message=f"The {side} did not get past {observer.where} within {seconds_text(timeout_s)}. Choose a smaller "
        "input, or a format that has kernels here.",
    )


def stopped(
    failed: Failed,
    *,
    model: CastModel,
    observer: Observer,
    inputs: tuple[tuple[object, ...], dict[str, object]],
) -> Stopped:
    """The report of a side that raised. Where no operators were recorded, it runs again, to name the operator."""
    error, module, recorder = failed.error, observer.module, observer.recorder
    fqn = raised_in(error, module)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error):
        return Stopped(side=failed.side, fqn=fqn, operator=None, message=f"{_OUT_OF_MEMORY} ({error})")
    raised = _raised_again(model, inputs, error) if recorder is None else recorder.raised_by(error)
    mixed = _mixed(raised, model) if raised else ()
    return Stopped(
        side=failed.side,
        fqn=fqn,
        operator=raised.name if raised else None,
        message=_message(failed, fqn, raised, module),
        mixed=tuple(words for words, _ in mixed),
        made_in=next((module for _, module in mixed if module), None),
        keep=fqn if failed.side == "candidate" and fqn else None,
    )


def _message(failed: Failed, fqn: str, raised: Raised | None, module: nn.Module) -> str:
    kind = type(module.get_submodule(fqn)).__name__
    place = f"{plain(fqn)} ({kind})" if fqn else f"the model itself ({kind})"
    operator = f"operator {raised.name} of " if raised else ""
    return f"The {failed.side} failed in {operator}{place}: {error_text(failed.error)}"


def _mixed(raised: Raised, model: CastModel) -> tuple[tuple[str, str], ...]:
    """The floating-point tensors that are not in the model's dtype, in words, and the module that gave them theirs.

    None where all of them agree.
    """
    if len(set(raised.dtypes)) < 2:
        return ()
    usual = dtype_name(model.input_dtype)
    if usual not in raised.dtypes:
        usual = Counter(raised.dtypes).most_common(1)[0][0]
    described = zip(raised.inputs, raised.dtypes, raised.made_in, strict=True)
    return tuple((words, module) for words, dtype, module in described if dtype != usual)


def _raised_again(
    model: CastModel, inputs: tuple[tuple[object, ...], dict[str, object]], error: Exception
) -> Raised | None:
    """The operator that raises in a second run; None where that raises something else, or nothing."""
    with seeded(model.device):
        prepared = model.prepared(*inputs)
        recorder = OperatorRecorder(finds_nonfinite=False, module=prepared.module)
        with recorder.watching(), suppress(Exception):
            prepared()
    return recorder.raised if recorder.raised is not None and recorder.raised.message == str(error) else None
