"""A run in which values that leave the range of a format are computed divided by a power of two.

Division and multiplication by a power of two are exact. An operator whose result scales with its arguments, such as
`linear` or `norm`, is given divided arguments where its result would overflow, and multiplied ones where it would
underflow. What is made of the result stays divided until it fits, or until the factor cancels.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from precision.errors import UnsupportedError
from precision.measure.casting.cast_model import PreparedRun
from precision.measure.casting.changed_operators import Arguments, open_calls
from precision.measure.casting.forward import map_tensors, tensors_of
from precision.measure.casting.memory_spans import storage_of
from precision.measure.casting.operator_names import operator_name
from precision.measure.casting.scaling_rules import OUT_OF_PLACE, WITHOUT_NUMBERS, Rule, rule_of
from precision.results.remedies import ScaleKind, ScaleStep

T = TypeVar("T")

_BITS = (0, 4, 8, 12, 16, 20, 24, -4, -8, -12, -16, -20, -24)
"""Powers of two to try, the least change first: more than 24 is beyond the digits of float32."""


def run_scaled(run: PreparedRun, *, fqn: str | None, wide: torch.dtype) -> tuple[object, tuple[ScaleStep, ...]]:
    """The output of a run with scales where they are needed, and each place where values are scaled.

    Values that become infinite or NaN are scaled everywhere; those that become 0 only in module `fqn` (of the
    model itself, in its own code), and where they are scaled already. Always only where the operator in `wide` gives
    something else.

    Raises:
        UnsupportedError: an operator writes to scaled values.
    """
    with (
        open_calls(run.module) as calls,
        _Scaling(calls, fqn, wide) as scaling,
        register_module_forward_pre_hook(scaling.begin),
    ):
        output = run()
    output = scaling.plain(output, "back")
    steps = (
        step if scaling.several[step.fqn, step.operator] else step.model_copy(update={"call": 0})
        for step in scaling.steps
    )
    return output, tuple(dict.fromkeys(steps))


_DIGITS_LOST = 2.0**-9
"""A subnormal result that is further off, as a share of itself, counts as lost, as 0 does."""


class _Call(NamedTuple):
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    bits: int
    """The result is divided by 2 to this power."""
    steps: tuple[ScaleStep, ...]


class _Scaling(TorchFunctionMode):
    """Runs operators on scaled values; which tensors hold such is known by their memory."""

    def __init__(self, calls: list[str], fqn: str | None, wide: torch.dtype) -> None:
        super().__init__()
        self._calls, self._fqn, self._wide = calls, fqn, wide
        self._held: dict[int, tuple[Tensor, int]] = {}
        self.steps: list[ScaleStep] = []
        self._count: Counter[tuple[str, str]] = Counter()
        """Of the operators that each module's running call has called, by fqn and name."""
        self.several: dict[tuple[str, str], bool] = defaultdict(bool)
        """Of which of them there was more than one."""

    def begin(self, *_: object) -> None:
        """A module is called: its operators are counted anew."""
        for key in [key for key in self._count if key[0] == self._here]:
            del self._count[key]

    @property
    def _here(self) -> str:
        return self._calls[-1] if self._calls else ""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> object:
        given, name = (args, dict(kwargs or {})), operator_name(func)
        rule, key = rule_of(func, name, given), (self._here, name)
        self._count[key] += 1
        self.several[key] |= self._count[key] > 1
        sources = {storage_of(each) for each in tensors_of(given) if self._bits(each)}
        if rule is None:
            return self._run_plain(func, name, given) if sources else func(*args, **given[1])
        call, output = self._best(OUT_OF_PLACE.get(name, func), name, given, rule, is_scaled=bool(sources))
        self.steps += call.steps
        if name in OUT_OF_PLACE:
            return self._written(args[0], output, call.bits)
        return map_tensors(output, partial(self._kept, name=name, bits=call.bits, sources=sources))

    def plain(self, structure: T, kind: ScaleKind, name: str = "") -> T:
        """A structure with its scaled values as they are without a scale."""

        def one(tensor: Tensor) -> Tensor:
            if bits := self._bits(tensor):
                self.steps.append(self._step(kind, name, bits))
            return _divided(tensor, -bits)

        return map_tensors(structure, one)

    def _bits(self, value: object) -> int:
        found = self._held.get(storage_of(value)) if isinstance(value, Tensor) and self._held else None
        return found[1] if found else 0

    def _step(self, kind: ScaleKind, operator: str, bits: int) -> ScaleStep:
        call = self._count[self._here, operator]
        return ScaleStep(kind=kind, fqn=self._here, operator=operator, call=call, bits=bits)

    def _run_plain(self, func: Any, name: str, given: Arguments) -> object:
        """An operator of which it is not known how it scales."""
        if getattr(func, "__name__", "") == "__get__" or name in _ABOUT:
            return func(*given[0], **given[1])
        if (name.endswith("_") or name == "setitem") and self._bits(given[0][0]):
            raise UnsupportedError(f"Operator {name} writes to values that would have to be scaled.")
        args, kwargs = self.plain(given, "before", name)
        return func(*args, **kwargs)

    def _best(self, func: Any, name: str, given: Arguments, rule: Rule, *, is_scaled: bool) -> tuple[_Call, Any]:
        """The call with the least scaling that loses least, and its output."""
        best: tuple[tuple[int, int], _Call, Any] | None = None
        for bits in _BITS:
            call = self._call(name, given, rule, bits)
            output = func(*call.args, **call.kwargs)
            lost = self._lost(func, call, output, is_scaled=is_scaled and call.bits != 0)
            if bits:
                spoiled = zip(_unusable((call.args, call.kwargs)), _unusable(given), lost, strict=True)
                infinite, small = (number + max(after - before, 0) for after, before, number in spoiled)
                lost = infinite, small
            if best is None or lost < best[0]:
                best = lost, call, output
            if best[0] == (0, 0):
                break
        return best[1:]  # type: ignore[index]

    def _lost(self, func: Any, call: _Call, output: object, *, is_scaled: bool) -> tuple[int, int]:
        """How many results are not finite, and how many became 0 or lost digits, as they do not in wide arithmetic."""
        results = [each for each in tensors_of(output) if each.is_floating_point()]
        here = self._here
        inside = is_scaled or here == self._fqn or (bool(self._fqn) and here.startswith(f"{self._fqn}."))
        is_fine = not inside and all(bool(each.isfinite().all()) for each in results)
        if not results or is_fine or results[0].dtype == self._wide:
            return 0, 0
        args, kwargs = map_tensors((call.args, call.kwargs), self._widened)
        with torch.autocast(results[0].device.type, enabled=False):
            exact = [each for each in tensors_of(func(*args, **kwargs)) if each.is_floating_point()]
        lost = [_lost_of(*pair, zeros=inside) for pair in zip(results, exact, strict=True)]
        return sum(infinite for infinite, _ in lost), sum(small for _, small in lost)

    def _widened(self, tensor: Tensor) -> Tensor:
        return tensor.to(torch.promote_types(tensor.dtype, self._wide)) if tensor.is_floating_point() else tensor

    def _call(self, name: str, given: Arguments, rule: Rule, extra: int) -> _Call:
        if rule.together:
            return self._together(name, given, extra)
        if rule.is_exponential:
            (first, *others), kwargs = self.plain(given, "before", name)
            shift = [self._step("shift", name, extra)] if extra else []
            return _Call((first - extra * math.log(2) if extra else first, *others), kwargs, extra, tuple(shift))
        args, kwargs = [*given[0]], dict(given[1])
        powers = rule.powers
        exponent = sum(power * self._bits(arg) for power, arg in zip(powers, args, strict=False))
        least = max(filter(None, (self._bits(each) for _, each in _named(given, rule.added))), default=-math.inf)
        while powers[0] and (exponent + powers[0] * extra < least or (exponent + powers[0] * extra) % 1):
            extra += 1
        steps = [self._step("first", name, extra)] if extra else []
        first, args[0] = self._bits(args[0]) + extra, _divided(args[0], extra)
        bits = int(exponent + powers[0] * extra)
        for key, value in _named(given, rule.added):
            if value is not None and (more := bits - self._bits(value)):
                (args if isinstance(key, int) else kwargs)[key] = _divided(value, more)  # type: ignore[index]
                steps.append(self._step("added", name, more))
        if rule.eps and first:
            eps = kwargs.get("eps")
            kwargs["eps"] = (torch.finfo(args[0].dtype).eps if eps is None else eps) * 2.0 ** (-rule.eps * first)
            steps.append(self._step("eps", name, rule.eps * first))
        return _Call(tuple(args), kwargs, bits, tuple(steps))

    def _together(self, name: str, given: Arguments, extra: int) -> _Call:
        bits = max((self._bits(each) for each in tensors_of(given) if each.is_floating_point()), default=0) + extra
        if not bits:
            return _Call(given[0], given[1], 0, ())
        steps = []

        def one(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return tensor
            if more := bits - self._bits(tensor):
                steps.append(self._step("all" if extra else "added", name, more))
            return _divided(tensor, more)

        args, kwargs = map_tensors(given, one)
        if name not in WITHOUT_NUMBERS:
            args = tuple(_divided(arg, bits) if _is_number(arg) else arg for arg in args)
            kwargs = {
                key: _divided(arg, bits) if key != "alpha" and _is_number(arg) else arg for key, arg in kwargs.items()
            }
            if any(_is_number(arg) and arg for arg in (*given[0], *given[1].values())):
                steps.append(self._step("added", name, bits))
        return _Call(args, kwargs, bits, tuple(steps))

    def _kept(self, tensor: Tensor, *, name: str, bits: int, sources: Collection[int]) -> Tensor:
        """A result as it goes on: without its scale where it fits so, and else held."""
        where = storage_of(tensor)
        if not bits or not tensor.is_floating_point() or where in sources:
            return tensor
        plain = _divided(tensor, -bits)
        finite = tensor.isfinite()
        if not where or bool(((_divided(plain, bits) == tensor) | ~finite).all()):
            self.steps.append(self._step("back", name, bits))
            return plain
        self._held[where] = tensor, bits
        return tensor

    def _written(self, target: Tensor, output: Tensor, bits: int) -> Tensor:
        """`target`, with the output in the place of its values."""
        where = storage_of(target)
        held = self._bits(target)
        if target.untyped_storage().nbytes() == target.numel() * target.element_size() and where:
            self._held[where] = target, bits
            held = bits
        return target.copy_(_divided(output, held - bits))


_ABOUT = frozenset(
    {"size", "dim", "numel", "stride", "is_floating_point", "is_contiguous", "data_ptr", "requires_grad_"}
)
"""Operators that do not look at values."""


def _named(given: Arguments, names: Iterable[int | str]) -> list[tuple[int | str, Any]]:
    args, kwargs = given
    found = [(name, args[name] if name < len(args) else None) for name in names if isinstance(name, int)]
    return [*found, *((name, kwargs.get(name)) for name in names if isinstance(name, str))]


def _divided(value: T, bits: int) -> T:
    return value * 2.0**-bits if bits else value  # type: ignore[operator, return-value]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _unusable(structure: object) -> tuple[int, int]:
    """How many values are infinite or NaN, and how many 0."""
    numbers = [each for each in tensors_of(structure) if each.is_floating_point()]
    return sum(int((~each.isfinite()).sum()) for each in numbers), sum(int((each == 0).sum()) for each in numbers)


def _lost_of(low: Tensor, wide: Tensor, *, zeros: bool) -> tuple[int, int]:
    """Results that are not what they are in wide arithmetic; a mask of one negative number is meant to be −inf."""
    bad = ~low.isfinite() & wide.isfinite()
    there = wide[bad]
    if there.numel() and bool((there == there[0]).all()) and bool(there[0] < 0) and bool((low[bad] < 0).all()):
        bad = torch.zeros_like(bad)
    is_small = low.abs() < torch.finfo(low.dtype).smallest_normal
    small = is_small & ((low - wide).abs() > _DIGITS_LOST * wide.abs())
    return int(bad.sum()), int(small.sum()) if zeros else 0
