"""Files that browsers keep."""

from __future__ import annotations

import hashlib
from itertools import chain
from pathlib import Path

import pytest

from pages.ui import packaged

FOLDERS = tuple(Path(packaged.__file__).parent.rglob("assets"))
KEPT = sorted(chain.from_iterable(folder.glob(f"*-*.{kind}") for folder in FOLDERS for kind in ("js", "css")))
VENDORED = "dagre"


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.name)
def test_files_that_browsers_keep_are_named_after_their_content(file: Path) -> None:
    name, _, rest = file.stem.partition("-")
    if name != VENDORED:  # named after its version
        assert rest == hashlib.sha256(file.read_bytes()).hexdigest()[:8]


def test_each_component_has_one_file_of_each_kind() -> None:
    names = {file.stem.partition("-")[0] for file in KEPT} - {VENDORED}
    assert names == {"graph", "share", "theme", "tour", "upload"}
    assert all(sum(file.match(f"{name}-*") for file in KEPT) == 2 for name in names)
