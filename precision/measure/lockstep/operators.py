"""The operators of one side: what each returned, and the dtype that its kernels really computed in."""

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from precision.measure.casting.memory_spans import storage_of
from precision.measure.casting.operator_names import operator_name
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.lockstep.inside import Arguments, first_inside
from precision.measure.lockstep.kernels import computed, written
from precision.measure.lockstep.operator_calls import Given, KeptOutput, Nonfinite, OperatorCall
from precision.measure.lockstep.sources import Sources
from precision.measure.lockstep.values import (
    Magnitudes,
    magnitudes,
    may_be_nonfinite,
    tensors_in,
    version_of,
)
from precision.measure.rounding import dtype_name
from precision.results.layers import SCALAR

_MANY = 4096
"""From this many entries on, a table drops those of tensors that are gone."""


@dataclass(frozen=True, kw_only=True)
class Raised:
    """The operator that raised."""

    name: str
    inputs: tuple[str, ...]
    """Each floating-point argument in words: what it is, and its dtype."""
    dtypes: tuple[str, ...]
    made_in: tuple[str, ...]
    """For each of them the fqn of the module whose code gave it its dtype; empty where that is not known."""
    message: str
    """Of the error."""


@dataclass(kw_only=True, eq=False)
class _Current:
    """What is known of the operator that is running."""

    kernels: int = 0
    computed: list[str] = field(default_factory=list)
    written: list[Tensor] = field(default_factory=list)
    """Tensors that it has changed."""
    overwritten: list[Tensor] = field(default_factory=list)
    """Those of them that hold floating-point values, where these are looked at."""
    before: list[Magnitudes] = field(default_factory=list)
    """What those were like whose values it read."""


class _Made(NamedTuple):
    """What is known of where a tensor comes from."""

    tensor: weakref.ref[Tensor]
    words: str
    """What made it."""
    dtype_since: str
    """What first gave these values their dtype."""
    dtype_in: str
    """fqn of the module whose code did."""


