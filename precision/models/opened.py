"""Results in a file, to be shown as if they had just been measured: the library's, of modules that are elsewhere."""

import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name

from pydantic import ValidationError

from precision.errors import InputError
from precision.results import AnalysisResult, ModelDescription
from precision.spec import Analysis, RunSpec
from precision.text.names import plain

OWN_PREFIX = "module:"
"""Start of the id of a caller's own module in its results; it cannot be loaded."""
VARIABLE = "PRECISION_OPEN"
MAX_BYTES = 64 * 2**20


def written(results: Iterable[AnalysisResult]) -> str:
    """Results as one file holds them: a list in JSON."""
    return f"[{','.join(result.model_dump_json() for result in results)}]"


@lru_cache(maxsize=2)
def read(path: Path) -> tuple[AnalysisResult, ...]:
    """The results in a file, which holds one or a list of them, as JSON; read once in a process.

    Raises:
        InputError: it cannot be read, is too large, is none, or has two results of one request.
    """
    name = plain(path.name)
    try:
        if not path.is_file():
            raise InputError(f"There is no file {plain(str(path), limit=None)}.")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} has more than {MAX_BYTES // 2**20} MiB. Save fewer results in one file.")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no JSON.") from error
    parts = found if isinstance(found, list) else [found]
    results = tuple(
        _result(part, name if part is found else f"{name}, result {at}") for at, part in enumerate(parts, 1)
    )
    if not results:
        raise InputError(f"{name} holds no result.")
    if len({request(result.spec) for result in results}) < len(results):
        raise InputError(f"{name} holds two results of one request, so that no page could tell them apart.")
    return results


def _result(part: object, where: str) -> AnalysisResult:
    try:
        analysis = Analysis(part["spec"]["analysis"])  # type: ignore[index]  # which is looked at here
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(
            f"{where} is no result that pages show. Those of the library are saved by run.save(FILE), those of the "
            "command line by --json; a sweep is only a table."
        ) from error
    kind: type[AnalysisResult] = resolve_name(analysis.info.result)
    try:
        return kind.model_validate_json(json.dumps(part))
    except ValidationError as error:
        first = error.errors()[0]
        place, why = plain(".".join(map(str, first["loc"]))), plain(first["msg"], limit=None)
        raise InputError(f"{where} is no {analysis} of this version of Precision Explorer: {place}: {why}.") from error
    except InputError as error:
        raise InputError(f"{where} has a request that is none. {error}") from error


def request(spec: RunSpec) -> str:
    """What tells the results in a file apart.

    Formats of a sensitivity do not, where the module is elsewhere: what was measured is all that there is.
    """
    measured = spec.measured
    if is_elsewhere(spec.model):
        measured = measured.model_copy(update={"formats": (), "exact": False})
    return measured.digest()


def is_elsewhere(model_id: str) -> bool:
    """Whether a model is somebody's own module, which only the process has that made it."""
    return model_id.startswith(OWN_PREFIX)


def file_now(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file that this process shows; None without one."""
    text = environment.get(VARIABLE, "").strip()
    return Path(text) if text else None


def results_of(model_id: str) -> tuple[AnalysisResult, ...]:
    """What the file that this process shows has of a model; nothing where it is not one."""
    try:
        every = read(path) if (path := file_now()) else ()
    except InputError:  # said when the server starts
        return ()
    return tuple(result for result in every if result.spec.model == model_id)


def described(model_id: str) -> ModelDescription:
    """A module that is elsewhere, as the results in the file describe it.

    Raises:
        InputError: the file has no results of it, or there is none.
    """
    models = (getattr(result, "model", None) for result in results_of(model_id))
    found = next((model for model in models if isinstance(model, ModelDescription)), None)
    if found is None:
        raise InputError(
            f"{model_id[:80]!r} is a caller's own module: it only exists in the Python process that made it. "
            "There, run.open() shows its results here."
        )
    said = {"good_for": "Its results are from a file: the module itself is not here.", "licence": "not stated"}
    return found.model_copy(update={"id": model_id, **said})


def elsewhere() -> Mapping[str, str]:
    """By their ids, the modules that the file has results of, each with the file's name."""
    path = file_now()
    try:
        results = read(path) if path else ()
    except InputError:
        return {}
    models = dict.fromkeys(result.spec.model for result in results if is_elsewhere(result.spec.model))
    return {model: f"{plain(described(model).title)} (from {plain(path.name)})" for model in models} if path else {}
