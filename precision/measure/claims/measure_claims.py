"""All claims from start to end: load the model, then try one claim after the other."""

from collections.abc import Collection

import torch

from precision.claims.catalogue import claims_named
from precision.claims.claim import Claim
from precision.errors import JobCancelledError
from precision.measure.casting.forward import full_float32, shortened
from precision.measure.claims.finding import Finding
from precision.measure.claims.snippet import snippet
from precision.measure.claims.subject import Subject
from precision.measure.claims.table import EXPERIMENTS
from precision.measure.preparation import Task
from precision.results import ClaimsResult, MeasuredClaim

_LOADED = 0.05


def measure_claims(task: Task, *, only: Collection[str] = ()) -> ClaimsResult:
    """Try every claim of both articles on a model and a device; or those with the ids in `only`.

    The model's input is as given. An experiment that raises does not lose the others: its claim is then "not testable
    here", and says what was raised. Copies are cast and run; no global setting of torch is left changed.

    Raises:
        InputError: no such claim.
    """
    claims = claims_named(only)
    loaded = task.load()
    head = task.head(loaded, task.reference(loaded, "float32"))
    result = ClaimsResult(**dict(head), claims=(), of=len(claims))
    at = 0

    def on_step(done: float, detail: str) -> None:
        fraction = _LOADED + (1 - _LOADED) * (at + done) / len(claims)
        task.progress.step(claims[at].question, fraction, detail)

    subject = Subject(task.spec, loaded, task.device, on_step)
    for at, claim in enumerate(claims):  # noqa: B007 - read by `on_step`
        on_step(0.0, "")
        measured = _measured(claim, subject)
        result = result.model_copy(update={"claims": (*result.claims, measured)})
        task.progress.partial(result)
    return result


def _measured(claim: Claim, subject: Subject) -> MeasuredClaim:
    finding = _tried(claim, subject)
    kind = type(subject.loaded.module).__name__
    return MeasuredClaim(
        id=claim.id,
        question=claim.question,
        statements=claim.statements,
        method=claim.method,
        scope=finding.scope or claim.scope,
        verdict=finding.verdict,
        finding=finding.sentence,
        evidence=finding.evidence,
        snippet=snippet(claim, subject.spec, kind=kind, given=subject.loaded.input),
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
