"""The devices of this machine."""

import pytest
import torch

from precision.errors import UnsupportedError
from precision.measure.machine.devices import describe_device, device_named, list_devices


def test_the_cpu_comes_first_with_name_memory_and_formats() -> None:
    cpu = list_devices()[0]
    assert cpu.id == "cpu"
    assert cpu.name
    assert cpu.memory_bytes is not None
    assert cpu.memory_bytes > 2**28
    assert {"float64", "float32"} <= set(cpu.native_formats)
    assert not {"float8_e4m3fn", "float8_e5m2"} & set(cpu.native_formats)


def test_every_accelerator_of_torch_is_listed() -> None:
    ids = [device.id for device in list_devices()]
    assert [name for name in ids if name.startswith("cuda")] == [f"cuda:{i}" for i in range(torch.cuda.device_count())]


def test_an_absent_device_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnsupportedError, match=r"no device 'cuda:99'. Devices here: cpu"):
        describe_device(torch.device("cuda:99"))


def test_a_device_that_does_not_compute_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="'meta' does not compute"):
        describe_device(torch.device("meta"))


def test_not_a_device_at_all() -> None:
    with pytest.raises(UnsupportedError, match="'toaster' is not a device"):
        device_named("toaster")


def test_a_clusters_worker_prefix_is_ignored() -> None:
    assert device_named("gpu-box-2/cuda:1") == torch.device("cuda:1")
