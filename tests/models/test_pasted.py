"""Pasted code is kept under its hash, for its owner alone, and only where it is allowed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from precision.errors import InputError
from precision.models import pasted
from precision.models.catalogue import describe

NOWHERE = f"{pasted.PASTED_PREFIX}{'0' * 64}"


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PRECISION_ALLOW_CODE", "1")
    monkeypatch.setenv("PRECISION_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "code"


def test_a_text_is_kept_under_its_hash_for_its_owner_alone(data: Path) -> None:
    model = pasted.keep("model = 'é'\r\n")
    assert pasted.keep("model = 'é'\r\n") == model
    assert pasted.text_of(model) == "model = 'é'\r\n"
    (file,) = data.iterdir()
    assert file.stem == model.removeprefix(pasted.PASTED_PREFIX)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert describe(model).title == f"Pasted code {file.stem[:8]}"


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "0", ("0" * 63) + "G"])
def test_a_text_that_is_not_here(digest: str) -> None:
    with pytest.raises(InputError, match="is not on this machine"):
        describe(f"{pasted.PASTED_PREFIX}{digest}")


def test_a_file_that_was_changed_is_not_it(data: Path) -> None:
    model = pasted.keep("a")
    next(data.iterdir()).write_text("b")
    with pytest.raises(InputError, match="is not on this machine"):
        pasted.text_of(model)


@pytest.mark.parametrize(
    ("text", "said"), [(" \n", "There is no code"), ("a" * 20_001, "has 20,001 characters; at most 20,000 are allowed")]
)
def test_a_text_that_is_none(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        pasted.keep(text)


def test_a_folder_that_is_a_file(data: Path) -> None:
    data.parent.write_text("")
    with pytest.raises(InputError, match="cannot be kept in"):
        pasted.keep("a")


def test_no_code_chosen() -> None:
    with pytest.raises(InputError, match="No code is chosen"):
        pasted.text_of(pasted.PASTED_PREFIX)


@pytest.mark.parametrize("value", ["", "0", "yes"])
def test_where_it_is_not_allowed_nothing_is_kept_or_read(
    value: str, monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    model = pasted.keep("a")
    monkeypatch.setenv("PRECISION_ALLOW_CODE", value)
    for refused in (lambda: pasted.keep("b"), lambda: pasted.text_of(model), lambda: describe(model)):
        with pytest.raises(InputError, match="PRECISION_ALLOW_CODE=1 allows it"):
            refused()
    assert len(list(data.iterdir())) == 1


def test_a_data_folder_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECISION_DATA", "data")
    with pytest.raises(InputError, match="PRECISION_DATA = 'data': expected an absolute path"):
        pasted.keep("a")
