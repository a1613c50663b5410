"""Random numbers that a forward draws: those of the reference, for every precision.

torch draws other numbers in other dtypes from the same seed, so that two precisions would see other noise. Here what
the reference draws is recorded and handed to the other passes, cast. What is drawn by probabilities that the model
computes cannot be handed on, because there the draw depends on the values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_SHARED = frozenset(
    {
        *("rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "randperm"),
        *("normal_", "uniform_", "exponential_", "cauchy_", "geometric_", "log_normal_", "random_"),
        *("normal.float_float", "bernoulli_.float"),
    }
)
"""Operators whose draws depend on no value of the model, by name or by name and overload."""
_BELOW_1 = ("rand", "rand_like")
_BY_VALUES = frozenset(
    {
        *("bernoulli", "bernoulli_.Tensor", "multinomial", "poisson", "binomial", "_standard_gamma"),
        *("normal.Tensor_Tensor", "normal.Tensor_float", "normal.float_Tensor", "native_dropout", "rrelu_with_noise"),
    }
)
"""Operators whose draws depend on values that the model computes."""


class _Draw(NamedTuple):
    name: str
    values: Tensor


class Noise:
    """The random numbers of one pass of the reference."""

    def __init__(self) -> None:
        self._tape: list[_Draw] = []
        self._departed = False

    @property
    def drawn(self) -> bool:
        """Whether the reference draws random numbers in its forward."""
        return bool(self._tape) or self._departed

    @property
    def is_shared(self) -> bool:
        """Whether every pass so far saw the same ones."""
        return not self._departed

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Inside, a pass of the reference draws, and what it draws is remembered instead of what was before."""
        self._tape.clear()
        with _Recorder(self):
            yield

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Inside, a pass of the same model in another precision gets what the reference drew, cast."""
        if not self._tape:
            yield
            return
        player = _Player(self)
        with player:
            yield
        self._departed |= player.left > 0

    def remember(self, name: str, values: Tensor) -> None:
        """One draw of the reference."""
        self._tape.append(_Draw(name, values.detach().clone()))

    def nth(self, place: int) -> _Draw | None:
        """A draw of the reference; None after the last."""
        return self._tape[place] if place < len(self._tape) else None

    @property
    def draws(self) -> int:
        """How many there are."""
        return len(self._tape)

    def depart(self) -> None:
        """Some numbers differ between the passes."""
        self._departed = True


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, noise: Noise) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._noise = noise

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        drawn = func(*args, **(kwargs or {}))
        name = _shared_name(func)
        if name is not None and isinstance(drawn, Tensor):
            self._noise.remember(name, drawn)
        elif _is(func, _BY_VALUES):
            self._noise.depart()
        return drawn


class _Player(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, noise: Noise) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._noise = noise
        self._place = 0

    @property
    def left(self) -> int:
        """Draws of the reference that this pass did not make."""
        return self._noise.draws - self._place

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        drawn = func(*args, **(kwargs or {}))
        name = _shared_name(func)
        if name is None or not isinstance(drawn, Tensor):
            if _is(func, _BY_VALUES):
                self._noise.depart()
            return drawn
        draw = self._noise.nth(self._place)
        self._place += 1
        if draw is None or draw.name != name or draw.values.shape != drawn.shape:
            self._noise.depart()
            return drawn
        drawn.copy_(draw.values)
        # Uniform numbers are below 1, which rounding would make of the largest.
        return drawn.clamp_(max=1 - torch.finfo(drawn.dtype).eps / 2) if name in _BELOW_1 else drawn


def _shared_name(func: Any) -> str | None:
    return str(func.overloadpacket.__name__) if _is(func, _SHARED) else None


def _is(func: Any, names: frozenset[str]) -> bool:
    name = func.overloadpacket.__name__
    return name in names or f"{name}.{func._overloadname}" in names
