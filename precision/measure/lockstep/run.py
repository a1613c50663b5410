"""Reference and candidate side by side: both run at once, and every module call is compared when it returns."""

from collections.abc import Callable, Mapping

import torch

from precision.formats import AnyFormat
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import full_float32, seeded
from precision.measure.lockstep.director import Director, Options
from precision.results.layers import LayersReport

RENDEZVOUS_TIMEOUT_S = 600.0
"""One module call that takes longer is taken for one that never returns."""
MAX_CALLS = 5_000
MAX_OPERATORS = 20_000


def run_lockstep(
    reference: CastModel,
    candidate: CastModel,
    args: tuple[object, ...] = (),
    kwargs: Mapping[str, object] | None = None,
    *,
    fmt: AnyFormat,
    operators: bool = False,
    decompose: bool = False,
    verify: bool = False,
    on_call: Callable[[str, float], None] | None = None,
    on_partial: Callable[[LayersReport], None] | None = None,
    rendezvous_timeout_s: float = RENDEZVOUS_TIMEOUT_S,
    max_calls: int = MAX_CALLS,
    max_operators: int = MAX_OPERATORS,
) -> LayersReport:
    """Run both models in turns, comparing the outputs of every module call.

    The two meet whenever a module returns: its outputs are compared, reduced to numbers and let go, so that the
    memory needed beyond both models' own is that of one call. Where they call different modules, they meet again when
    the module around returns. What a model raises ends the run; what was compared before it is kept.

    Random numbers are those that each model sees when it runs alone. Non-finite elements are counted and left out of
    every mean.

    Args:
        reference: the trusted model.
        candidate: the model under test, on the same device.
        args: positional inputs, as for `CastModel`.
        kwargs: inputs by name.
        fmt: the candidate's format: gives ULP, smallest normal and tolerances.
        operators: also compare every operator (residual adds, functional softmax, matrix products in attention), and
            record what dtypes they compute in. Takes longer, and switches off fused paths such as that of
            `nn.TransformerEncoder`.
        decompose: also evaluate each module that calls no other at the four corners (local, inherited, interaction).
        verify: also run both without observation, and say whether the outputs are the same bit for bit.
        on_call: told the fqn of each module that has returned, and a rough fraction of the whole; called about once
            a second meanwhile. What it raises ends the run and is passed on.
        on_partial: handed a report of what is compared so far, after some seconds, then at growing intervals.
        rendezvous_timeout_s: how long one side may take to its next meeting before the run is given up.
        max_calls: so many module calls are compared; what follows runs unobserved.
        max_operators: so many operators are kept.

    Raises:
        Exception: only what `on_call` or `on_partial` raises.
    """
    options = Options(
        fmt=fmt,
        operators=operators,
        decompose=decompose,
        verify=verify,
        timeout_s=rendezvous_timeout_s,
        max_calls=max_calls,
        max_operators=max_operators,
    )
    # Around both, so that the one that ends first does not switch TF32 back on for the other.
    with seeded(reference.device), full_float32(reference.device), torch.no_grad():
        director = Director(
            reference, candidate, (args, dict(kwargs or {})), options=options, on_call=on_call, on_partial=on_partial
        )
        return director.report()
