import pytest
import torch
from torch import Tensor

from precision.errors import InputError
from precision.measure.models.loading import LoadedModel, argument_names, function_named, load
from precision.models.catalogue import CATALOGUE, entry_of
from precision.spec import RunSpec

LIGHT = [row.id for row in CATALOGUE if row.family not in ("Hugging Face, full size", "Pretrained")]


def tensors(model: LoadedModel) -> list[Tensor]:
    values = [*model.module.state_dict().values(), *model.args, *model.kwargs.values()]
    return [value for value in values if isinstance(value, Tensor)]


def test_every_model_of_the_catalogue_has_a_builder() -> None:
    for description in CATALOGUE:
        assert callable(function_named(entry_of(description.id).builder))


@pytest.mark.parametrize("model_id", LIGHT)
def test_equal_specs_load_equal_bits(model_id: str) -> None:
    first, second = (load(RunSpec(model=model_id, input="random" if model_id == "digits" else "default")) for _ in "ab")
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(second), strict=True))


@pytest.mark.parametrize("model_id", LIGHT)
def test_the_seed_decides(model_id: str) -> None:
    first, second = (load(RunSpec(model=model_id, input="random", seed=seed)) for seed in (1, 2))
    assert any(not torch.equal(a, b) for a, b in zip(tensors(first), tensors(second), strict=True))


@pytest.mark.parametrize("model_id", LIGHT)
def test_a_loaded_model_is_ready_to_compare(model_id: str) -> None:
    model = load(RunSpec(model=model_id))
    assert not any(module.training for module in model.module.modules())
    assert {tensor.device.type for tensor in tensors(model)} == {"cpu"}
    assert {tensor.dtype for tensor in tensors(model) if tensor.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("model_id", LIGHT)
def test_the_catalogue_names_the_floating_point_inputs(model_id: str) -> None:
    model = load(RunSpec(model=model_id))
    given = [*zip(argument_names(model.module), model.args, strict=False), *model.kwargs.items()]
    floating = [name for name, value in given if isinstance(value, Tensor) and value.is_floating_point()]
    assert list(model.description.floating_inputs) == floating


@pytest.mark.parametrize("model_id", ["tinynet", "digits", "bert-tiny"])
def test_loading_leaves_the_process_as_it_was(model_id: str) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    try:
        model = load(RunSpec(model=model_id))
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert next(model.module.parameters()).dtype == torch.float32
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_failed_load_leaves_the_process_as_it_was() -> None:
    state = torch.get_rng_state()
    with pytest.raises(InputError, match="No folder"):
        load(RunSpec(model="hf:/no/such/folder"))
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_do_not_depend_on_the_size_of_the_input() -> None:
    small, large = (load(RunSpec(model="bert-tiny", batch=batch)) for batch in (1, 2))
    pairs = zip(small.module.state_dict().values(), large.module.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("model_id", LIGHT)
def test_a_built_in_model_asks_no_network(model_id: str, no_network: list[object]) -> None:
    load(RunSpec(model=model_id))
    assert no_network == []
