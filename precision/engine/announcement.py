"""What a worker says of itself when it is ready: its devices, and the versions of what computes on them."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import precision
from precision.errors import JobError
from precision.results import DeviceInfo
from precision.results.base import Result

_PACKAGES = ("torch", "transformers", "torchao", "numpy", "numba", "distributed")
"""Those on which numbers depend, and the one that carries them."""
_DIGEST_CHARACTERS = 8


class Announcement(Result):
    """A worker that is ready."""

    precision: str
    """Version and digest of Precision Explorer's own code."""
    versions: dict[str, str]
    """Of Python and of packages, by name; one that is missing is left out."""
    devices: tuple[DeviceInfo, ...]
    protections: tuple[str, ...] = ()
    """Those of `sandbox.PROTECTIONS` that are in force in its process."""

    def checked(self, worker: str) -> tuple[str, ...]:
        """The versions that differ from those of this process, such as `torch 2.12.0, here 2.13.0`.

        Raises:
            JobError: the worker has other code of Precision Explorer: they might not understand each other.
        """
        if self.precision != (here := code_version()):
            raise JobError(other_code(worker, f"has Precision Explorer {self.precision}, this server {here}"))
        own = versions()
        return tuple(
            f"{name} {self.versions.get(name, 'missing')}, here {own.get(name, 'missing')}"
            for name in sorted(own.keys() | self.versions.keys())
            if own.get(name) != self.versions.get(name)
        )


def other_code(worker: str, fault: str) -> str:
    """Why a worker cannot be used, and what to do about it."""
    return (
        f"The worker {worker!r} {fault}. "
        f"Install the same Precision Explorer on both, and start the worker with `precision-explorer worker`."
    )


def code_version() -> str:
    """The version of Precision Explorer, and a digest of its library's code: `0.1.0 (3f2a90c1)`."""
    folder = Path(precision.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode())
        digest.update(file.read_text(encoding="utf-8").encode())  # whatever ends its lines
    return f"{precision.__version__} ({digest.hexdigest()[:_DIGEST_CHARACTERS]})"


def versions() -> dict[str, str]:
    """Of Python and the packages that matter, without the suffix that tells builds for a CPU and a GPU apart."""
    return {"python": platform.python_version()} | {
        name: found.partition("+")[0] for name in _PACKAGES if (found := _version(name))
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
