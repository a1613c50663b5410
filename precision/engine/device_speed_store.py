"""Measured speeds of devices, kept in the data folder: one file for each device, set of instructions and torch."""

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from precision.results import DeviceInfo, DeviceSpeedResult, Environment

_FOLDER = "device-speed"
_log = logging.getLogger("precision")


def keep(result: DeviceSpeedResult, folder: Path) -> None:
    """Write a result, over the last one of the same machine; a folder that cannot be written is only logged."""
    path = _path(result.device, result.environment, folder)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whole or not at all, also where two processes write.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(result.model_dump_json())
        os.replace(file.name, path)
    except OSError as error:
        _log.warning("the speed of %s cannot be kept in %s: %s", result.device.id, path, error.strerror)


def kept(device: DeviceInfo, environment: Environment, folder: Path) -> DeviceSpeedResult | None:
    """The last result of this device, torch, platform, instruction set and threads; None without a readable file."""
    try:
        return DeviceSpeedResult.model_validate_json(_path(device, environment, folder).read_bytes())
    except (OSError, ValidationError):
        return None


def _path(device: DeviceInfo, environment: Environment, folder: Path) -> Path:
    machine = (device.id.partition(":")[0], device.name, environment.platform, environment.torch,
               environment.cpu_capability, environment.threads)  # fmt: skip
    return folder / _FOLDER / f"{hashlib.sha256(json.dumps(machine).encode()).hexdigest()[:24]}.json"
