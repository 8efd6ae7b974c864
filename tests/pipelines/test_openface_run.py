"""OpenFace's program, for which a stand-in made here is run: it reads the recording from memory and leaves nothing."""

import multiprocessing
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.confine import Limits
from pipelines.errors import PainLakeError, Rejection
from pipelines.openface_csv import read_faces
from pipelines.openface_run import run_openface
from pipelines.params_face import OpenFaceParams
from pipelines.pool import Workers
from tests.pipelines.video_factory import plain, video

ROOT = Path(__file__).parents[2]
FRAMES = 5

DECODES = """
import sys
sys.path.insert(0, {root!r})
import av
from tests.pipelines.openface_factory import csv_of, face
given = dict(zip(sys.argv[1:7:2], sys.argv[2:8:2]))
assert sys.argv[7:] == ["-2Dfp", "-pose", "-gaze", "-aus"], sys.argv
with av.open(given["-f"]) as container:
    frames = sum(1 for _ in container.decode(video=0))
with open(given["-out_dir"] + "/" + given["-of"] + ".csv", "wb") as file:
    file.write(csv_of(face(number + 1) for number in range(frames)))
"""
"""Stands in for FeatureExtraction: decodes the video from the path that it is given."""


def stand_in(folder: Path, text: str, name: str = "FeatureExtraction") -> OpenFaceParams:
    path = folder / name
    path.write_text(f"#!{sys.executable}\n" + text.replace("{root!r}", repr(str(ROOT))))
    path.chmod(0o755)
    return OpenFaceParams(binary=str(path), timeout_s=20)


@pytest.fixture(scope="module")
def film() -> bytes:
    return video([plain(90)] * FRAMES)


def test_the_program_decodes_the_recording_and_its_csv_comes_back(tmp_path: Path, film: bytes) -> None:
    assert read_faces(run_openface(film, stand_in(tmp_path, DECODES))).frames == FRAMES


def test_it_runs_in_a_confined_worker_too(tmp_path: Path, film: bytes) -> None:
    params = stand_in(tmp_path, DECODES)
    with Workers(1, Limits(60, cpu_s=30, memory_mb=2000)) as workers:
        assert read_faces(workers.run(run_openface, film, params)).frames == FRAMES


def test_in_a_worker_it_has_no_network(tmp_path: Path, film: bytes) -> None:
    params = stand_in(tmp_path, "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n")
    with (
        Workers(1, Limits(60, memory_mb=2000)) as workers,
        pytest.raises(Rejection, match=r"PermissionError: .*not permitted"),
    ):
        workers.run(run_openface, film, params)


def test_the_recording_is_in_no_folder_and_nothing_is_left(
    tmp_path: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAINLAKE_VAULT_SECRET", "a key")
    text = f"""
import os, sys
out = sys.argv[4]
holds = os.stat(sys.argv[2])
with open({str(tmp_path / "seen")!r}, "w") as file:
    print(out, oct(os.stat(out).st_mode & 0o777), os.listdir(out), holds.st_nlink, holds.st_size, file=file)
    print(sorted(os.environ), os.environ["TMPDIR"] == out, file=file)
sys.exit("no")
"""
    with pytest.raises(Rejection):
        run_openface(film, stand_in(tmp_path, text))
    first, second = (tmp_path / "seen").read_text().splitlines()
    out, mode, rest = first.split(" ", 2)
    assert not Path(out).exists()
    # A file without a name has no link to it.
    assert (mode, rest) == ("0o700", f"['words'] 0 {len(film)}")
    assert "PAINLAKE_VAULT_SECRET" not in second
    assert second.endswith(" True")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys\nprint('loading')\nsys.exit('Could not load the\\x07 model')", "FeatureExtraction ended with code 1: Could not load the? model"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "FeatureExtraction ended with Segmentation fault: it said nothing"),
        ("print('ERROR: could not open the video')", "FeatureExtraction wrote no CSV: ERROR: could not open the video"),
    ],
    ids=["error", "crash", "no CSV"],
)  # fmt: skip
def test_a_program_that_fails_costs_the_recording_in_one_line(
    tmp_path: Path, film: bytes, text: str, said: str
) -> None:
    with pytest.raises(Rejection) as caught:
        run_openface(film, stand_in(tmp_path, text))
    assert (caught.value.code, caught.value.detail) == ("ENGINE_FAILED", said)


def test_a_program_that_cannot_be_started_is_no_recordings_fault(tmp_path: Path, film: bytes) -> None:
    path = tmp_path / "FeatureExtraction"
    path.write_bytes(b"\x7fELF no program")
    path.chmod(0o755)
    with pytest.raises(PainLakeError, match="cannot be run: Exec format error"):
        run_openface(film, OpenFaceParams(binary=str(path)))


HANGS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
with open({pids!r} + ".new", "w") as file:
    file.write(f"{__import__('os').getpid()} {child.pid}")
__import__("os").rename({pids!r} + ".new", {pids!r})
time.sleep(300)
"""


def gone(pids: list[int]) -> bool:
    """Whether processes have ended, within a while."""
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=20)
    return not alive


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, film: bytes) -> None:
    noted = tmp_path / "pids"
    params = stand_in(tmp_path, HANGS.replace("{pids!r}", repr(str(noted)))).model_copy(update={"timeout_s": 3.0})
    with pytest.raises(Rejection) as caught:
        run_openface(film, params)
    assert (caught.value.code, caught.value.detail) == ("DECODER_TIMEOUT", "FeatureExtraction was not done within 3 s")
    assert gone([int(pid) for pid in noted.read_text().split()])


def test_it_ends_with_a_worker_that_is_killed_and_leaves_nothing(tmp_path: Path, film: bytes) -> None:
    noted = tmp_path / "pids"
    text = HANGS.replace("{pids!r}", repr(str(noted))).replace(
        "import subprocess, sys, time", "import subprocess, sys, time\nhere = sys.argv[4]"
    )
    params = stand_in(tmp_path, text.replace("{child.pid}", "{child.pid} {here}"))
    worker = multiprocessing.get_context("spawn").Process(target=run_openface, args=(film, params))
    worker.start()
    while not noted.exists():
        time.sleep(0.02)
    worker.kill()
    worker.join()
    *pids, folder = noted.read_text().split()
    assert gone([int(pid) for pid in pids])
    for _ in range(500):
        if not Path(folder).exists():
            break
        time.sleep(0.02)
    assert not Path(folder).exists()
