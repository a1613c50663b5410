"""What a worker announces, held against what is here."""

from __future__ import annotations

import pytest

from precision.engine.announcement import Announcement, code_version, versions
from precision.errors import JobError


def announcement(**changed: str) -> Announcement:
    return Announcement(precision=code_version(), versions=versions() | changed, devices=())


def test_equal_versions_say_nothing() -> None:
    assert announcement().checked("box") == ()


def test_other_versions_are_named_with_those_here() -> None:
    own = versions()["torch"]
    assert announcement(torch="0.1").checked("box") == (f"torch 0.1, here {own}",)


def test_a_package_that_one_side_lacks() -> None:
    assert announcement(flux="3.1").checked("box") == ("flux 3.1, here missing",)
    known = {name: text for name, text in versions().items() if name != "numba"}
    assert announcement().model_copy(update={"versions": known}).checked("box") == (
        f"numba missing, here {versions()['numba']}",
    )


def test_builds_for_a_cpu_and_a_gpu_are_one_version() -> None:
    assert not any("+" in text for text in versions().values())


def test_other_code_is_refused() -> None:
    other = announcement().model_copy(update={"precision": "0.0.9 (00000000)"})
    with pytest.raises(JobError, match=r"The worker 'box' has Precision Explorer 0\.0\.9 \(00000000\), this server "):
        other.checked("box")
