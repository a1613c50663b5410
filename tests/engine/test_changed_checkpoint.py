"""A checkpoint that changes on disk between two runs of one spec, through a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from precision.engine import Engine, Job
from precision.results import CompareResult
from precision.spec import RunSpec
from tests.conftest import PATIENCE_S
from tests.engine.conftest import config_with


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(config_with(model_roots=(tmp_path,)))
    engine.start()
    yield engine
    engine.close()


def save(folder: Path, *, seed: int) -> None:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)


def test_new_weights_in_the_folder_give_new_numbers(engine: Engine, tmp_path: Path) -> None:
    spec = RunSpec(model=f"hf:{tmp_path}", input="random", batch=1, length=4)

    def measured() -> tuple[Job, float]:
        job = engine.wait(engine.submit(spec, "ada").id, PATIENCE_S)
        assert isinstance(job.result, CompareResult), job.error
        assert job.result.comparison is not None
        return job, job.result.comparison.overall.mean_abs_error or 0.0

    save(tmp_path, seed=0)
    first, error = measured()
    assert measured()[0].id == first.id, "unchanged files: the result is kept"
    save(tmp_path, seed=1)
    assert not engine.is_current(first)
    second, new_error = measured()
    assert second.id != first.id
    assert new_error != error
