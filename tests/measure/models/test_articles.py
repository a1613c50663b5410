import copy

import pytest
import torch
from torch import Tensor

from precision.measure.models.loading import LoadedModel, load
from precision.spec import RunSpec

ARTICLE_MAX = 0.00022590160369873047
ARTICLE_MEAN = 0.00020454823970794678


def output(model: LoadedModel) -> Tensor:
    with torch.no_grad():
        result = model.module(*model.args, **model.kwargs)
    assert isinstance(result, Tensor)
    return result


def test_tinynet_gives_the_articles_differences() -> None:
    model = load(RunSpec())
    reference = output(model)
    with torch.no_grad():
        candidate = copy.deepcopy(model.module).half()(*model.args)
    difference = (reference - candidate).abs()
    assert difference.max().item() == ARTICLE_MAX
    assert difference.mean().item() == pytest.approx(ARTICLE_MEAN, rel=1e-3)


def test_tinynet_has_the_articles_parameters_in_order() -> None:
    model = load(RunSpec())
    assert [name for name, _ in model.module.named_parameters()] == [
        "token_embedding.weight",
        "linear_1.weight",
        "linear_1.bias",
        "layernorm_1.weight",
        "layernorm_1.bias",
        "linear_2.weight",
        "linear_2.bias",
        "layernorm_2.weight",
        "layernorm_2.bias",
        "head.weight",
        "head.bias",
    ]
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}


def test_tinynet_takes_random_ids() -> None:
    model = load(RunSpec(input="random", batch=3, length=5))
    assert model.input.tensors == (("token_ids", "int64", (3, 5)),)
    assert output(model).shape == (3, 5, 2)


def test_the_custom_module() -> None:
    model = load(RunSpec(model="linear-5-10", batch=4))
    assert [name for name, _ in model.module.named_parameters()] == ["fc.weight", "fc.bias"]
    assert model.input.tensors == (("x", "float32", (4, 5)),)
    assert output(model).shape == (4, 10)
