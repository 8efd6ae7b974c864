"""How long work computes, by the CPU's clock: less at the mercy of a shared machine than the clock on the wall."""

import time
from collections.abc import Callable


def cpu_s(work: Callable[[], object], repeats: int) -> list[float]:
    """CPU times of some work in this process, run `repeats` times after once to warm up."""
    work()
    spent = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return spent
