"""Models that whoever runs the server adds in Python; here they are only named, without importing their code."""

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from precision.errors import InputError
from precision.results import InputChoice, ModelDescription
from precision.text.lookup import looked_up

PYTHON_PREFIX = "python:"
GROUP = "precision_explorer.models"
"""Of the entry points by which an installed package adds models."""
VARIABLE = "PRECISION_MODELS"
"""Names functions that give a model too, as `package.module:function`."""

OWN_INPUT = InputChoice(
    name="own", description="The one that comes with the model.", real=True, takes_batch=False, sample="sample"
)


def python_models() -> Mapping[str, tuple[EntryPoint, ...]]:
    """By their ids, the functions that give these models, in alphabetical order; more than one is a mistake.

    What is installed is looked up once in a process. A malformed variable counts as empty here; see `functions_in`.
    """
    return _found(os.environ.get(VARIABLE, ""), tuple(sys.path))


@lru_cache(maxsize=4)
def _found(variable: str, _path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    try:
        named = functions_in(variable)
    except ValueError:
        named = ()
    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in (*entry_points(group=GROUP), *named):
        found.setdefault(f"{PYTHON_PREFIX}{entry.name}", {}).setdefault(entry.value, entry)
    return {model: tuple(found[model].values()) for model in sorted(found)}


def functions_in(text: str) -> tuple[EntryPoint, ...]:
    """The functions that a text names as `package.module:function`, with commas or spaces between them.

    Raises:
        ValueError: a name of another form.
    """
    values = text.replace(",", " ").split()
    named = tuple(EntryPoint(name=value.rpartition(":")[2], value=value, group=GROUP) for value in values)
    for entry in named:
        if not (EntryPoint.pattern.fullmatch(entry.value) and ":" in entry.value and entry.name.isidentifier()):
            raise ValueError(f"expected package.module:function, not {entry.value[:80]!r}")
    return named


def unambiguous() -> list[str]:
    """The ids that name one model each."""
    return [model for model, functions in python_models().items() if len(functions) == 1]


def function_of(model_id: str) -> EntryPoint:
    """The function that gives a model.

    Raises:
        InputError: there is none of this name, with those that there are; or several.
    """
    known = python_models()
    if not known:
        raise InputError(
            f"{model_id[:80]!r} is not here: no installed package adds models, and {VARIABLE} names none. "
            "docs/your_models.md says how to add one."
        )
    found = looked_up(model_id, known, unknown="Unknown model")
    if len(found) > 1:
        values = " and ".join(entry.value for entry in found)
        raise InputError(f"{values} are both named {model_id!r}. Give one of them another name.")
    return found[0]


def described(model_id: str) -> ModelDescription:
    """What is known of a model before its code is imported.

    Raises:
        InputError: as `function_of`.
    """
    return _described(function_of(model_id))


@lru_cache(maxsize=256)
def _described(entry: EntryPoint) -> ModelDescription:
    return ModelDescription(
        id=f"{PYTHON_PREFIX}{entry.name}",
        title=entry.name,
        family="Own",
        weights="own",
        licence=_stated(entry, "License-Expression") or "not stated",
        good_for=_sentence(entry),
        parameters=None,
        inputs=(OWN_INPUT,),
    )


def _sentence(entry: EntryPoint) -> str:
    if entry.dist is None:
        return f"Added to this server by {VARIABLE}: {entry.value}."
    summary = _stated(entry, "Summary").rstrip(". ")
    return f"{f'{summary}. ' if summary else ''}From the package {entry.dist.name} {entry.dist.version}."


def _stated(entry: EntryPoint, field: str) -> str:
    """What a package's metadata says; empty where there is none."""
    return entry.dist.metadata[field] if entry.dist and field in entry.dist.metadata else ""
