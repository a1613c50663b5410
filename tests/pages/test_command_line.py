"""The command that a page shows is one that the command line takes, and it asks for the same run."""

from __future__ import annotations

import shlex

import pytest

from pages.ui.frame import command_line
from precision.cli.arguments import parser, settings_of
from precision.spec import Analysis, RunSpec

OF_NO_PAGE = (Analysis.MEMORY, Analysis.DEVICE_SPEED)


@pytest.mark.parametrize("analysis", [each for each in Analysis if each not in OF_NO_PAGE], ids=str)
@pytest.mark.parametrize(
    "settings",
    [
        {"model": "bert-tiny", "dtype": "bfloat16", "seed": "7", "batch": "2"},
        {"model": "tinynet", "dtype": "float16", "method": "autocast", "device": "cpu"},
        {"model": "hf:owner/a model", "dtype": "int8", "method": "dynamic"},
    ],
    ids=lambda settings: str(settings["model"]),
)
def test_a_shown_command_asks_for_the_same_run(analysis: Analysis, settings: dict[str, str]) -> None:
    spec = RunSpec.parse({**settings, "analysis": analysis.value}).measured
    words = shlex.split(command_line(spec))
    assert words[:3] == ["python", "-m", "precision"]
    arguments = parser().parse_args(words[3:])
    assert arguments.command == analysis.value
    assert RunSpec.parse({**settings_of(arguments), "analysis": analysis.value}).measured == spec
