from __future__ import annotations

import sys
import time
from contextlib import suppress

import pytest
import torch
from torch import nn

from precision.errors import InputError
from precision.measure.models.bounded_build import bounded_build


def test_modules_are_counted() -> None:
    with bounded_build("config.json", parts=11):
        nn.ModuleList(nn.Identity() for _ in range(10))
    with (
        pytest.raises(
            InputError,
            match=r"config\.json asks for a model of more than 10 modules and parameters\. It is not built\.",
        ),
        bounded_build("config.json", parts=10),
    ):
        nn.ModuleList(nn.Identity() for _ in range(10))
    with pytest.raises(InputError, match="more than 10 modules"), bounded_build("config.json", parts=10):
        nn.ParameterList(nn.Parameter(torch.zeros(1, device="meta")) for _ in range(10))


def test_computing_is_bounded_whatever_a_library_does_with_exceptions() -> None:
    def library() -> None:
        while True:
            with suppress(Exception):
                time.monotonic()

    with (
        pytest.raises(InputError, match=r"asks for a model of more than 0\.05 s to build"),
        bounded_build("config.json", seconds=0.05),
    ):
        library()


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not bound a process there")
def test_memory_is_bounded() -> None:
    with (
        pytest.raises(InputError, match=r"config\.json asks for more than 0\.25 GiB"),
        bounded_build("config.json", allocated=2**28),
    ):
        [0] * 2**27


def test_nothing_is_left_behind() -> None:
    import resource

    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    before = sys.getprofile(), (hard, hard)
    with pytest.raises(InputError), bounded_build("config.json", parts=0):
        nn.Identity()
    assert (sys.getprofile(), resource.getrlimit(resource.RLIMIT_AS)) == before
    nn.Identity()
