"""What a worker process gives up before it opens anybody's file: the rights that computing does not need.

On Linux, by Landlock and seccomp; elsewhere nothing. What is in force goes into the worker's `Announcement`.
"""

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from pathlib import Path
from urllib.parse import urlsplit

from precision.engine import landlock, seccomp

NO_NEW_RIGHTS = "gains no rights"
NO_PROGRAMS = "starts no program"
OWN_FOLDERS = "writes in its own folders only"
KNOWN_PORTS = "connects to its scheduler and for downloads only"
NO_SIGNALS = "signals no other process"
PROTECTIONS = (NO_NEW_RIGHTS, NO_PROGRAMS, OWN_FOLDERS, KNOWN_PORTS, NO_SIGNALS)
"""All there are."""

_CACHES = {"NUMBA_CACHE_DIR": "numba", "CUDA_CACHE_PATH": "cuda", "TORCHINDUCTOR_CACHE_DIR": "torchinductor"}
"""Variables of libraries that keep what they compiled, and folders of ours for it."""
_ACCELERATORS = ("nvidia*", "nvidia-caps/*", "kfd", "dri/*", "accel/*")
"""Below `/dev`."""
_DOWNLOADS = (53, 443)
"""TCP ports of names and of HTTPS."""
_PROXIES = ("HTTPS_PROXY", "ALL_PROXY", "HF_ENDPOINT")
_YES = ("1", "ON", "YES", "TRUE")


def set_caches(data: Path) -> None:
    """Have libraries of the processes that this one starts keep what they compile in the data folder.

    Code that a worker wrote must not be run by a process that has kept its rights.
    """
    for variable, folder in _CACHES.items():
        os.environ.setdefault(variable, str(data / folder))


def confine(data: Path, ports: Iterable[int]) -> tuple[str, ...]:
    """Give up rights for good, in this thread and all it starts; return those `PROTECTIONS` that are in force.

    Args:
        data: where this process may write, besides caches of libraries, downloaded checkpoints and accelerators.
        ports: TCP ports that it must reach, besides those of downloads.

    Raises:
        OSError: the kernel has a protection, and refuses to set it.
    """
    version = landlock.version()
    if not (version or seccomp.available()):
        return ()
    seccomp.no_new_privileges()
    accelerators = tuple(_accelerators())
    if version:
        writable = (*_folders(data, os.environ), Path("/dev/null"), *accelerators)
        landlock.restrict(writable=writable, ports={*ports, *_download_ports(os.environ)})
    if seccomp.available():
        # Drivers talk to their services by local sockets. So do a desktop's and containers', which start programs.
        local = (socket.AF_UNIX,) if accelerators else ()
        seccomp.restrict(families=(socket.AF_INET, socket.AF_INET6, *local))
    in_force = (True, seccomp.available(), version >= 1, version >= 4, version >= 6)
    return tuple(compress(PROTECTIONS, in_force))


def _folders(data: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("HF_HOME") or Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    caches = (environment.get(name) for name in (*_CACHES, "HF_HUB_CACHE", "HF_XET_CACHE"))
    for name in (data, home, *filter(None, caches)):
        folder = Path(name).expanduser()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:  # it could not be written anyway
            continue
        yield folder


def _accelerators() -> Iterator[Path]:
    for pattern in _ACCELERATORS:
        yield from (path for path in Path("/dev").glob(pattern) if path.is_char_device())


def _download_ports(environment: Mapping[str, str]) -> Iterator[int]:
    if environment.get("HF_HUB_OFFLINE", "").upper() in _YES:
        return
    yield from _DOWNLOADS
    for name in _PROXIES:
        address = urlsplit(environment.get(name) or environment.get(name.lower()) or "")
        if address.hostname:
            yield address.port or (443 if address.scheme == "https" else 80)
