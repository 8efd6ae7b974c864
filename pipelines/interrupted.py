"""What a run that was killed leaves of git and DVC: locks that nobody holds, and records cut off in the middle.

PainLake's own files are written aside and renamed, and its locks are the kernel's. Git's locks are files; DVC keeps
readers and writers in a file by process number, which any process may have after a restart, and writes `dvc.lock` and
`*.dvc` in place, so that half of one can be there and even be read.
"""

import logging
import os
import re
import time
from pathlib import Path

from pipelines.dvc_objects import ENTERING
from pipelines.repository import Repository
from pipelines.stores import stores_of
from pipelines.study import Study

log = logging.getLogger("painlake")

_WAIT_S = 60.0
_RECORD = re.compile(r"dvc\.lock|lake/[^/]+/([^/]+\.dvc|\.gitignore)")
_COMMANDS = re.compile(rb"(^|[/\0])(git|dvc)(\0|$)")


def remove_locks(root: Path, wait_s: float = _WAIT_S) -> list[str]:
    """Remove locks of git and DVC that a killed run left in a study, once nobody works there with either.

    Args:
        root: the study, held by the caller.
        wait_s: how long to wait for a git or DVC that outlived its run; whatever it holds afterwards stays.

    Returns:
        The paths of the removed, in the study.
    """
    found = [*(root / ".git").glob("*.lock"), *(root / ".git" / "refs").rglob("*.lock")]
    left = [root / ".dvc" / "tmp" / "rwlock", stores_of(Study(root)).cache.root / ENTERING]
    found += [path for path in left if path.exists()]
    if not found:
        return []
    until = time.monotonic() + wait_s
    while _at_work(root):
        if time.monotonic() > until:
            log.warning("git or DVC is at work in the study: its locks stay")
            return []
        time.sleep(0.1)
    for path in found:
        path.unlink(missing_ok=True)
    return sorted(os.path.relpath(path, root) for path in found)


def restore_records(repository: Repository) -> list[str]:
    """Put DVC's records back to the last commit; what was entered since is entered anew, as its persons are still dirty.

    Returns:
        The paths that were put back or removed, in the study.
    """
    states = repository.git("status", "--porcelain", "--untracked-files=all", "-z").split("\0")
    changed = [state[3:] for state in states if _RECORD.fullmatch(state[3:])]
    tracked = set(repository.git("ls-tree", "-r", "--name-only", "-z", "HEAD").split("\0"))
    known = [path for path in changed if path in tracked]
    if known:
        repository.git("checkout", "--quiet", "HEAD", "--", *known)
    new = [path for path in changed if path not in tracked]
    if new:
        repository.git("rm", "--quiet", "--cached", "--ignore-unmatch", "--", *new)
        for path in new:
            (repository.root / path).unlink(missing_ok=True)
    return sorted(changed)


def _at_work(root: Path) -> bool:
    """Whether a git or DVC runs in the study; where the system does not say, nobody does."""
    return any(_works_in(process, root) for process in Path("/proc").glob("[0-9]*"))


def _works_in(process: Path, root: Path) -> bool:
    if process.name == str(os.getpid()):
        return False
    try:
        command = (process / "cmdline").read_bytes()
        return bool(_COMMANDS.search(command)) and (process / "cwd").readlink().is_relative_to(root)
    except OSError:
        # It has ended, or is somebody else's.
        return False
