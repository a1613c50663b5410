"""The thread that lets both sides take turns, and compares what they bring to their meetings."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from torch import Tensor, nn

from precision.formats import AnyFormat
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.forward import seeded, shortened
from precision.measure.lockstep.comparing import Comparer, common_calls
from precision.measure.lockstep.corners import Actor, Decomposition
from precision.measure.lockstep.failures import Failed, stopped, timed_out
from precision.measure.lockstep.observer import Frame, Observer, Returned
from precision.measure.lockstep.operators import OperatorRecorder
from precision.measure.lockstep.pairs import same_outputs
from precision.measure.lockstep.replay import Inputs
from precision.measure.lockstep.sources import Names
from precision.measure.lockstep.turns import Ended, RandomState, RendezvousTimeoutError, Side
from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import flatten
from precision.results.layers import Divergence, LayersReport, ObserverCheck, Stopped
from precision.results.origins import Side as SideName

_CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)
"""They have no forward."""
MAX_DIVERGENCES = 50
"""So many are kept; each is a few lines."""
MAX_NOT_CALLED = 200
FIRST_PARTIAL_S, PARTIAL_GROWTH = 3.0, 1.5
"""What is compared so far is handed over when this much time has passed, and again after so many times as much."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked of a run."""

    fmt: AnyFormat
    """The candidate's: gives ULP, smallest normal and tolerances."""
    operators: bool = False
    """Whether to compare every operator too (residual adds, functional softmax, matrix products in attention), and to
    record what dtypes they compute in. Takes longer, and switches off fused paths such as that of
    `nn.TransformerEncoder`."""
    decompose: bool = False
    """Whether to evaluate each module that calls no other at the four corners (local, inherited, interaction); with
    `operators` also the own code of modules that do, where it computes."""
    verify: bool = False
    """Whether to run both without observation too, and to say whether the outputs are the same bit for bit."""
    timeout_s: float = 600.0
    """How long one side may take to its next meeting before it is taken for one that never gets there."""
    max_calls: int = 5_000
    """So many module calls are compared; what follows runs unobserved."""
    max_operators: int = 20_000
    """So many operators are kept."""
    data: Tensor | None = None
    """Which positions `(texts, positions)` are no padding, which enters no number; None for all."""
    known: Known | None = None
    """What is known of the outputs: classes that both sides mask by -inf are no alarm."""


