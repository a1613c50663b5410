"""Which models packages and the variable add, read without importing them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

import pytest

from precision.cli.main import main
from precision.errors import InputError
from precision.models.catalogue import describe, offered
from precision.models.python_models import functions_in, python_models

POINTS = "[precision_explorer.models]\n{}\n"


class Install(Protocol):
    def __call__(self, name: str, points: str, about: str = "") -> None: ...


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put the metadata of a package where Python finds it, and no code."""

    def installed(name: str, points: str, about: str = "") -> None:
        folder = tmp_path / name / f"{name}-1.5.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.5\n{about}")
        (folder / "entry_points.txt").write_text(POINTS.format(points))
        monkeypatch.syspath_prepend(str(tmp_path / name))

    return installed


def test_a_package_is_listed_with_what_its_metadata_say(install: Install) -> None:
    install("zoo", "owl = zoo.birds:owl", "Summary: Birds.\nLicense-Expression: MIT\n")
    found = describe("python:owl")
    assert found in offered()
    assert (found.title, found.weights, found.parameters, found.licence) == ("owl", "own", None, "MIT")
    assert found.good_for == "Birds. From the package zoo 1.5."
    assert [choice.name for choice in found.inputs] == ["own"]
    assert "zoo" not in sys.modules


def test_the_variable_is_listed_and_what_it_cannot_name_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRECISION_MODELS", "my.zoo:owl, my.zoo:crow  pets:dog")
    assert list(python_models()) == ["python:crow", "python:dog", "python:owl"]
    assert main(["models"]) == 0
    assert "python:crow" in capsys.readouterr().out
    monkeypatch.setenv("PRECISION_MODELS", "my.zoo")  # the engine refuses it
    assert not python_models()


@pytest.mark.parametrize("text", ["my.zoo", "my.zoo:", ":owl", "my/zoo.py:owl", "zoo:birds.owl", "a:b[c]"])
def test_a_function_that_is_not_named_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected package\.module:function"):
        functions_in(text)


def test_two_functions_of_one_name_are_told_apart_by_nobody(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("zoo", "owl = zoo:owl")
    monkeypatch.setenv("PRECISION_MODELS", "zoo:owl")
    assert describe("python:owl").title == "owl", "the same function named twice is one"
    monkeypatch.setenv("PRECISION_MODELS", "woods:owl")
    assert not [model for model in offered() if model.id == "python:owl"]
    with pytest.raises(InputError, match=r"zoo:owl and woods:owl are both named 'python:owl'"):
        describe("python:owl")


def test_a_name_that_is_missing_is_told_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no installed package adds models, and PRECISION_MODELS names none"):
        describe("python:owl")
    monkeypatch.setenv("PRECISION_MODELS", "zoo:owl")
    with pytest.raises(InputError, match=r"Unknown model 'python:crow'\. Did you mean python:owl\?"):
        describe("python:crow")
