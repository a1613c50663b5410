"""Code that shows the evidence of a claim by itself, in plain PyTorch and Transformers."""

import importlib
import inspect
import re
import sys

from precision.claims.claim import Claim
from precision.measure.claims.snippet_setup import setup
from precision.results import InputDescription
from precision.spec import RunSpec

_SHOWN = re.compile(r"from (precision\.measure\.claims\.shown\.\w+) import .+")
_ARTICLES_MODEL = re.compile(r"from (precision\.measure\.models\.articles) import (\w+)")
_FOR_CHECKERS = re.compile(r"  # (type: ignore|noqa).*")


def snippet(claim: Claim, spec: RunSpec, *, kind: str, given: InputDescription) -> str:
    """The code of one claim, to be saved as a file and run.

    What it imports of this product's plain code is written out in its place. `kind` is the class of the model that
    `spec` names, and `given` its input.
    """
    parts = [claim.code]
    if claim.on_model:
        made = setup(spec, kind=kind, given=given)
        parts = [made.model, *([made.run] if "run(" in claim.code else []), claim.code]
    if any("device" in part for part in parts):
        parts = [f"device = torch.device({spec.device.rsplit('/', 1)[-1]!r})\n", *parts]
    imports: dict[str, None] = {"import torch": None}
    seen: set[str] = set()
    body = "\n".join(_written_out(part, imports, seen) for part in parts)
    return f"{_sorted(imports)}\n\n{_FOR_CHECKERS.sub('', body)}"


def _written_out(code: str, imports: dict[str, None], seen: set[str]) -> str:
    """The code without its imports, which are added to `imports`, and with the plain code that it imports."""
    before, own = [], []
    for line in code.splitlines(keepends=True):
        if not line.startswith(("import ", "from ")):
            own.append(line)
        elif source := _source(line.strip()):
            if line not in seen:
                seen.add(line)
                before.append(f"\n{_written_out(source, imports, seen)}\n\n")
        else:
            imports[line.strip()] = None
    return "".join(before) + "".join(own).strip("\n") + "\n"


def _source(line: str) -> str | None:
    """The code behind an import, where it is this product's own plain code."""
    if found := _SHOWN.fullmatch(line):
        docstring, _, rest = inspect.getsource(importlib.import_module(found[1])).partition("\n")
        return f"# {docstring[3:-3]}\n{rest}"
    if found := _ARTICLES_MODEL.fullmatch(line):
        model = getattr(importlib.import_module(found[1]), found[2])
        return f"from torch import Tensor, nn\n{inspect.getsource(model)}"
    return None


def _sorted(imports: dict[str, None]) -> str:
    """The standard library's first."""
    standard = [line for line in imports if re.split(r"[ .]", line)[1] in sys.stdlib_module_names]
    others = [line for line in imports if line not in standard]
    return "\n\n".join("\n".join(sorted(lines)) for lines in (standard, others) if lines)
