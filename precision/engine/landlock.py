"""Landlock: rules of the Linux kernel on what a process may write and reach, which it cannot take back.

See https://docs.kernel.org/userspace-api/landlock.html. A rule holds for the calling thread, and for those that it
starts. Reading is left as it is.
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System calls, with the same numbers on every architecture."""
_ASK_VERSION = 1
_PATH, _PORT = 1, 2
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_REMOVE = 1 << 4 | 1 << 5
_MAKE_DEVICES = 1 << 6 | 1 << 11
_MAKE = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12
_MOVE = 1 << 13
_CONNECT_TCP = 1 << 1
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("ports", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _PortRule(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def version() -> int:
    """Of the kernel's Landlock: 1 limits writing, 4 connections too, 6 signals too; 0 without any."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)))


def restrict(*, writable: Iterable[Path], ports: Iterable[int]) -> None:
    """Write only to these files and within these folders, connect only to these TCP ports, signal no process outside.

    What the kernel's version does not know is left out. Needs `no_new_privileges` first.

    Raises:
        OSError: the kernel refuses.
    """
    known = version()
    files = _WRITE_FILE | _REMOVE | _MAKE | _MAKE_DEVICES
    files |= (_MOVE if known >= 2 else 0) | (_TRUNCATE if known >= 3 else 0)
    rules = _Ruleset(files, _CONNECT_TCP if known >= 4 else 0, _ABSTRACT_SOCKETS | _SIGNALS if known >= 6 else 0)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    try:
        for path in writable:
            _allow_writing(ruleset, path, files & ~_MAKE_DEVICES)
        for port in ports if known >= 4 else ():
            _call(_ADD_RULE, ruleset, _PORT, ctypes.byref(_PortRule(_CONNECT_TCP, port)), 0)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_writing(ruleset: int, path: Path, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _WRITE_FILE | _TRUNCATE
        _call(_ADD_RULE, ruleset, _PATH, ctypes.byref(_PathRule(rights, place)), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    answer = int(_libc().syscall(number, *arguments))
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return answer


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
