from collections.abc import Callable

import numba
import pytest

from precision import compiling


def test_without_a_place_to_keep_compiled_code_it_is_compiled_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def njit(*, cache: bool = False, **options: object) -> Callable[[Callable[..., object]], Callable[..., object]]:
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert compiling.compiled(abs) is abs
    assert asked == [True, False]
