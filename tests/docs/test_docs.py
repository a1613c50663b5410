"""Facts in the documents that could go out of date."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from precision.cli.arguments import DOCUMENTED
from precision.engine import EngineConfig
from precision.findings.fit.fitness import Fit
from precision.results.comparison import Word
from precision.spec import Analysis, CastMethod

ROOT = Path(__file__).parents[2]
METHODS = ROOT / "docs" / "methods"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARTS = ["Question", "Mechanism", "Formula", "Limits", "Source"]

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:precision|pages|tests|docs)/[^`\s]*)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

every_method = pytest.mark.parametrize(
    "path", [path for path in sorted(METHODS.glob("*.md")) if path.name != "README.md"], ids=lambda path: path.stem
)
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(document: Path) -> set[str]:
    """What GitHub calls the headings of a document in links."""
    headings = _HEADING.findall(_BLOCK.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@every_document
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    links = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]
    for link in links:
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_document
def test_paths_exist(path: Path) -> None:
    missing = [name for name in _PATH.findall(path.read_text(encoding="utf-8")) if not (ROOT / name).exists()]
    assert not missing


def test_every_setting_of_the_engine_is_explained() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert {f"PRECISION_{field.name.upper()}" for field in fields(EngineConfig)} == set(
        re.findall(r"^\| `(PRECISION_\w+)`", text, re.MULTILINE)
    )


@pytest.mark.parametrize("name", sorted({*DOCUMENTED, *Analysis}))
def test_every_command_and_analysis_has_its_method(name: str) -> None:
    assert (METHODS / f"{name}.md").is_file()


@every_method
def test_a_method_says_what_it_rests_on(path: Path) -> None:
    assert [heading for heading in _HEADING.findall(path.read_text(encoding="utf-8")) if heading in PARTS] == PARTS


@pytest.mark.parametrize(
    ("method", "words"),
    [
        pytest.param("compare", [f"*{word}*" for word in get_args(Word)], id="verdicts"),
        pytest.param("ranges", [f"*{fit.value}*" for fit in Fit if fit is not Fit.NOTHING], id="fits"),
        pytest.param("casting", [f"`{method.value}`" for method in CastMethod], id="cast methods"),
    ],
)
def test_every_word_of_a_method_is_explained(method: str, words: list[str]) -> None:
    text = (METHODS / f"{method}.md").read_text(encoding="utf-8")
    assert not [word for word in words if word not in text]


def test_the_rooms_lie_above_one_another_as_in_the_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == ["precision"])
    assert "\n".join(["```", *layers, "```"]) in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_method_and_document_is_in_an_index() -> None:
    for index in (METHODS / "README.md", ROOT / "docs" / "README.md"):
        named = {link.partition("#")[0] for link in _LINK.findall(index.read_text(encoding="utf-8"))}
        assert {path.name for path in index.parent.glob("*.md")} - {"README.md"} <= named


def mapped_folders() -> Iterator[Path]:
    """The folders that the map of CONTRIBUTING names: each line's first words that end in a slash, by indentation."""
    blocks = _BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    tree = next(block for block in blocks if "precision/" in block)
    above: dict[int, Path] = {}
    for line in tree.splitlines()[1:-1]:
        depth = len(line) - len(line.lstrip())
        parent = max((at for at in above if at < depth), default=None)
        for word in line.split():
            if not word.endswith("/"):
                break
            folder = word.rstrip("/") if parent is None else above[parent] / word
            above = {at: known for at, known in above.items() if at < depth} | {depth: Path(folder)}
            yield Path(folder)


@pytest.mark.parametrize("top", ["precision", "pages", "tests"])
def test_the_map_names_every_room_and_no_other(top: str) -> None:
    depth = 1 if top == "tests" else None
    rooms = {path.parent.relative_to(ROOT) for path in (ROOT / top).rglob("*.*") if "__pycache__" not in path.parts}
    wanted = {Path(*room.parts[: depth + 1]) if depth else room for room in rooms}
    assert {folder for folder in mapped_folders() if folder.parts[0] == top} == wanted
