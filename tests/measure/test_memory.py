"""A model's bytes by theory: they are those that a cast really stores, and nothing is allocated for them."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from precision.errors import InputError
from precision.formats import ALL_FORMATS, any_format_named
from precision.measure.casting.audit import audit
from precision.measure.casting.memory_spans import MemorySpans
from precision.measure.casting.methods import cast
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.memory import model_memory, stored_bytes
from precision.measure.models.loading import load, skeleton
from precision.spec import Analysis, RunSpec
from tests.runs import measure_memory


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 20)
        self.head = nn.Linear(20, 50)
        self.head.weight = self.embedding.weight
        self.register_buffer("counts", torch.zeros(3, dtype=torch.int64))
        self.register_buffer("table", torch.ones(7), persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(ids))  # type: ignore[no-any-return]


@pytest.mark.parametrize("model", ["tinynet", "digits", "bert-tiny", "gpt2-tiny", "t5-tiny"])
def test_theory_is_what_a_cast_stores(model: str) -> None:
    module, meta = load(RunSpec(model=model)).module, skeleton(model)
    assert all(held.tensor.is_meta for held in stored_tensors(meta))
    for name in ("float64", "float16", "float8_e4m3fn", "float6_e2m3fn", "mxfp8_e4m3", "nvfp4", "int4_per_channel"):
        fmt = any_format_named(name)
        method = RunSpec(dtype=name).method
        done = audit(
            module, cast(module, fmt, method=method, device=torch.device("cpu")).stored, fmt=fmt, method=method
        )
        measured = done.bytes_after if done.estimated_bytes_after is None else done.estimated_bytes_after
        assert stored_bytes(meta, fmt) == measured, name


def test_tied_weights_count_once_without_values_too() -> None:
    with torch.device("meta"):
        module = Tied()
    memory = model_memory(module)
    assert memory.parameters == 50 * 20 + 50
    assert memory.reference_bytes == 4 * (1050 + 7) + 24
    assert memory.stored_bytes("float16") == 2 * (1050 + 7) + 24
    assert memory.stored_bytes("int8") == 1000 + 4 + 4 * (50 + 7) + 24
    assert memory.stored_bytes("no such format") is None


def test_two_tensors_without_values_are_not_taken_for_one() -> None:
    one, other = (torch.empty(10, device="meta") for _ in range(2))
    spans = MemorySpans([("one", one), ("view", one[2:4]), ("other", other)])
    assert spans.total == 80
    assert spans.tied_to("view") == "one"
    assert spans.tied_to("other") is None


def test_the_model_is_left_as_it_was() -> None:
    module = Tied()
    before = copy.deepcopy(module.state_dict())
    model_memory(module)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_every_format_has_its_bytes() -> None:
    result = measure_memory(RunSpec(model="tinynet", analysis=Analysis.MEMORY))
    assert [each.format for each in result.memory.formats] == [fmt.name for fmt in ALL_FORMATS]
    assert result.memory.stored_bytes("float16") == 60
    assert result.model.parameters == result.memory.parameters == 30


def test_only_what_is_read_tells_two_requests_apart() -> None:
    asked = RunSpec(model="digits", dtype="int8", seed=7, batch=3, analysis=Analysis.MEMORY)
    assert asked.measured == RunSpec(model="digits", analysis=Analysis.MEMORY)


def test_a_checkpoint_needs_its_configuration_alone(tmp_path: Path) -> None:
    sizes = {"hidden_size": 4096, "num_hidden_layers": 40, "num_attention_heads": 32, "intermediate_size": 16384}
    config = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 30522, **sizes}
    (tmp_path / "config.json").write_text(json.dumps(config))
    memory = measure_memory(RunSpec(model=f"hf:{tmp_path}", analysis=Analysis.MEMORY)).memory
    assert memory.parameters > 8e9
    assert memory.reference_bytes > 32e9


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown model"):
        skeleton("no-such-model")


def test_a_folder_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="No folder"):
        skeleton("hf:/no/such/folder")
