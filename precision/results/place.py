"""Where something ran."""

from precision.results.base import Result


class DeviceInfo(Result):
    """One device of the machine that computes."""

    id: str
    """`cpu`, `cuda:0`, `mps`, `xpu:0`; on a cluster with the worker's name before it."""
    name: str
    memory_bytes: int | None
    """Total memory of the device."""
    native_formats: tuple[str, ...] = ()
    """Formats in which a matrix product was seen to run there."""


class Environment(Result):
    """What the numbers depend on besides the spec."""

    torch: str
    transformers: str | None
    python: str
    platform: str
    threads: int
    cpu_capability: str

    @property
    def packages(self) -> str:
        """The versions of torch and, where it is installed, of transformers."""
        return f"torch {self.torch}" + (f", transformers {self.transformers}" if self.transformers else "")
