from __future__ import annotations

from pathlib import Path

import pytest

from precision.models.roots import confined_to, is_confined, permitted


def test_confinement_ends_with_its_block(tmp_path: Path) -> None:
    assert permitted(Path("/etc")) == Path("/etc")
    with confined_to([tmp_path]):
        assert is_confined()
        assert permitted(Path("/etc")) is None
        assert permitted(tmp_path / "x") == tmp_path / "x"
    with pytest.raises(ZeroDivisionError), confined_to([tmp_path]):
        raise ZeroDivisionError
    assert not is_confined()


def test_without_roots_nothing_is_permitted() -> None:
    with confined_to([]):
        assert permitted(Path("/")) is None


@pytest.mark.parametrize("path", ["~nobody-of-that-name", "x\0y"])
def test_a_path_that_is_none(path: str) -> None:
    with confined_to([Path("/")]):
        assert permitted(Path(path)) is None
