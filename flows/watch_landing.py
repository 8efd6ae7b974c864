"""The trigger for new deliveries: a cheap look every few minutes, and a run only where something new stands whole."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event

from pipelines.errors import PainLakeError
from pipelines.study import open_study
from pipelines.whats_new import Watcher

log = logging.getLogger("painlake")


def watch(root: Path, every_s: float, start: Callable[[], object], tell: Callable[[str], None], stop: Event) -> int:
    """Look into a study's landing zone until told to stop; returns how many runs were started.

    What is wrong with a look (the landing zone is not mounted, the vault is closed) is told and looked at again: the
    night says it by its own end.

    Args:
        root: the study's folder.
        every_s: how often.
        start: starts a run.
        tell: called with each line for the user; no line names a file.
        stop: ends it.
    """
    watcher = Watcher(open_study(root))
    started, trouble = 0, ""
    while True:
        try:
            new = watcher.look()
            if new:
                tell(f"{new} new in the landing zone: a run begins")
                start()
                started += 1
            trouble = ""
        except PainLakeError as error:
            if str(error) != trouble:
                tell(f"the landing zone could not be looked into: {error}")
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - a server that is away for a while ends no watch
            what = type(error).__name__
            if what != trouble:
                tell(f"no run could be started: {what}; the next look tries again")
            trouble = what
            watcher.forget()
        if stop.wait(every_s):
            return started
