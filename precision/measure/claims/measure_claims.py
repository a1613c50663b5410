"""All claims from start to end: load the model, then try one claim after the other."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import torch

from precision.claims.catalogue import claims_named
from precision.claims.claim import Claim
from precision.claims.snippets import snippet
from precision.errors import JobCancelledError
from precision.formats import format_named
from precision.measure.casting import methods as casting
from precision.measure.casting.forward import full_float32, shortened
from precision.measure.claims.experiments.finding import Finding
from precision.measure.claims.experiments.subject import Subject
from precision.measure.claims.experiments.table import EXPERIMENTS
from precision.measure.machine.devices import describe_device, device_named
from precision.measure.models.loading import load
from precision.measure.preparation import head_of
from precision.progress import Progress, Silent
from precision.results import ClaimsResult, MeasuredClaim
from precision.spec import RunSpec

_SILENT = Silent()
_LOADED = 0.05


def measure_claims(spec: RunSpec, progress: Progress = _SILENT, *, only: Collection[str] = ()) -> ClaimsResult:
    """Try every claim of both articles on the spec's model and device.

    The model's input is as given; the spec's format, method and kept modules play no part. An experiment that raises
    does not lose the others: its claim is then "not testable here", and says what was raised. Copies are cast and run;
    no global setting of torch is left changed.

    Args:
        spec: what to try them on.
        progress: told of each claim, handed the result after each; may raise `JobCancelledError` to stop.
        only: ids of claims; all where none is named.

    Raises:
        InputError: the spec asks for something that this machine or this model does not have; no such claim.
        JobCancelledError: from `progress`.
    """
    started = time.monotonic()
    claims = claims_named(only)
    progress.step("Loading the model", 0.0)
    device = device_named(spec.device)
    device_info = describe_device(device)
    loaded = load(spec)
    reference = casting.reference(loaded.module, format_named("float32"), device=device)
    head = head_of(spec, loaded, reference, device_info)
    result = ClaimsResult(**dict(head), claims=(), of=len(claims))
    steps = _Steps(progress, claims)
    subject = Subject(spec.measured, loaded, device, steps)
    for claim in claims:
        steps.begin(claim)
        measured = _measured(claim, subject)
        result = result.model_copy(
            update={"claims": (*result.claims, measured), "elapsed_s": time.monotonic() - started}
        )
        progress.partial(result)
    return result


class _Steps:
    """Progress within the claim that is being tried, as progress of the whole."""

    def __init__(self, progress: Progress, claims: Sequence[Claim]) -> None:
        self._progress = progress
        self._claims = claims
        self._current = claims[0]

    def begin(self, claim: Claim) -> None:
        """Go on to this claim."""
        self._current = claim
        self(0.0, "")

    def __call__(self, done: float, detail: str) -> None:
        share = (1 - _LOADED) / len(self._claims)
        at = self._claims.index(self._current)
        self._progress.step(self._current.question, _LOADED + (at + done) * share, detail)


def _measured(claim: Claim, subject: Subject) -> MeasuredClaim:
    finding = _tried(claim, subject)
    return MeasuredClaim(
        id=claim.id,
        article=claim.article,
        question=claim.question,
        claim=claim.claim,
        method=claim.method,
        scope=finding.scope or claim.scope,
        verdict=finding.verdict,
        finding=finding.sentence,
        evidence=finding.evidence,
        snippet=snippet(claim.id, subject.spec, kind=type(subject.loaded.module).__name__, given=subject.loaded.input),
    )


def _tried(claim: Claim, subject: Subject) -> Finding:
    """What the experiment found; what it raised, whatever a model's own code may raise."""
    try:
        with torch.random.fork_rng(devices=[]), full_float32(subject.device):
            return EXPERIMENTS[claim.id](subject)
    except JobCancelledError:
        raise
    except Exception as error:  # noqa: BLE001, one claim is not to take the others with it
        why = shortened(str(error)) or type(error).__name__
        return Finding("not testable here", f"The experiment could not be carried out: {why}", ())
