"""The test task on a machine that says it has an accelerator beside its CPU."""

from __future__ import annotations

import precision.measure.machine.devices
from precision.results import DeviceInfo
from tests.engine.tasks import run

__all__ = ["run"]


def _two_devices() -> tuple[DeviceInfo, ...]:
    return tuple(DeviceInfo(id=name, name=name.upper(), memory_bytes=None) for name in ("cpu", "cuda:0"))


precision.measure.machine.devices.list_devices = _two_devices  # in the worker's process only
