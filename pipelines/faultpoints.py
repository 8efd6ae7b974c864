"""Places where a test may kill the process, to see that the next run gets to the same end."""

import os
import signal

VARIABLE = "PAINLAKE_FAULT_POINT"


def fault_point(name: str) -> None:
    """Do nothing, unless the environment asks for a death as sudden as a power cut at this very place.

    Args:
        name: of the place, such as `erase.vault.did`.

    >>> fault_point("erase.vault.did")
    """
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
