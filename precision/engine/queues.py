"""The queues of jobs: which device each serves, what its jobs wait for, and whether there are any at all."""

from collections.abc import Mapping

from precision.engine.job import STARTING
from precision.errors import InputError, JobError
from precision.results import DeviceInfo


class Queues:
    """What the `JobBook` knows of lanes, under its lock."""

    def __init__(self) -> None:
        self.devices: dict[str, DeviceInfo] | None = None
        """By id; None until the first worker has told them."""
        self.suspended: str | None = None
        """Why no job is taken until there are devices again."""
        self.closed: str | None = None
        """Why no job is taken any more."""
        self._queue_of: Mapping[str, str] = {}
        self._stages: dict[str, str] = {}

    def set_devices(self, devices: tuple[DeviceInfo, ...], queue_of: Mapping[str, str]) -> None:
        """Replace the devices, and take jobs again after `suspended`."""
        self.devices = {device.id: device for device in devices}
        self.suspended = None
        self._queue_of = dict(queue_of)

    def set_stage(self, queue: str, stage: str) -> None:
        """What the jobs of a queue wait for."""
        self._stages[queue] = stage

    def of(self, device: str) -> str | None:
        """The queue that serves a device."""
        return self._queue_of.get(device)

    def stage(self, device: str) -> str:
        """What a job for a device waits for."""
        return STARTING if self.devices is None else self._stages.get(self._queue_of.get(device, ""), "waiting")

    def check_open(self) -> None:
        """Whether jobs are taken.

        Raises:
            JobError: they are not.
        """
        if (reason := self.closed or self.suspended) is not None:
            raise JobError(reason)

    def check_device(self, device: str) -> None:
        """Whether a device is there, as far as is known.

        Raises:
            InputError: it is not.
        """
        if self.devices is not None and device not in self.devices:
            known = ", ".join(self.devices) or "none at present"
            raise InputError(f"Unknown device {device[:80]!r}. Devices here: {known}.")
