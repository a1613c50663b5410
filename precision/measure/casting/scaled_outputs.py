"""A run in simulated arithmetic in which modules' outputs beyond the format are stored divided by a power of two."""

import math
from collections.abc import Callable
from contextlib import ExitStack

from torch import Tensor, nn

from precision.formats import NumericFormat
from precision.measure.casting.cast_model import PreparedRun
from precision.measure.casting.forward import map_tensors, tensors_of
from precision.measure.casting.frames import frame_of
from precision.results.remedies import ScaleStep

Hook = Callable[[nn.Module, object, object], object]


def run_with_scaled_outputs(run: PreparedRun, fmt: NumericFormat) -> tuple[object, tuple[ScaleStep, ...]]:
    """The output of a run, and the modules whose outputs are divided before they are rounded to `fmt`.

    Each call has the smallest power of two with which its outputs fit; they are multiplied back after the rounding, as
    a kernel does that reads a scaled tensor. Modules of another precision have none.
    """
    steps: list[ScaleStep] = []
    with ExitStack() as stack:
        for fqn, module in run.module.named_modules():
            if frame_of(module) is None:
                divide, multiply = _hooks(fqn, fmt, steps)
                stack.enter_context(module.register_forward_hook(divide, prepend=True))
                stack.enter_context(module.register_forward_hook(multiply))
        output = run()
    return output, tuple(dict.fromkeys(steps))


def _hooks(fqn: str, fmt: NumericFormat, steps: list[ScaleStep]) -> tuple[Hook, Hook]:
    bits = 0

    def divide(_module: nn.Module, _args: object, output: object) -> object:
        nonlocal bits
        bits = max((_bits(each, fmt) for each in tensors_of(output)), default=0)
        if bits:
            steps.append(ScaleStep(kind="output", fqn=fqn, bits=bits))
        return _times(output, -bits)

    def multiply(_module: nn.Module, _args: object, output: object) -> object:
        return _times(output, bits)

    return divide, multiply


def _bits(tensor: Tensor, fmt: NumericFormat) -> int:
    if not tensor.is_floating_point() or not tensor.numel():
        return 0
    largest = float(tensor.abs().amax())
    return math.ceil(math.log2(largest / fmt.max)) if fmt.max < largest < math.inf else 0


def _times(structure: object, bits: int) -> object:
    if not bits:
        return structure
    return map_tensors(structure, lambda tensor: tensor * 2.0**bits if tensor.is_floating_point() else tensor)
