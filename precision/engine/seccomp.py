"""Seccomp: system calls that the Linux kernel refuses a process from now on, in all of its threads.

See https://docs.kernel.org/userspace-api/seccomp_filter.html. A refused call fails with EPERM.
"""

import ctypes
import os
import platform
import socket
import struct
import sys
from collections.abc import Iterable, Iterator

_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}
"""Column of `_REFUSED`, the kernel's name of the architecture, and the number of the system call `seccomp`."""
_REFUSED = {
    # Starting programs.
    "execve": (59, 221),
    "execveat": (322, 281),
    # Looking into other processes, and taking their files.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # File systems and name spaces.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    # Parts of the kernel that no computation needs.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    # They do what others do, past this filter.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_SOCKET = (41, 198)
_FIRST_OF_OTHER_TABLE = 0x40000000
"""On x86-64: the same calls again, by other numbers."""
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_AT_NUMBER, _AT_MACHINE, _AT_FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # 1 is EPERM
_SET_FILTER, _ASK_ACTION, _ALL_THREADS = 1, 2, 1
_PR_SET_NO_NEW_PRIVS = 38


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def available() -> bool:
    """Whether the kernel has it, on a machine whose system calls are known here."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES or sys.byteorder != "little":
        return False
    refuse = ctypes.c_uint32(_REFUSE & 0xFFFF0000)
    return int(_libc().syscall(_MACHINES[platform.machine()][2], _ASK_ACTION, 0, ctypes.byref(refuse))) == 0


def no_new_privileges() -> None:
    """Never gain rights by starting a program, which the kernel asks for before anything else here.

    Raises:
        OSError: the kernel refuses.
    """
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(value) for value in (1, 0, 0, 0))))


def restrict(*, families: Iterable[socket.AddressFamily]) -> None:
    """Refuse what `_REFUSED` names, and sockets of other families. Needs `no_new_privileges` first.

    Raises:
        OSError: the kernel refuses.
    """
    column, machine, seccomp = _MACHINES[platform.machine()]
    code = b"".join(struct.pack("HBBI", *step) for step in _steps(column, machine, families))
    program = _Program(len(code) // 8, code)
    _checked(_libc().syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program)))


def _steps(column: int, machine: int, families: Iterable[socket.AddressFamily]) -> Iterator[tuple[int, int, int, int]]:
    """Each an operation, how many steps to skip if it holds and if it does not, and a number."""
    refuse, allow = (_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)
    yield _LOAD, 0, 0, _AT_MACHINE
    yield _IF_EQUAL, 1, 0, machine
    yield refuse
    yield _LOAD, 0, 0, _AT_NUMBER
    yield _IF_AT_LEAST, 0, 1, _FIRST_OF_OTHER_TABLE
    yield refuse
    for numbers in _REFUSED.values():
        yield _IF_EQUAL, 0, 1, numbers[column]
        yield refuse
    yield _IF_EQUAL, 1, 0, _SOCKET[column]
    yield allow
    yield _LOAD, 0, 0, _AT_FIRST_ARGUMENT
    for family in families:
        yield _IF_EQUAL, 0, 1, int(family)
        yield allow
    yield refuse


def _checked(answer: int) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
