"""Reference and candidate side by side: both run at once, and every module call is compared when it returns."""

from collections.abc import Callable, Mapping

import torch

from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import full_float32, seeded
from precision.measure.lockstep.director import Director, Options
from precision.results.layers import LayersReport


def run_lockstep(
    reference: CastModel,
    candidate: CastModel,
    args: tuple[object, ...] = (),
    kwargs: Mapping[str, object] | None = None,
    *,
    options: Options,
    on_call: Callable[[str, float], None] | None = None,
    on_partial: Callable[[LayersReport], None] | None = None,
) -> LayersReport:
    """Run both models in turns, comparing the outputs of every module call.

    The two meet whenever a module returns: its outputs are compared, reduced to numbers and let go, so that the
    memory needed beyond both models' own is that of one call; where calls are taken apart, also that of what the open
    calls' own code was given. Where they call different modules, they meet again when
    the module around returns. What a model raises ends the run; what was compared before it is kept.

    Random numbers are those that each model sees when it runs alone. Non-finite elements are counted and left out of
    every mean.

    Args:
        candidate: on the same device as the reference.
        on_call: told the fqn of each module that has returned, and a rough fraction of the whole; called about once
            a second meanwhile. What it raises ends the run and is passed on.
        on_partial: handed a report of what is compared so far, after some seconds, then at growing intervals.

    Raises:
        Exception: only what `on_call` or `on_partial` raises.
    """
    # Around both, so that the one that ends first does not switch TF32 back on for the other.
    with seeded(reference.device), full_float32(reference.device), torch.no_grad():
        director = Director(
            reference, candidate, (args, dict(kwargs or {})), options=options, on_call=on_call, on_partial=on_partial
        )
        return director.report()
