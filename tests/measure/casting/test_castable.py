"""What cannot be cast is found up front and explained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from precision.errors import UnsupportedError
from precision.measure.casting import castable


class Holding(nn.Module):
    """A model with one buffer."""

    def __init__(self, tensor: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("held", tensor)


def test_plain_models_pass() -> None:
    castable.require_castable(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    castable.require_device(torch.device("cpu"), torch.float64)
    castable.require_autocast(torch.device("cpu"), torch.bfloat16)
    castable.require_unscripted(nn.Linear(1, 1))


def test_lazy() -> None:
    with pytest.raises(UnsupportedError, match=r"0\.weight is not initialised yet .* Run the model once"):
        castable.require_castable(nn.Sequential(nn.LazyLinear(3)))


def test_meta() -> None:
    with pytest.raises(UnsupportedError, match="weight is on the meta device and holds no values"):
        castable.require_castable(nn.Linear(2, 2, device="meta"))


@pytest.mark.filterwarnings("ignore")
def test_quantized_tensor() -> None:
    quantized = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    with pytest.raises(UnsupportedError, match="held is a quantized tensor"):
        castable.require_castable(Holding(quantized))


@pytest.mark.filterwarnings("ignore")
def test_quantized_module() -> None:
    module = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
        nn.Sequential(nn.Linear(3, 3)), {nn.Linear}
    )
    with pytest.raises(UnsupportedError, match=r"0 \(Linear\) is quantized"):
        castable.require_castable(module)


def test_sparse() -> None:
    with pytest.raises(UnsupportedError, match=r"held is sparse .*to_dense"):
        castable.require_castable(Holding(torch.eye(3).to_sparse()))


def test_a_tensor_that_wraps_others() -> None:
    nested = torch.nested.nested_tensor([torch.ones(1), torch.ones(2)], layout=torch.jagged)
    with pytest.raises(UnsupportedError, match="held is"):
        castable.require_castable(Holding(nested))


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(UnsupportedError, match="no device 'cuda:99'"):
        castable.require_device(torch.device("cuda:99"), torch.float32)


def test_the_meta_device() -> None:
    with pytest.raises(UnsupportedError, match="meta device holds no values"):
        castable.require_device(torch.device("meta"), torch.float32)


def test_a_dtype_that_the_device_cannot_store() -> None:
    with pytest.raises(UnsupportedError, match=r"cpu cannot store float4_e2m1fn_x2 .* Choose float32, float16"):
        castable.require_device(torch.device("cpu"), torch.float4_e2m1fn_x2)


@pytest.mark.filterwarnings("ignore")
def test_autocast_that_takes_no_effect() -> None:
    with pytest.raises(UnsupportedError, match="autocast to float8_e5m2 is not supported on cpu"):
        castable.require_autocast(torch.device("cpu"), torch.float8_e5m2)


def test_autocast_on_an_unknown_kind_of_device() -> None:
    with pytest.raises(UnsupportedError, match="autocast to float16 is not supported on meta"):
        castable.require_autocast(torch.device("meta"), torch.float16)


def test_a_scripted_part() -> None:
    with pytest.raises(UnsupportedError, match="0 is a TorchScript module"):
        castable.require_unscripted(nn.Sequential(torch.jit.script(nn.ReLU())))
