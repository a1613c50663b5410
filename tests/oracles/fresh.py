"""Exported code, run in another process on a model that it builds again: `python -m tests.oracles.fresh FOLDER`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tests.oracles.everything import build
from tests.oracles.structures import with_tensors

ROOT = Path(__file__).parents[2]


def run_fresh(folder: Path, tasks: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """What models return whose code was lowered in a fresh process, where this product's package is not imported.

    Args:
        folder: an empty one, to hand over tasks and outputs.
        tasks: by any name, the name of a model that `build` knows, and the exported code.
    """
    (folder / "tasks.json").write_text(json.dumps(dict(tasks)), encoding="utf-8")
    command = [sys.executable, "-m", "tests.oracles.fresh", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = torch.load(folder / "outputs.pt", weights_only=False)
    return found


def _main(folder: Path) -> None:
    outputs = {}
    for task, (name, code) in json.loads((folder / "tasks.json").read_text(encoding="utf-8")).items():
        module, args, kwargs = build(name)
        exported: dict[str, Any] = {}
        exec(compile(code, task, "exec"), exported)  # noqa: S102
        lowered = exported["lower_layers"](module)
        args, kwargs = with_tensors((args, kwargs), lambda tensor: tensor.detach().clone())
        torch.manual_seed(0)
        with torch.no_grad():
            outputs[task] = lowered(*args, **kwargs)
    if not any(name.startswith("file:") for name, _ in json.loads((folder / "tasks.json").read_text()).values()):
        assert not any(name.split(".")[0] == "precision" for name in sys.modules)
    torch.save(outputs, folder / "outputs.pt")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
