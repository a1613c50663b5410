"""A layer's error taken apart, by evaluating the layer of either side on the input of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from precision.measure.casting.cast_model import CastModel
from precision.measure.lockstep.corner_sums import CornerSums
from precision.measure.lockstep.observer import Observer, Returned, leaves_inputs_alone
from precision.measure.lockstep.own_code import Given, OwnRun, calls_in, given_to
from precision.measure.lockstep.pairs import matched, same_outputs
from precision.measure.lockstep.replay import (
    Inputs,
    NotSeparableError,
    clones,
    copy_of,
    inputs_of,
    is_certain,
    require_alike,
    require_plain,
    weights_of,
    with_dtypes,
)
from precision.measure.lockstep.turns import QuestionFailedError, RandomState, Side
from precision.results.layers import Corners, ErrorSize
from precision.results.origins import Side as SideName

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class Actor:
    """One side of a run."""

    name: SideName
    model: CastModel
    side: Side
    observer: Observer


@dataclass(frozen=True, kw_only=True, eq=False)
class Decomposition:
    """Evaluates calls again, each in the thread of its side, whose autocast and gradient mode hold there."""

    reference: Actor
    candidate: Actor
    random: RandomState
    ask: Callable[[Side, Callable[[], object]], object]
    data: Tensor | None = None
    """Which positions are no padding."""

    def corners(self, reference: Returned, candidate: Returned) -> Corners:
        """The four corners of one call, and its weights-only and activations-only errors.

        Elements that are not finite in one of the corners are left out of all numbers and counted.

        Raises:
            NotSeparableError: the module keeps state, draws from elsewhere, or fails when it is evaluated again.
        """
        x, x_low = inputs_of(reference), inputs_of(candidate)
        require_alike(x, x_low)
        on_reference = self._evaluator(self.reference, reference, x)
        on_candidate = self._evaluator(self.candidate, candidate, x_low)
        crossed_down, crossed_up = self._lowered(x, x_low), with_dtypes(x_low, x)
        low_on_exact = on_candidate(crossed_down)
        exact_on_low = on_reference(crossed_up)
        pairs = [reference.output, candidate.output, low_on_exact, exact_on_low]
        sums = CornerSums()
        for four in _floating(pairs, self.data):
            sums.add(*four)
        del low_on_exact, exact_on_low, pairs
        inputs = CornerSums()
        for exact, low in _floating([x, x_low], self.data):
            inputs.add(exact, low, low, exact)
        return sums.corners(
            inputs=inputs,
            weights_only=self._weights_only(reference, candidate, x),
            activations_only=self._size(
                lambda: on_reference(with_dtypes(self._activations(candidate, crossed_down), x)), reference
            ),
        )

    def _evaluator(self, actor: Actor, returned: Returned, x: Inputs) -> Callable[[Inputs], object]:
        """The side's layer as a function of its inputs; checked against what it returned, where that is not certain."""
        module = returned.frame.module
        # What was passed by name was not kept from before the call: the module itself may have changed it.
        certain = is_certain(module, actor.model) and (leaves_inputs_alone(module) or not returned.kwargs)
        if not certain:
            require_plain(x)
            module = copy_of(module, actor.model)

        def evaluate(inputs: Inputs) -> object:
            def run() -> object:
                return (module if certain else copy_of(module, actor.model))(*inputs[0], **inputs[1])

            return self._asked(actor, returned, run)

        if not certain and not same_outputs(evaluate(clones(x)), returned.output):
            raise NotSeparableError(
                "a second evaluation on the same input gave another output: it keeps state, or changes its input."
            )
        return lambda inputs: evaluate(clones(inputs))

    def own_code(self, reference: Returned, candidate: Returned) -> Corners | None:
        """The four corners of what the own code of a call makes, between the modules that it calls.

        These are not run: on x they return what the reference's modules returned, cast as the candidate's outputs are.
        What the code hands to them, and what it returns, is compared; None where it makes no tensor of these itself.

        Raises:
            NotSeparableError: it keeps state, takes another path on the other side's values, or fails on them.
        """
        sides = (self.reference, reference), (self.candidate, candidate)
        x, x_low = (given_to(returned) for _, returned in sides)
        r_called, c_called = ([call.fqn for call in calls_in(returned)] for _, returned in sides)
        if r_called != c_called:
            raise NotSeparableError("the two sides call other modules in it.")
        require_alike(x, x_low)
        exact = self._own_run(*sides[0], x)
        exact.require_as_it_was(reference.output)
        if not exact.made:
            return None
        low = self._own_run(*sides[1], x_low, takes=exact.is_own)
        low.require_as_it_was(candidate.output)
        low_on_exact = self._own_run(*sides[1], self._lowered(x, x_low), takes=exact.is_own)
        exact_on_low = self._own_run(*sides[0], with_dtypes(x_low, x), takes=exact.is_own)
        runs = exact, low, low_on_exact, exact_on_low
        if not all(run.takes_the_path_of(exact) for run in runs):
            raise NotSeparableError("its path, or a whole number in it, depends on which side's values it is given.")
        sums = CornerSums()
        for four in _floating([run.made for run in runs], self.data):
            sums.add(*four)
        return sums.corners(inputs=None, weights_only=None, activations_only=None)

    def _own_run(
        self, actor: Actor, returned: Returned, given: Given, *, takes: Sequence[bool] | None = None
    ) -> OwnRun:
        calls = calls_in(returned)
        run = OwnRun(calls, clones(given), self.random, takes)
        twin = copy_of(returned.frame.module, actor.model, without=[call.module for call in calls])
        if twin is returned.frame.module:
            raise NotSeparableError("it calls itself.")
        if "_calls" in vars(twin):  # of a frame: this is the same call once more
            vars(twin)["_calls"] -= 1
        self._asked(actor, returned, lambda: run.run(twin), failing="it fails when it is evaluated again")
        return run

    def _asked(
        self,
        actor: Actor,
        returned: Returned,
        evaluate: Callable[[], object],
        *,
        failing: str = "it fails on the other side's input",
    ) -> object:
        def question() -> object:
            kept = self.random.saved()
            if returned.frame.random_state is not None:
                self.random.restore(returned.frame.random_state)
            try:
                with actor.observer.paused():
                    return evaluate()
            finally:
                self.random.restore(kept)

        try:
            return self.ask(actor.side, question)
        except QuestionFailedError as failed:
            error = failed.__cause__ or failed
            if isinstance(error, NotSeparableError):
                raise error from None
            message = " ".join(str(error).split())[:200] or type(error).__name__
            raise NotSeparableError(f"{failing}: {message}") from error

    def _lowered(self, x: T, like: T) -> T:
        """The reference's inputs as the candidate would get them: in its dtypes, rounded where it rounds."""
        return self.candidate.model.rounded(with_dtypes(x, like))

    def _activations(self, candidate: Returned, lowered: Inputs) -> Inputs:
        """What the candidate's layer computes with when it is given `lowered`: quantized, where it quantizes."""
        module = candidate.frame.module
        if self.candidate.model.quantized_to is None or not module._forward_pre_hooks:
            return lowered
        return self.candidate.model.quantized(module, *lowered)

    def _weights_only(self, reference: Returned, candidate: Returned, x: Inputs) -> ErrorSize | None:
        if self.candidate.model.autocast_dtype is not None:
            return None  # it rounds weights inside operators: those stored are the reference's own
        weights = weights_of(candidate.frame.module, like=reference.frame.module)
        if not weights:
            return None
        module = reference.frame.module
        run = lambda: torch.func.functional_call(module, weights, *clones(x))  # noqa: E731 - a closure over three
        return self._size(lambda: self._asked(self.reference, reference, run), reference)

    def _size(self, evaluate: Callable[[], object], reference: Returned) -> ErrorSize | None:
        try:
            output = evaluate()
        except NotSeparableError:
            return None
        sums = CornerSums()
        for exact, other in _floating([reference.output, output], self.data):
            sums.add(exact, other, other, exact)
        return sums.local()


def _floating(structures: Sequence[object], data: Tensor | None) -> list[tuple[Tensor, ...]]:
    """The floating-point tensors that all structures have in the same places, without padding."""
    columns = [matched(structures[0], other).without(data).floating for other in structures[1:]]
    if len({len(column) for column in columns}) > 1:
        raise NotSeparableError("its outputs differ in structure when it is evaluated on the other side's input.")
    return [(pairs[0][0].tensor, *(pair[1].tensor for pair in pairs)) for pairs in zip(*columns, strict=True)]
