from __future__ import annotations

import os
from pathlib import Path

import pytest

from precision.engine import EngineConfig
from precision.errors import InputError


def test_nothing_set_gives_the_defaults() -> None:
    config = EngineConfig.from_environment({})
    assert config == EngineConfig()
    assert (config.time_limit, config.queue_limit, config.session_limit) == (900.0, 20, 2)
    assert config.scheduler is None
    assert config.sandbox
    assert 1 <= config.threads <= (os.cpu_count() or 1)
    assert config.memory_limit > 2**26


def test_an_empty_variable_counts_as_not_set() -> None:
    assert EngineConfig.from_environment({"PRECISION_SCHEDULER": " "}).scheduler is None


def test_every_variable_is_read() -> None:
    config = EngineConfig.from_environment(
        {
            "PRECISION_MEMORY_LIMIT": "1.5GiB",
            "PRECISION_TIME_LIMIT": "30",
            "PRECISION_THREADS": "3",
            "PRECISION_QUEUE_LIMIT": "4",
            "PRECISION_SESSION_LIMIT": "5",
            "PRECISION_CANCEL_GRACE": "0.5",
            "PRECISION_SCHEDULER": "tcp://scheduler:8786",
            "PRECISION_SANDBOX": "Off",
            "PRECISION_DATA": "/data",
            "PRECISION_MODELS": "zoo:owl, my.zoo:crow",
            "PRECISION_ALLOW_CODE": "1",
            "PRECISION_MODEL_ROOTS": f"/models{os.pathsep}/more models",
        }
    )
    assert config == EngineConfig(
        memory_limit=3 * 2**29,
        time_limit=30.0,
        threads=3,
        queue_limit=4,
        session_limit=5,
        cancel_grace=0.5,
        scheduler="tcp://scheduler:8786",
        sandbox=False,
        data=Path("/data"),
        models=("zoo:owl", "my.zoo:crow"),
        allow_code=True,
        model_roots=(Path("/models"), Path("/more models")),
    )


@pytest.mark.parametrize(("text", "size"), [("512", 512), ("2 KiB", 2048), ("3MB", 3_000_000), ("1gib", 2**30)])
def test_memory_sizes(text: str, size: int) -> None:
    assert EngineConfig.from_environment({"PRECISION_MEMORY_LIMIT": text}).memory_limit == size


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("PRECISION_MEMORY_LIMIT", "lots", "expected a size"),
        ("PRECISION_MEMORY_LIMIT", "8 GiBs", "expected a size"),
        ("PRECISION_MEMORY_LIMIT", "0GiB", "more than zero"),
        ("PRECISION_TIME_LIMIT", "soon", "number of seconds"),
        ("PRECISION_TIME_LIMIT", "0", "number of seconds"),
        ("PRECISION_TIME_LIMIT", "inf", "number of seconds"),
        ("PRECISION_TIME_LIMIT", "nan", "number of seconds"),
        ("PRECISION_CANCEL_GRACE", "-1", "number of seconds"),
        ("PRECISION_THREADS", "0", "whole number"),
        ("PRECISION_THREADS", "1.5", "whole number"),
        ("PRECISION_QUEUE_LIMIT", "-3", "whole number"),
        ("PRECISION_SESSION_LIMIT", "²", "whole number"),
        ("PRECISION_SCHEDULER", "scheduler:8786", "expected an address"),
        ("PRECISION_SANDBOX", "no", "expected on or off"),
        ("PRECISION_DATA", "data", "absolute path"),
        ("PRECISION_MODELS", "zoo", "package.module:function"),
        ("PRECISION_ALLOW_CODE", "yes", "1 or 0"),
        ("PRECISION_MODEL_ROOTS", f"/models{os.pathsep}more", "expected absolute paths with '.' between them"),
        ("PRECISION_MODEL_ROOTS", f"/models{os.pathsep}", "expected absolute paths"),
    ],
)
def test_a_malformed_value_names_its_variable(variable: str, value: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"{variable} = .*{reason}"):
        EngineConfig.from_environment({variable: value})


def test_local_models_are_those_of_whoever_runs_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert EngineConfig().model_roots == (tmp_path / "home", tmp_path)
    monkeypatch.setenv("HOME", "/")
    assert EngineConfig().model_roots == (tmp_path,)
