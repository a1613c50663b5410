"""Jobs: submit, progress, cancel, on a local worker process or a Dask cluster."""

from precision.engine.config import EngineConfig
from precision.engine.engine import Engine
from precision.engine.job import EngineState, Job, JobStatus

__all__ = ["Engine", "EngineConfig", "EngineState", "Job", "JobStatus"]