class OperatorRecorder:
    """Records the operators of the thread in which `watching` is entered.

    Operators are what the code calls (`TorchFunctionMode`); the kernels they run, below autocast, tell what they
    compute in and what they overwrite (`TorchDispatchMode`). Operators that only look at a tensor in another way
    (views, sizes) are left out.

    With `finds_nonfinite`, the arguments of operators are kept too, and looked at where the output is not finite. What
    `module` stores is called by its name. `sources` follows where tensors come from.
    """

    def __init__(self, *, finds_nonfinite: bool, module: nn.Module | None = None) -> None:
        self.into: list[OperatorCall] | None = None
        """Where operator calls are recorded; None for nowhere."""
        self.paused = False
        self.where = ""
        """fqn of the module that operators run in now, for the words of `raised`."""
        self.raised: Raised | None = None
        """The last operator that raised."""
        self._finds_nonfinite = finds_nonfinite
        self._named = module
        self._current: _Current | None = None
        self.sources = Sources()
        self._numbers = itertools.count()
        self._kept: dict[int, list[weakref.ref[KeptOutput]]] = {}
        self._makers: dict[int, _Made] = {}

    def raised_by(self, error: BaseException | None) -> Raised | None:
        """The operator that `error` came from; None where another or none did."""
        while error is not None:
            if self.raised is not None and self.raised.message == str(error):
                return self.raised
            error = error.__cause__ or error.__context__
        return None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record inside."""
        with _Kernels(self), _Functions(self):
            yield

    def function(self, func: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """Run an operator that the model's code called."""
        if self._current is not None:
            return func(*args, **kwargs)
        if self.paused:
            result = func(*args, **kwargs)
            self.sources.handed_on(islice(tensors_in((args, kwargs)), 1), tensors_in(result))
            return result
        current = self._current = _Current()
        try:
            result = func(*args, **kwargs)
        except Exception as error:
            self.raised = self._described(func, (args, kwargs), str(error))
            raise
        finally:
            self._current = None
        if current.kernels:
            self.paused = True
            self._record(func, (args, dict(kwargs)), result, current)
            self.paused = False
        else:
            self.sources.handed_on(tensors_in((args, kwargs)), tensors_in(result))
        return result

    def kernel(self, func: Any, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """Run a kernel, whoever called it."""
        if self.paused:
            return func(*args, **kwargs)
        writes = written(func, args, kwargs)
        for tensor, is_read in writes:
            self._before_overwriting(tensor, is_read=is_read)
        result = func(*args, **kwargs)
        current = self._current
        if current is None:
            self.sources.handed_on(tensors_in((args, kwargs)), tensors_in(result), [tensor for tensor, _ in writes])
            return result
        current.written += [tensor for tensor, _ in writes]
        if not func.is_view:
            current.kernels += 1
            dtype = computed(func, (args, kwargs), result)
            if dtype is not None and dtype not in current.computed:
                current.computed.append(dtype)
        return result

    def _before_overwriting(self, tensor: Tensor, *, is_read: bool) -> None:
        for reference in self._kept.pop(storage_of(tensor), ()):
            kept = reference()
            if kept is not None and not kept.is_clone:
                kept.tensor, kept.is_clone = kept.tensor.clone(), True
        current = self._current
        if current is None or not self._finds_nonfinite or not tensor.is_floating_point():
            return
        if is_read and all(tensor is not earlier for earlier in current.overwritten):
            current.before.append(magnitudes(tensor))
        current.overwritten.append(tensor)

    def _record(self, func: Callable[..., object], given: Arguments, result: object, current: _Current) -> None:
        outputs, inputs = tuple(tensors_in(result)), tuple(tensors_in(given))
        if not outputs or self.into is None:
            self.sources.handed_on(inputs, outputs, current.written)
        if not outputs:
            return
        name = operator_name(func)
        nonfinite = _nonfinite(inputs, outputs, current) if self._finds_nonfinite and self.into is not None else None
        kept = self._given(inputs, current, named=nonfinite is not None)
        looks_inside = nonfinite is not None and _can_look_inside(current, inputs, kept)
        self._remember_makers(inputs, outputs, name)
        if self.into is None:
            return
        number, sources = next(self._numbers), self.sources.of(inputs)
        self.sources.made(number, outputs, current.written)
        self.into.append(
            OperatorCall(
                name=name,
                number=number,
                sources=sources,
                inputs=tuple(dtype_name(tensor.dtype) + ("" if tensor.dim() else SCALAR) for tensor in inputs),
                computed=tuple(current.computed),
                outputs=tuple(self._keep(tensor) for tensor in outputs),
                nonfinite=nonfinite,
                given=tuple(each for each in kept if each.tensor.is_floating_point()),
                indexes=tuple(each for each in kept if not each.tensor.dtype.is_floating_point),
                inside=first_inside(func, given) if looks_inside else None,
            )
        )

    def _given(self, inputs: tuple[Tensor, ...], current: _Current, *, named: bool) -> tuple[Given, ...]:
        """What it was given and did not overwrite; stored tensors are called by their names where `named`."""
        if not self._finds_nonfinite or self.into is None:
            return ()
        changed = {storage_of(tensor) for tensor in current.overwritten}
        stored = self._stored_names() if named else {}
        return tuple(
            Given(
                tensor=tensor.detach(),
                version=version_of(tensor),
                storage=storage_of(tensor),
                name=stored.get(storage_of(tensor), "") or self._maker(tensor),
                is_stored=storage_of(tensor) in stored or isinstance(tensor, nn.Parameter),
            )
            for tensor in inputs
            if storage_of(tensor) not in changed
        )

    def _keep(self, tensor: Tensor) -> KeptOutput:
        kept = KeptOutput(tensor=tensor.detach(), version=version_of(tensor), storage=storage_of(tensor))
        if kept.storage:
            others = [other for other in self._kept.get(kept.storage, ()) if other() is not None]
            self._kept[kept.storage] = [*others, weakref.ref(kept)]
        return kept

    def _forget_the_gone(self) -> None:
        if len(self._makers) + len(self._kept) < _MANY:
            return
        self._kept = {
            storage: alive
            for storage, references in self._kept.items()
            if (alive := [reference for reference in references if reference() is not None])
        }
        self._makers = {key: entry for key, entry in self._makers.items() if entry.tensor() is not None}

    def _remember_makers(self, inputs: Iterable[Tensor], outputs: Iterable[Tensor], name: str) -> None:
        self._forget_the_gone()
        place = f" in {self.where}" if self.where else ""
        for tensor in outputs:
            if tensor.is_floating_point():
                alike = (self._made(each) for each in inputs if each.dtype == tensor.dtype)
                since = next(((made.dtype_since, made.dtype_in) for made in alike if made is not None), None)
                dtype_since, dtype_in = since or (f"by {name}{place}", self.where)
                self._makers[id(tensor)] = _Made(weakref.ref(tensor), f"made by {name}{place}", dtype_since, dtype_in)

    def _described(self, func: Callable[..., object], given: object, message: str) -> Raised:
        names = self._stored_names()
        words, dtypes, made_in = [], [], []
        for place, tensor in enumerate(tensors_in(given), 1):
            if tensor.is_floating_point():
                dtypes.append(dtype_name(tensor.dtype))
                what = names.get(storage_of(tensor)) or f"argument {place}"
                made = self._made(tensor)
                made_in.append(made.dtype_in if made else "")
                words.append(f"{what} ({dtypes[-1]}{f', made so {made.dtype_since}' if made else ''})")
        return Raised(
            name=operator_name(func), inputs=tuple(words), dtypes=tuple(dtypes), made_in=tuple(made_in), message=message
        )

    def _made(self, tensor: Tensor) -> _Made | None:
        made = self._makers.get(id(tensor))
        return made if made is not None and made.tensor() is tensor else None

    def _maker(self, tensor: Tensor) -> str:
        made = self._made(tensor)
        return made.words if made is not None else ""

    def _stored_names(self) -> dict[int, str]:
        """What the model stores, by the addresses that are in use now."""
        if self._named is None:
            return {}
        return {storage_of(each.tensor): each.fqn for each in stored_tensors(self._named) if each.tensor.numel()}


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: OperatorRecorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[object, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        return self._recorder.function(func, args, kwargs or {})


class _Kernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, recorder: OperatorRecorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[object, ...] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        return self._recorder.kernel(func, args, kwargs or {})


def _can_look_inside(current: _Current, inputs: tuple[Tensor, ...], given: tuple[Given, ...]) -> bool:
    """Whether it runs several kernels, changes none of its inputs, and all of them are finite."""
    if current.kernels < 2 or len(given) < len(inputs):
        return False
    return not any(may_be_nonfinite(each.tensor) for each in given)


def _nonfinite(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], current: _Current) -> Nonfinite | None:
    seen = [magnitudes(tensor) for tensor in outputs if may_be_nonfinite(tensor)]
    if not any(each.has_nan or each.has_infinity for each in seen):
        return None
    changed = {storage_of(tensor) for tensor in current.overwritten}
    given = [
        magnitudes(tensor)
        for tensor in inputs
        if (tensor.is_floating_point() or tensor.is_complex()) and storage_of(tensor) not in changed
    ]
    return Nonfinite.of([*current.before, *given], output_has_nan=any(each.has_nan for each in seen))
