"""Which dtype every operator computes in under autocast, by running it."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from precision.errors import UnsupportedError
from precision.measure.autocast.operators import OPERATORS, Operator
from precision.measure.casting.castable import require_autocast
from precision.measure.casting.forward import shortened
from precision.measure.lockstep.operator_calls import OperatorCall
from precision.measure.lockstep.operators import OperatorRecorder
from precision.measure.lockstep.values import tensors_in
from precision.measure.preparation import Task
from precision.measure.rounding import dtype_name
from precision.results.autocast import AutocastOperator, AutocastResult, AutocastRule, WithGradients
from precision.spec import CastMethod, formats_of

_SEED = 0


class _Run(NamedTuple):
    """What an operator did with inputs of some dtypes; all empty where it raised."""

    output: str | None = None
    computed: tuple[str, ...] = ()
    raised: str = ""


_RAISED = (RuntimeError, TypeError, ValueError)


def measure_autocast(task: Task) -> AutocastResult:
    """Run every one of `OPERATORS` under autocast on tiny inputs, and see what it computes in.

    Each runs with float32 inputs, with inputs in the format, and with its first input in the format and the others in
    float32: the three together tell its rule. Once more it runs with float32 inputs that require gradients, forward
    and, outside autocast, backward from the sum of its output.

    Raises:
        UnsupportedError: no autocast to this format on the device.
    """
    spec, device = task.spec, task.device
    if not formats_of(CastMethod.AUTOCAST, (spec.dtype,)):
        raise UnsupportedError(f"Autocast lowers to float16 or bfloat16, not to {spec.dtype}. Choose one of these.")
    dtype: torch.dtype = getattr(torch, spec.dtype)
    require_autocast(device, dtype)
    rows = []
    for at, operator in enumerate(OPERATORS):
        task.progress.step(f"Running {operator.name} under autocast", at / len(OPERATORS))
        rows.append(_measured(operator, dtype, device))
    return AutocastResult(**dict(task.start()), operators=tuple(rows))


def _measured(operator: Operator, dtype: torch.dtype, device: torch.device) -> AutocastOperator:
    generator = torch.Generator().manual_seed(_SEED)
    inputs = [(0.1 + 0.8 * torch.rand(shape, generator=generator)).to(device) for shape in operator.shapes]
    low = [each.to(dtype) for each in inputs]
    full = _run(operator, inputs, dtype)
    lower = _run(operator, low, dtype)
    mixed = _run(operator, [low[0], *inputs[1:]], dtype) if len(inputs) > 1 else _Run()
    kind, training = _with_gradients(operator, inputs, dtype, without=full)
    return AutocastOperator(
        name=operator.name,
        family=operator.family,
        rule=_rule(full, lower, mixed, dtype_name(dtype)),
        output=full.output,
        computed=full.computed,
        computed_lower=lower.computed,
        computed_mixed=mixed.computed,
        reason=full.raised,
        with_gradients=kind,
        computed_gradients=training.computed,
        gradients_reason=training.raised,
    )


def _rule(full: _Run, lower: _Run, mixed: _Run, dtype: str) -> AutocastRule:
    if full.output is None:
        return "not run"
    if full.output == dtype:
        return "lower"
    if lower.output == full.output:
        return "float32"
    return "widest input" if mixed.output == full.output else "as given"


def _run(operator: Operator, inputs: Sequence[Tensor], dtype: torch.dtype) -> _Run:
    try:
        with torch.no_grad():
            output, computed = _forward(operator, inputs, dtype)
    except _RAISED as error:
        return _Run(raised=shortened(str(error)))
    return _Run(dtype_name(output.dtype), computed)


def _with_gradients(
    operator: Operator, inputs: Sequence[Tensor], dtype: torch.dtype, *, without: _Run
) -> tuple[WithGradients, _Run]:
    given = [each.clone().requires_grad_(at not in operator.statistics) for at, each in enumerate(inputs)]
    stage = "in its forward"
    try:
        with torch.enable_grad():
            output, computed = _forward(operator, given, dtype)
            stage = "in its backward"
            if output.requires_grad:
                output.sum().abs().backward()  # type: ignore[no-untyped-call]
    except _RAISED as error:
        return "raises", _Run(raised=f"{stage}: {shortened(str(error))}")
    run = _Run(dtype_name(output.dtype), computed)
    if not output.requires_grad:
        return "not differentiable", run
    return ("the same" if run == without else "computes otherwise"), run


def _forward(operator: Operator, inputs: Sequence[Tensor], dtype: torch.dtype) -> tuple[Tensor, tuple[str, ...]]:
    """Its first output under autocast, and what its kernels computed in."""
    recorder = OperatorRecorder(finds_nonfinite=False)
    recorder.into = calls = list[OperatorCall]()
    with warnings.catch_warnings(), torch.autocast(inputs[0].device.type, dtype):
        warnings.simplefilter("ignore")  # of slow kernels for mixed dtypes
        with recorder.watching():
            output = operator.call(*inputs)
    computed = dict.fromkeys(name for call in calls for name in call.computed)
    return next(iter(tensors_in(output))), tuple(computed)