class Director:
    """One lockstep run, used once; `run_lockstep` describes what it takes."""

    def __init__(
        self,
        reference: CastModel,
        candidate: CastModel,
        inputs: Inputs,
        *,
        options: Options,
        on_call: Callable[[str, float], None] | None,
        on_partial: Callable[[LayersReport], None] | None,
    ) -> None:
        self._inputs = inputs
        self._options = options
        self._on_call = on_call
        self._on_partial = on_partial
        self._began = time.monotonic()
        self._next_partial_s = FIRST_PARTIAL_S
        self._random = RandomState(reference.device)
        self._reference = self._player("reference", reference)
        self._candidate = self._player("candidate", candidate)
        self._expected = sum(1 for _ in self._reference.observer.module.modules())
        self._last = ""
        self._divergences: list[Divergence] = []
        self._notes: list[str] = []
        self._outputs: list[object] = []
        self._comparer = Comparer(
            fmt=options.fmt,
            simulated=candidate.rounded_to,
            max_operators=options.max_operators,
            decomposition=self._decomposition() if options.decompose else None,
            data=options.data,
            known=options.known,
        )

    def report(self) -> LayersReport:
        """Run both, and report."""
        with self._running():
            end = self._ended()
        return self._written(end, self._observer_check() if self._options.verify and end is None else None)

    def _player(self, name: SideName, model: CastModel) -> Actor:
        prepared = model.prepared(*self._inputs)
        recorder = None
        if self._options.operators:
            recorder = OperatorRecorder(finds_nonfinite=True, module=prepared.module)
            recorder.sources.begin(prepared.module, prepared.args, prepared.kwargs)

        def run() -> object:
            with observer.hooks(), recorder.watching() if recorder is not None else nullcontext():
                return prepared()

        side = Side(f"lockstep {name}", run, random=self._random)
        observer = Observer(
            prepared.module,
            side,
            recorder=recorder,
            kept_random=self._random if self._options.decompose else None,
            simulates=model.rounded_to is not None or model.quantized_to is not None,
        )
        return Actor(name=name, model=model, side=side, observer=observer)

    def _decomposition(self) -> Decomposition:
        return Decomposition(
            reference=self._reference,
            candidate=self._candidate,
            random=self._random,
            ask=lambda side, question: side.ask(question, self._options.timeout_s, meanwhile=self._tell),
            data=self._options.data,
        )

    @contextmanager
    def _running(self) -> Iterator[None]:
        players = (self._reference, self._candidate)
        for player in players:
            player.side.start()
        try:
            yield
        finally:
            for player in players:
                player.side.release()
            self._notes += [
                f"The {player.name}'s thread is still in {player.observer.where}: it ends at its next module call."
                for player in players
                if not player.side.leave()
            ]

    def _ended(self) -> Stopped | None:
        """Let both run to the end; returns why they stopped earlier, if they did."""
        at = self._reference
        try:
            while True:
                at = self._reference
                reference = self._advance(at)
                at = self._candidate
                candidate = self._advance(at)
                if isinstance(reference, Returned) and isinstance(candidate, Returned):
                    reference, candidate = self._reunited(reference, candidate)
                if isinstance(reference, Returned) and isinstance(candidate, Returned):
                    self._met(reference, candidate)
                    del reference, candidate
                    continue
                self._finish(reference, candidate)
                return None
        except RendezvousTimeoutError:
            self._comparer.leave_open(self._reference.observer.innermost, self._candidate.observer.innermost, at.name)
            return timed_out(at.name, at.observer, self._options.timeout_s)
        except Failed as failed:
            return self._stopped(failed)

    def _advance(self, player: Actor) -> Returned | Ended:
        """What `player` brings to its next meeting.

        Raises:
            Failed: its model raised.
        """
        player.side.resume()
        brought = player.side.wait(self._options.timeout_s, meanwhile=self._tell)
        if isinstance(brought, Ended) and brought.error is not None:
            raise Failed(player.name, brought.error)
        if not isinstance(brought, (Returned, Ended)):
            raise TypeError(f"The {player.name} brought {type(brought).__name__} to a meeting.")
        return brought

    def _met(self, reference: Returned, candidate: Returned) -> None:
        self._comparer.compare(reference, candidate)
        self._last = reference.frame.fqn
        self._tell()
        self._hand_over()
        if self._comparer.calls >= self._options.max_calls:
            self._notes.append(f"Only the first {self._options.max_calls:,} module calls were compared.")
            for player in (self._reference, self._candidate):
                player.observer.run_on()

    def _tell(self) -> None:
        if self._on_call is not None:
            self._on_call(self._last, min(1.0, self._comparer.calls / self._expected))

    def _hand_over(self) -> None:
        """What is compared so far, at growing intervals: whatever ends the run, most of its rows are kept."""
        elapsed_s = time.monotonic() - self._began
        if self._on_partial is not None and elapsed_s >= self._next_partial_s:
            self._on_partial(self._written(None, None))
            self._next_partial_s = PARTIAL_GROWTH * elapsed_s

    def _reunited(self, reference: Returned, candidate: Returned) -> tuple[Returned | Ended, Returned | Ended]:
        """Both at the return of the same call: where they are in different ones, they run on to the call around."""
        r: Returned | Ended = reference
        c: Returned | Ended = candidate
        noted = len(self._divergences)
        while isinstance(r, Returned) and isinstance(c, Returned) and r.frame.path != c.frame.path:
            shared = common_calls(r.frame.stack, c.frame.stack)
            if not shared:
                break
            self._comparer.forget_last()
            if noted == len(self._divergences):
                self._note_divergence(r.frame.stack, c.frame.stack, shared)
            around, c_around = r.frame.stack[shared - 1], c.frame.stack[shared - 1]
            r = self._run_until(self._reference, r, around)
            c = self._run_until(self._candidate, c, c_around)
            self._note_skipped(noted)
        if noted < len(self._divergences) and isinstance(r, Returned) and isinstance(c, Returned):
            self._divergences[noted] = self._divergences[noted].model_copy(update={"resumed": True})
        return r, c

    def _note_divergence(self, reference: tuple[Frame, ...], candidate: tuple[Frame, ...], shared: int) -> None:
        r_left, c_left = ([frame.fqn for frame in stack[shared:]] for stack in (reference, candidate))
        around = reference[shared - 1]
        self._divergences.append(
            Divergence(
                fqn=around.fqn,
                call=around.call,
                reference_next=r_left[0] if r_left else None,
                candidate_next=c_left[0] if c_left else None,
                reference_skipped=tuple(r_left),
                candidate_skipped=tuple(c_left),
                resumed=False,
            )
        )

    def _note_skipped(self, place: int) -> None:
        noted = self._divergences[place]
        skipped = {
            "reference_skipped": tuple(dict.fromkeys([*noted.reference_skipped, *self._reference.observer.skipped])),
            "candidate_skipped": tuple(dict.fromkeys([*noted.candidate_skipped, *self._candidate.observer.skipped])),
        }
        self._divergences[place] = noted.model_copy(update=skipped)

    def _run_until(self, player: Actor, returned: Returned, around: Frame) -> Returned | Ended:
        if returned.frame is around:
            player.observer.skipped = []
            return returned
        player.observer.run_until(around)
        return self._advance(player)

    def _finish(self, reference: Returned | Ended, candidate: Returned | Ended) -> None:
        """Keep both models' outputs; the side that has not ended runs on to its end."""
        for player, brought in ((self._reference, reference), (self._candidate, candidate)):
            player.observer.run_on()
            end = brought
            while not isinstance(end, Ended):
                end = self._advance(player)
            self._outputs.append(end.output)

    def _stopped(self, failed: Failed) -> Stopped:
        player = self._reference if failed.side == "reference" else self._candidate
        self._comparer.leave_open(self._reference.observer.innermost, self._candidate.observer.innermost, failed.side)
        return stopped(failed, model=player.model, observer=player.observer, inputs=self._inputs)

    def _written(self, end: Stopped | None, observer: ObserverCheck | None) -> LayersReport:
        called = self._reference.observer.called | self._candidate.observer.called
        not_called = [
            name
            for name, module in self._reference.observer.module.named_modules()
            if name not in called and not isinstance(module, _CONTAINERS)
        ]
        kept = self._divergences[:MAX_DIVERGENCES]
        notes = [*self._notes, *self._fused(called)]
        if len(kept) < len(self._divergences):
            notes.append(
                f"The two took different paths {len(self._divergences):,} times: the first {len(kept)} are listed."
            )
        return self._comparer.report(
            stopped=end,
            divergences=tuple(kept),
            not_called=tuple(not_called[:MAX_NOT_CALLED]),
            observer=observer,
            watched_operators=self._options.operators,
            output_sources=self._output_sources(),
            notes=notes,
        )

    def _output_sources(self) -> dict[str, Names]:
        """The sources of the candidate's outputs, once it has returned them, which the reference does first."""
        recorder, outputs = self._candidate.observer.recorder, self._outputs[1:]
        if recorder is None:
            return {}
        leaves = (leaf for output in outputs for leaf in flatten(output, detached=False).leaves)
        return {leaf.path: recorder.sources.of([leaf.tensor]) for leaf in leaves}

    def _fused(self, called: frozenset[str]) -> tuple[str, ...]:
        """Notes on modules whose forward may be a single kernel."""
        layers = [
            name
            for name, module in self._reference.observer.module.named_modules()
            if isinstance(module, nn.TransformerEncoderLayer) and name in called
        ]
        fused = [name for name in layers if f"{name}.self_attn" not in called]
        notes = []
        if fused:
            notes.append(
                f"{fused[0] or 'The model'} ran as one fused kernel, as it does when it is not observed: "
                "the modules inside were not called."
            )
        if layers and self._options.operators:
            notes.append("Watching operators switches off the fused path of nn.TransformerEncoder.")
        return tuple(notes)

    def _observer_check(self) -> ObserverCheck:
        equal = []
        for player, observed in zip((self._reference, self._candidate), self._outputs, strict=True):
            try:
                with seeded(player.model.device):
                    plain = player.model.prepared(*self._inputs)()
            except (RuntimeError, TypeError, ValueError) as error:  # a fused path that hooks switch off
                self._notes.append(f"Without observation the {player.name} fails: {shortened(str(error))}")
                equal.append(False)
            else:
                equal.append(same_outputs(observed, plain))
        return ObserverCheck(reference_equal=equal[0], candidate_equal=equal[1])
