from typing import Any

import pytest
import torch
from torch import Tensor

from precision.measure.models.huggingface import module_of
from precision.measure.models.loading import load
from precision.models.architectures import ARCHITECTURES, Architecture
from precision.spec import RunSpec

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda row: row.id)
SMALL = [row.id for row in ARCHITECTURES.values() if not row.full_size]


@every_architecture
def test_the_parameter_count_is_the_catalogues(architecture: Architecture) -> None:
    with torch.device("meta"):
        module = module_of(architecture)
    assert sum(parameter.numel() for parameter in module.parameters()) == architecture.parameters


@pytest.mark.parametrize("model_id", ["bert-tiny", "bert-base", "gpt2-tiny", "gpt2-base"])
def test_the_longest_input_is_the_number_of_positions(model_id: str) -> None:
    with torch.device("meta"):
        module: Any = module_of(ARCHITECTURES[model_id])
    assert ARCHITECTURES[model_id].max_length == module.config.max_position_embeddings


@pytest.mark.parametrize("model_id", SMALL)
def test_outputs_are_tensors_and_repeat_exactly(model_id: str) -> None:
    model = load(RunSpec(model=model_id))
    with torch.no_grad():
        first, second = (model.module(*model.args, **model.kwargs) for _ in "ab")
    assert len(first) > 0
    for name, value in first.items():
        assert isinstance(value, Tensor), name
        assert torch.isfinite(value).all()
        assert torch.equal(value, second[name])


@pytest.mark.parametrize("model_id", SMALL)
def test_batch_is_the_first_dimension_of_every_input(model_id: str) -> None:
    model = load(RunSpec(model=model_id, batch=3))
    assert {shape[0] for _, _, shape in model.input.tensors} == {3}


@pytest.mark.parametrize("model_id", [row for row in SMALL if ARCHITECTURES[row].length is not None])
def test_the_longest_input_runs(model_id: str) -> None:
    longest = ARCHITECTURES[model_id].max_length
    model = load(RunSpec(model=model_id, batch=1, length=longest))
    assert {shape for _, _, shape in model.input.tensors} == {(1, longest)}
    with torch.no_grad():
        assert torch.isfinite(model.module(**model.kwargs)["logits"]).all()
