"""A process that ends with the one that started it, however that ends: what is left alive would hold the study."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent ends."""


def end_with_parent(how: signal.Signals, parent: int | None = None) -> bool:
    """Have the kernel send this process a signal when its parent ends.

    Args:
        how: the signal.
        parent: which parent that was to be, to notice where it has ended before.

    Returns:
        Whether the parent was still there.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)
    return os.getppid() == parent if parent is not None else os.getppid() != 1
