"""One side of a lockstep run: which module calls it is in, and a meeting whenever one returns."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from precision.measure.casting.forward import map_tensors
from precision.measure.lockstep.inner_calls import Handed, InnerCalls
from precision.measure.lockstep.operator_calls import OperatorCall
from precision.measure.lockstep.operators import OperatorRecorder
from precision.measure.lockstep.rows import LayerDraft
from precision.measure.lockstep.turns import RandomState, Side
from precision.text.names import plain

MAX_SKIPPED_NAMES = 20
"""Of the modules that only one side called, so many are named."""


@dataclass(kw_only=True, eq=False)
class Frame:
    """One module call that has not returned yet."""

    fqn: str
    module: nn.Module
    call: int
    """1 for the module's first."""
    order: int
    """Place in the order in which this side's calls began."""
    parent: Frame | None
    given: tuple[object, ...]
    """Positional arguments before anything changed them: clones where the call may change them."""
    random_state: tuple[Tensor, ...] | None
    handled: int
    """`id` of the exception that was being handled when it began; 0 for none."""
    called: bool = False
    """Whether it called another module."""
    pending: list[OperatorCall] = field(default_factory=list)
    """Its own operators that were not compared yet."""
    inner: InnerCalls | None = None
    """The calls that its own code made; None where they are not kept."""
    handed: Handed | None = None
    """What its caller handed to it, where that keeps its calls."""
    draft: LayerDraft | None = None
    """Its row, once there is one."""

    @property
    def path(self) -> tuple[str, ...]:
        """fqns from the root to this module."""
        return tuple(frame.fqn for frame in self.stack)

    @property
    def stack(self) -> tuple[Frame, ...]:
        """The calls from the root to this one."""
        above = () if self.parent is None else self.parent.stack
        return (*above, self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Returned:
    """What a side brings to a meeting: a module call that has just returned."""

    frame: Frame
    args: tuple[object, ...]
    """As they are after the call."""
    kwargs: Mapping[str, object]
    output: object


class Observer:
    """Follows the module calls of one side, in that side's thread.

    Args:
        module: the copy that is run.
        side: whose thread it runs in.
        recorder: told which call its operators belong to; None where operators are not watched.
        kept_random: the generators whose state is kept from the start of every call, as are its inputs, so that it can
            be evaluated again; None where nothing is kept.
        simulates: whether the hooks that the modules have are those that round to a simulated format: what they do
            are not operators of the model.
    """

    def __init__(
        self,
        module: nn.Module,
        side: Side,
        *,
        recorder: OperatorRecorder | None,
        kept_random: RandomState | None,
        simulates: bool,
    ) -> None:
        self.module = module
        self.recorder = recorder
        self._side = side
        self._kept_random = kept_random
        self._simulates = simulates
        self._names = {id(child): name for name, child in module.named_modules()}
        self._calls: Counter[str] = Counter()
        self._begun = 0
        self._paused = False
        self._until: Frame | None = None
        self._runs_on = False
        self.top: Frame | None = None
        """The innermost call that has not returned."""
        self._fell_from: Frame | None = None
        self.skipped: list[str] = []
        """Modules that were called since `run_until` and not met at."""

    @property
    def called(self) -> frozenset[str]:
        """fqns of the modules that were called."""
        return frozenset(self._calls)

    @property
    def innermost(self) -> Frame | None:
        """The innermost call that had not returned; after an exception, where that was raised."""
        return self._fell_from or self.top

    def run_until(self, frame: Frame) -> None:
        """Meet next when `frame`, or a call around it, returns."""
        self._until = frame
        self.skipped = []

    def run_on(self) -> None:
        """Stop meeting."""
        self._runs_on = True

    @property
    def where(self) -> str:
        """The current call, in words."""
        return "the model's own code" if self.top is None or not self.top.fqn else plain(self.top.fqn)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Module calls inside are not observed."""
        self._paused = True
        if self.recorder is not None:
            self.recorder.paused = True
        try:
            yield
        finally:
            self._paused = False
            if self.recorder is not None:
                self.recorder.paused = False

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Observe inside. To be entered in the side's thread.

        The hooks are global ones: hooks on the modules themselves would switch off the fast path of
        `nn.TransformerEncoder`. But a module's own hooks run after the global ones, and may change what it returns
        (as rounding it, where arithmetic is simulated): where there are some, ours is added behind them.
        """
        hooked = {id(child) for child in self.module.modules() if child._forward_hooks}
        prepared = {id(child) for child in self.module.modules() if child._forward_pre_hooks and self._simulates}

        # Functions rather than methods: a copy of a hooked module would copy the observer with a method.
        def enter(child: nn.Module, args: tuple[object, ...]) -> None:
            self._enter(child, args)
            self._records(id(child) not in prepared)

        def leave_globally(child: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], out: object) -> None:
            if id(child) not in hooked:
                self._leave(child, args, kwargs, out)
            elif self._simulates:
                self._records(False)

        def leave(child: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], out: object) -> None:
            self._records(True)
            self._leave(child, args, kwargs, out)

        def abandon(child: nn.Module, _args: object, _output: object) -> None:
            self._abandon(child)

        def is_prepared(_child: nn.Module, _args: tuple[object, ...]) -> None:
            self._records(True)

        with ExitStack() as handles:
            for child in self.module.modules():
                if id(child) in hooked:
                    handles.enter_context(child.register_forward_hook(leave, with_kwargs=True))
                if id(child) in prepared:
                    handles.enter_context(child.register_forward_pre_hook(is_prepared))
            handles.enter_context(register_module_forward_pre_hook(enter))
            handles.enter_context(register_module_forward_hook(leave_globally, with_kwargs=True))
            handles.enter_context(register_module_forward_hook(abandon, always_call=True))
            yield

    def _records(self, records: bool) -> None:
        if self.recorder is not None and not self._paused and self._side.is_current:
            self.recorder.paused = not records

    def _enter(self, module: nn.Module, args: tuple[object, ...]) -> None:
        name = self._observed_name(module)
        if name is None:
            return
        self._side.require_wanted()
        self._fell_from = None
        if self.top is not None:
            self.top.called = True
        self._calls[name] += 1
        if self._until is not None and len(self.skipped) < MAX_SKIPPED_NAMES:
            self.skipped.append(name)
        with self.paused():
            given, random_state = self._kept(module, args)
        self.top = Frame(
            fqn=name,
            module=module,
            call=self._calls[name],
            order=self._begun,
            parent=self.top,
            given=given,
            random_state=random_state,
            handled=_handled(),
            inner=InnerCalls() if random_state is not None and _may_compute(module) else None,
            handed=Handed.of(args) if self.top is not None and self.top.inner is not None else None,
        )
        self._begun += 1
        self._record_in(self.top)

    def _kept(
        self, module: nn.Module, args: tuple[object, ...]
    ) -> tuple[tuple[object, ...], tuple[Tensor, ...] | None]:
        """Inputs and random state of a call that begins."""
        if self._kept_random is None or self._runs_on:
            return args, None
        if not leaves_inputs_alone(module):
            args = map_tensors(args, lambda tensor: tensor.detach().clone())
        return args, self._kept_random.saved()

    def _abandon(self, module: nn.Module) -> None:
        """Forget a call that raised. Torch calls this hook in either case; only then a new exception is handled."""
        frame = self._open(module)
        if frame is not None and frame.handled != _handled():
            self._fell_from = self._fell_from or self.top
            self.top = frame.parent
            self._record_in(self.top)

    def _open(self, module: nn.Module) -> Frame | None:
        """The innermost open call of `module`."""
        if self._observed_name(module) is None:
            return None
        frame = self.top
        while frame is not None and frame.module is not module:
            frame = frame.parent
        return frame

    def _leave(self, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object) -> None:
        frame = self._open(module)
        if frame is None:
            return
        self._fell_from = None
        self.top = frame
        if self._meets_at(frame):
            self._until = None
            self._side.meet(Returned(frame=frame, args=args, kwargs=kwargs, output=output))
        self._keep_for_caller(frame, kwargs, output)
        self.top = frame.parent
        self._record_in(self.top)

    def _keep_for_caller(self, frame: Frame, kwargs: Mapping[str, object], output: object) -> None:
        caller = frame.parent
        if self._runs_on or self._kept_random is None or frame.handed is None or caller is None or caller.inner is None:
            return
        with self.paused():
            caller.inner.add(
                frame.module,
                output,
                fqn=frame.fqn,
                handed=frame.handed,
                kwargs=dict(kwargs),
                random_state=self._kept_random.saved(),
            )

    def _meets_at(self, frame: Frame) -> bool:
        return not self._runs_on and (self._until is None or frame in self._until.stack)

    def _record_in(self, frame: Frame | None) -> None:
        if self.recorder is not None:
            self.recorder.into = frame.pending if frame is not None and self._meets_at(frame) else None
            self.recorder.where = "" if frame is None else frame.fqn

    def _observed_name(self, module: nn.Module) -> str | None:
        if self._paused or not self._side.is_current:
            return None
        return self._names.get(id(module))


def leaves_inputs_alone(module: nn.Module) -> bool:
    """Whether the module is known not to change what it is given."""
    return type(module).__module__.startswith("torch.nn.modules.") and not getattr(module, "inplace", False)


def _may_compute(module: nn.Module) -> bool:
    """Whether the module's own code may do more than call others in turn, and can be run again."""
    return not isinstance(module, torch.jit.ScriptModule) and type(module).forward is not nn.Sequential.forward


def _handled() -> int:
    return id(error) if (error := sys.exc_info()[1]) is not None else 0
