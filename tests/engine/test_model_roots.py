"""Which local folders the jobs of an engine may read, through a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from precision.engine import Engine, EngineConfig
from precision.spec import Analysis, RunSpec
from tests.conftest import PATIENCE_S


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(replace(EngineConfig.from_environment(), model_roots=(tmp_path / "root",)))
    engine.start()
    yield engine
    engine.close()


def test_a_job_reads_only_what_is_inside_the_roots(engine: Engine, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=16,
    )  # fmt: skip
    for name in ("root/inside", "outside"):
        BertModel(config).save_pretrained(tmp_path / name)

    def ended(name: str) -> tuple[str, str | None]:
        spec = RunSpec(model=f"hf:{tmp_path / name}", input="random", batch=1, length=4, analysis=Analysis.MEMORY)
        job = engine.wait(engine.submit(spec, "ada").id, PATIENCE_S)
        return job.status, job.error

    assert ended("root/inside") == ("done", None)
    refused = {name: ended(name) for name in ("outside", "none", "root/../outside")}
    assert {status for status, _ in refused.values()} == {"failed"}
    assert all("PRECISION_MODEL_ROOTS" in str(error) for _, error in refused.values())
