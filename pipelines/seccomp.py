"""No network for this process: a filter on system calls, which nothing in the process can lift again.

It needs no privilege, works in containers, and holds for all threads and for every program that the process starts.
The filter is written out here, since the libraries for it on PyPI have not been kept for years and want a system
library; it is a dozen instructions. Source: seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Machine:
    """An architecture's number for audit, and its numbers of system calls (asm/unistd_64.h, asm-generic/unistd.h).

    Args:
        audit: AUDIT_ARCH_... of linux/audit.h.
        seccomp: seccomp(2).
        socket: socket(2).
        refused: io_uring_setup, which opens sockets by another way; ptrace, process_vm_readv, process_vm_writev and
            pidfd_getfd, by which a process could use another one's memory and sockets.
    """

    audit: int
    seccomp: int
    socket: int
    refused: tuple[int, ...]


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, 41, (425, 101, 310, 311, 438)),
    "aarch64": _Machine(0xC00000B7, 277, 198, (425, 117, 270, 271, 438)),
}

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_CALL, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data; of the argument the lower half, which is all that socket(2) reads."""
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_X32 = 0x40000000
"""x86-64 has a second set of the same calls from here on."""
_PR_SET_NO_NEW_PRIVS, _SET_FILTER, _ALL_THREADS = 38, 1, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_network() -> bool:
    """Have every socket but local ones (AF_UNIX) refused with EPERM, in this process and all that it starts.

    Returns:
        Whether the kernel took the filter; an unknown architecture or another system than Linux has none.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    instructions = _instructions(machine)
    program = _Program(len(instructions) // 8, instructions)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            return False
        return int(libc.syscall(machine.seccomp, _SET_FILTER, _ALL_THREADS, ctypes.byref(program))) == 0
    except (OSError, AttributeError):
        return False


def _instructions(machine: _Machine) -> bytes:
    """The filter as classic BPF: the jumps count instructions to skip, and the last two are the two verdicts."""
    # Each as (code, operand, where to go if true, where if not); None goes on.
    steps: list[tuple[int, int, str | None, str | None]] = [
        (_LOAD, _ARCHITECTURE, None, None),
        (_IF_EQUAL, machine.audit, None, "refuse"),
        (_LOAD, _CALL, None, None),
        (_IF_AT_LEAST, _X32, "refuse", None),
        *((_IF_EQUAL, call, "refuse", None) for call in machine.refused),
        (_IF_EQUAL, machine.socket, None, "allow"),
        (_LOAD, _FIRST_ARGUMENT, None, None),
        (_IF_EQUAL, int(socket.AF_UNIX), "allow", "refuse"),
    ]
    places = {"refuse": len(steps), "allow": len(steps) + 1}
    lines = [
        struct.pack("=HBBI", code, *(places[to] - at - 1 if to else 0 for to in (yes, no)), operand)
        for at, (code, operand, yes, no) in enumerate(steps)
    ]
    return b"".join([*lines, struct.pack("=HBBI", _RETURN, 0, 0, _REFUSE), struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW)])


def has_network() -> bool:
    """Whether this process can open a socket that leads out of the machine; tried, not looked up."""
    try:
        os.close(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach())
    except OSError:
        return False
    return True
