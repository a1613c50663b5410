"""A simulated candidate against the real kernels of this device."""

import torch

from precision.errors import ForwardError, UnsupportedError
from precision.measure.casting.kernel_layers import KernelRun, linear_layers, run_on_kernel
from precision.measure.casting.real_kernels import find_kernel
from precision.measure.metrics.comparison import overall_errors
from precision.measure.metrics.outputs import paired
from precision.measure.models.padding import data_output
from precision.measure.preparation import Prepared, module_progress
from precision.results import RealKernelCheck


def check_on_real_kernel(run: Prepared, simulated: object, *, start: float, end: float) -> RealKernelCheck:
    """Run the candidate once more, its linear layers on the kernel of its format, and compare both outputs.

    Nothing that goes wrong on the way is raised: it is the `reason`.

    `start` and `end` are the shares of the whole that are done before and after.
    """
    stage = f"Running {run.spec.dtype} on real kernels"
    run.progress.step(stage, start)
    layers = sum(1 for _ in linear_layers(run.candidate.stored))
    if not layers:
        return _not_run("No real kernel ran: the model has no linear layers that are cast.", layers)
    try:
        kernel = find_kernel(run.spec.format, run.spec.method, run.candidate.device)
    except UnsupportedError as error:
        return _not_run(str(error), layers)
    on_module = module_progress(run.progress, run.candidate, stage=stage, start=start, end=end)
    try:
        with run.noise.replayed():
            done = run_on_kernel(run.candidate, kernel, run.loaded.args, run.loaded.kwargs, on_module=on_module)
        return _compared(run, simulated, done, kernel=kernel.name)
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        return _not_run(
            f"The run with {kernel.name} failed: {str(error) or 'out of memory.'}", layers, kernel=kernel.name
        )


def _compared(run: Prepared, simulated: object, done: KernelRun, *, kernel: str) -> RealKernelCheck:
    matched = paired(data_output(simulated, run.loaded), data_output(done.output, run.loaded))
    return RealKernelCheck(
        kernel=kernel,
        on_kernel=done.on_kernel,
        linear_layers=done.linear_layers,
        stayed_simulated=done.stayed_simulated,
        layer_difference=done.layer_difference,
        difference=overall_errors(matched.pairs, run.spec.format) if done.on_kernel else None,
        uncompared_outputs=len(matched.differences),
        reason=None if done.on_kernel else f"No real kernel ran: no linear layer could use {kernel}.",
    )


def _not_run(reason: str, layers: int, *, kernel: str | None = None) -> RealKernelCheck:
    return RealKernelCheck(
        kernel=kernel,
        on_kernel=0,
        linear_layers=layers,
        stayed_simulated=(),
        layer_difference=None,
        difference=None,
        uncompared_outputs=0,
        reason=reason,
    )
