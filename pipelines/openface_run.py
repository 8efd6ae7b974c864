"""Running OpenFace's own program on a recording: it reads from memory, and only features come out.

The program inherits what confines the worker: no network, limits on memory and computing time. It gets the recording as
`/proc/self/fd/N`, a file without a name in memory, and writes into a private folder in memory (where the system has
one) that is gone when it ends. It ends with its time-out, and with the worker, however that ends.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipelines.errors import PainLakeError, Rejection
from pipelines.openface_input import find_binary
from pipelines.params_face import OpenFaceParams

OPTIONS: Final = ("-2Dfp", "-pose", "-gaze", "-aus")
"""Naming what to write leaves out the rest, among it pictures of the aligned face and a video with landmarks."""

_ENVIRONMENT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""All that the program gets to know of ours: keys and addresses stand in other variables."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - the system's folder in memory; the folder made in it is private

_NOT_STARTED = (126, 127)
"""As shells have it: found but not executable, and not found."""

# It outlives the worker for a moment, however that ends, perhaps by a signal that nobody can handle: the other end of the
# pipe closes then. It kills the program's group, with what the program started, and removes what it wrote.
_GUARD = """
import os, shutil, signal, subprocess, sys, threading
watched, kept, folder, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
try:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(kept,), start_new_session=True)
except OSError as error:
    print(error.strerror, file=sys.stderr)
    sys.exit(126)
def kill():
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
def end():
    os.read(watched, 1)
    kill()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
threading.Thread(target=end, daemon=True).start()
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
kill()
code = child.wait()
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
_GUARD_ENDS_WITHIN_S = 10.0


def run_openface(media: bytes, params: OpenFaceParams) -> bytes:
    """The CSV that FeatureExtraction makes of a recording.

    Args:
        media: the whole file; the program does not get to know its name.
        params: which program, and how long it may take.

    Raises:
        Rejection: `ENGINE_FAILED`, `DECODER_TIMEOUT`: it ended with an error, wrote no CSV, or took too long.
        UserError, PainLakeError: there is no such program, or it cannot be started.
    """
    binary = find_binary(params.binary or "FeatureExtraction")
    with _in_memory(media) as descriptor, _private_folder() as folder:
        given = ("-f", f"/proc/self/fd/{descriptor}", "-out_dir", folder, "-of", "faces", *OPTIONS)
        words = Path(folder) / "words"
        code = _call([str(binary), *given], descriptor, words, params.timeout_s)
        if code in _NOT_STARTED:
            raise PainLakeError(f"face.openface.binary {binary} cannot be run: {_last_line(words)}")
        if code != 0:
            how = signal.strsignal(-code) if code < 0 else f"code {code}"
            raise Rejection("ENGINE_FAILED", f"{binary.name} ended with {how}: {_last_line(words)}")
        try:
            return (Path(folder) / "faces.csv").read_bytes()
        except FileNotFoundError:
            raise Rejection("ENGINE_FAILED", f"{binary.name} wrote no CSV: {_last_line(words)}") from None


def _private_folder() -> "tempfile.TemporaryDirectory[str]":
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    # Of a program that was ended, its guard may be removing what it wrote.
    return tempfile.TemporaryDirectory(prefix="painlake-", dir=place, ignore_cleanup_errors=True)


@contextmanager
def _in_memory(content: bytes) -> Iterator[int]:
    """A file without a name that holds some bytes, by its descriptor, until the block ends (memfd_create(2))."""
    descriptor = os.memfd_create("painlake")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield descriptor
    finally:
        os.close(descriptor)


def _call(command: list[str], descriptor: int, words: Path, timeout_s: float) -> int:
    """Run a command under guard; what it says goes into the file `words`."""
    watched, ours = os.pipe()
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    try:
        with words.open("wb") as said:
            guard = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _GUARD, str(watched), str(descriptor), str(words.parent), *command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**environment, "TMPDIR": str(words.parent)},
                pass_fds=(watched, descriptor),
                start_new_session=True,
            )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(watched)
    try:
        return guard.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise Rejection("DECODER_TIMEOUT", f"{Path(command[0]).name} was not done within {timeout_s:g} s") from None
    finally:
        os.close(ours)
        try:
            guard.wait(_GUARD_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()


def _last_line(words: Path) -> str:
    """The last that it said, in one short line of plain characters."""
    text = words.read_bytes()[-4096:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return "".join(letter if letter.isprintable() else "?" for letter in last)[:200]
