"""The engine's event loop: the cluster and its lanes, kept up until closed. Imports Dask; started in a thread."""

import asyncio
import logging
import secrets
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from precision.analyses import result_type
from precision.engine.announcement import Announcement, other_code
from precision.engine.book import JobBook
from precision.engine.cluster import Cluster
from precision.engine.config import EngineConfig
from precision.engine.hosts import ClusterHost, Host, LocalHost
from precision.engine.job import EngineState
from precision.engine.lane import Lane
from precision.engine.processes import ProcessContext
from precision.engine.sandbox import PROTECTIONS
from precision.errors import JobError
from precision.results import DeviceInfo
from precision.spec import RunSpec

_log = logging.getLogger("precision.engine")

_FIRST = "cpu"
"""The first worker here, which tells what devices there are; each further device has a worker of its name."""
_LOOK_FOR_WORKERS_EVERY_S = 1.0
_RETRY_AFTER_S = 2.0
_OF_OTHER_CODE = (ImportError, AttributeError, ValidationError)
"""What a worker raises, or makes of its announcement, that has no or another Precision Explorer."""
_MEMORY_TOPIC = "worker-restart-memory"
"""Where Dask's nannies publish that they end a worker for its memory."""


@dataclass(eq=False, kw_only=True)
class Service:
    """Keeps a cluster and a lane per worker; for one event loop."""

    config: EngineConfig
    task: str
    """`module:function` that jobs run."""
    book: JobBook
    processes: ProcessContext | None
    """How to start workers here; None where they are somebody else's."""
    report: Callable[[EngineState, str | None], None]
    """Told of every change of state, with the reason of a failure."""

    def __post_init__(self) -> None:
        self._topic = f"precision-explorer-{secrets.token_hex(8)}"
        self._lanes: dict[str, Lane] = {}
        self._logged: set[str] = set()
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._devices_of: dict[str, tuple[DeviceInfo, ...]] = {}
        self.protections: dict[str, tuple[str, ...]] = {}
        """What each worker has given up, by its name."""

    async def run(self) -> None:
        """Serve until cancelled; a cluster that is lost is waited for."""
        while True:
            try:
                await self._serve()
            except (JobError, OSError) as error:
                self._fail(str(error))
            await asyncio.sleep(_RETRY_AFTER_S)

    def wake(self) -> None:
        """Look at the queues again; from the event loop's thread."""
        for lane in self._lanes.values():
            lane.wake()

    async def content_of(self, spec: RunSpec) -> str | None:
        """What the files of the spec's model hold now, where it is computed; None while nothing serves its device."""
        for name, devices in self._devices_of.items():
            if any(device.id == spec.device for device in devices):
                return await self._lanes[name].content_of(spec.model)
        return None

    async def _serve(self) -> None:
        cluster = await Cluster.connect(self.config)
        cluster.subscribe(self._topic, self._hear)
        cluster.subscribe(_MEMORY_TOPIC, self._hear_memory)
        try:
            if self.processes is not None:
                self._open(cluster, _FIRST)
            while True:
                cluster.check()
                if self.processes is None:
                    for name in (await cluster.workers()).keys() - self._lanes.keys():
                        self._open(cluster, name)
                await asyncio.sleep(_LOOK_FOR_WORKERS_EVERY_S)
        finally:
            await self._close_lanes()
            await cluster.close()

    def _open(self, cluster: Cluster, name: str) -> None:
        host: Host
        if self.processes is None:
            host = ClusterHost(name, cluster)
        else:
            host = LocalHost(name, cluster.address, processes=self.processes, config=self.config)
        lane = Lane(
            name=name, host=host, book=self.book, cluster=cluster, config=self.config, task=self.task,
            topic=self._topic, on_ready=lambda announcement: self._lane_ready(cluster, name, announcement),
        )  # fmt: skip
        self._lanes[name] = lane
        self._keeping[name] = asyncio.create_task(self._keep(lane))

    async def _keep(self, lane: Lane) -> None:
        while True:
            try:
                await lane.run()
            except Exception as error:  # noqa: BLE001  # a bug in one lane must not end the others
                reason = self._reason(lane.name, error)
            self._log_once(reason)
            self._devices_of.pop(lane.name, None)
            if self._devices_of:
                self.book.abandon(lane.name, reason)
                self._publish_devices()
            else:
                self._fail(reason)
            if self.processes is None:
                del self._lanes[lane.name], self._keeping[lane.name]
                return
            await asyncio.sleep(_RETRY_AFTER_S)

    def _reason(self, worker: str, error: Exception) -> str:
        if isinstance(error, JobError):
            return str(error)
        if self.processes is None and isinstance(error, _OF_OTHER_CODE):
            return other_code(worker, f"does not understand this server ({error})")
        self._log_once("".join(traceback.format_exception(error)))
        return f"Worker {worker!r} failed; the server's log has the details."

    async def _close_lanes(self) -> None:
        keeping = tuple(self._keeping.values())
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        self._lanes.clear()
        self._keeping.clear()
        self._devices_of.clear()

    def _lane_ready(self, cluster: Cluster, name: str, announcement: Announcement) -> None:
        devices = announcement.devices
        self.protections[name] = announcement.protections
        if missing := [each for each in PROTECTIONS if each not in announcement.protections]:
            _log.info("worker %s runs without these protections: %s", name, "; ".join(missing))
        if self.processes is None:
            others = announcement.checked(name)
            self._devices_of[name] = tuple(_on_cluster(name, device, others=others) for device in devices)
        elif name == _FIRST:
            self._devices_of[_FIRST] = devices[:1]
            for device in devices[1:]:
                if device.id not in self._lanes:
                    self._devices_of[device.id] = (device,)
                    self._open(cluster, device.id)
        else:
            self._devices_of[name] = tuple(device for device in devices if device.id == name)
        self._logged.clear()
        self._publish_devices()
        self.report("ready", None)

    def _publish_devices(self) -> None:
        self.book.set_devices(
            tuple(device for devices in self._devices_of.values() for device in devices),
            queue_of={device.id: name for name, devices in self._devices_of.items() for device in devices},
        )

    def _log_once(self, message: str) -> None:
        # What goes wrong is tried again every few seconds, until a worker is ready.
        if message not in self._logged:
            _log.error("%s", message)
        self._logged.add(message)

    def _fail(self, reason: str) -> None:
        self._log_once(reason)
        self.report("failed", reason)
        self.book.suspend(reason)

    def _hear(self, message: Mapping[str, Any]) -> None:
        job_id = str(message["job"])
        if "partial" in message:
            analysis = self.book.job(job_id).spec.analysis
            self.book.partial(job_id, result_type(analysis).model_validate_json(message["partial"]))
        else:
            stage, detail = str(message["stage"]), str(message["detail"])
            self.book.progress(job_id, stage, fraction=float(message["fraction"]), detail=detail)

    def _hear_memory(self, message: Mapping[str, Any]) -> None:
        for lane in self._lanes.values():
            if isinstance(lane.host, ClusterHost):
                lane.host.exceeded_memory(str(message["worker"]), int(message["rss"]))


def _on_cluster(worker: str, device: DeviceInfo, *, others: Sequence[str]) -> DeviceInfo:
    """The device as pages show it, with the versions of its worker that differ from those here."""
    name = " · ".join((worker, device.id, device.name, *others))
    return device.model_copy(update={"id": f"{worker}/{device.id}", "name": name})
