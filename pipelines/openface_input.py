"""What the engine `openface` reads besides the recording: whose CSV is where, and which program makes one.

Imports nothing heavy: the key of every result of the face stage asks here.
"""

import hashlib
import shutil
from functools import cache
from pathlib import Path

from pipelines.errors import Rejection, UserError
from pipelines.params_face import FaceParams, OpenFaceParams


def check_set_up(params: OpenFaceParams) -> None:
    """See whether the engine has a folder to read or a program to run.

    Raises:
        UserError: neither is named, or what is named is not there.
    """
    if params.csv_folder is None and params.binary is None:
        raise UserError(
            "face.engine is openface: name a folder of its CSV files in face.openface.csv_folder, or its program in face.openface.binary"
        )
    if params.csv_folder is not None and not Path(params.csv_folder).is_dir():
        raise UserError(f"face.openface.csv_folder {params.csv_folder} is no folder")
    if params.binary is not None:
        find_binary(params.binary)


def find_binary(binary: str) -> Path:
    """The program, by its full path: OpenFace looks for its models beside itself.

    Raises:
        UserError: it is not there or not executable.
    """
    found = shutil.which(binary)
    if found is None:
        raise UserError(f"face.openface.binary {binary} is no program on the PATH, nor an executable file")
    return Path(found).resolve()


def find_csv(recording: str, params: OpenFaceParams) -> Path | None:
    """A recording's CSV: `<recording>.csv`, else the one CSV in the folder `<recording>/`; None where there is none.

    Raises:
        Rejection: `ENGINE_INPUT_UNFIT`, where there are several to choose from.
    """
    if params.csv_folder is None:
        return None
    flat = Path(params.csv_folder) / f"{recording}.csv"
    if flat.is_file():
        return flat
    inside = sorted((Path(params.csv_folder) / recording).glob("*.csv"))
    named = [path for path in inside if path.stem == recording] or inside
    if len(named) > 1:
        raise Rejection("ENGINE_INPUT_UNFIT", f"{len(named)} CSV files in the folder {recording}, none of its name")
    return named[0] if named else None


def digest_beside(recording: str, params: FaceParams) -> str | None:
    """A digest of what a face engine reads besides the recording, for the key of its result.

    Args:
        recording: its name in the lake.
        params: which engine, and where it finds what it reads.

    Returns:
        Of the CSV's content or, where there is none, of the program that makes one; None for engines that read
        nothing else.
    """
    if params.engine != "openface":
        return None
    try:
        path = find_csv(recording, params.openface)
    except Rejection as error:
        return error.code
    if path is not None:
        return f"csv {_sha256(path, _stamp(path))}"
    if params.openface.binary is not None:
        binary = find_binary(params.openface.binary)
        return f"binary {_sha256(binary, _stamp(binary))}"
    return "missing"


def stamp_beside(params: FaceParams) -> str | None:
    """Changes when a file does that a face engine reads besides recordings; by names, sizes and times alone."""
    if params.engine != "openface":
        return None
    folder = params.openface.csv_folder
    paths = [] if folder is None else [*Path(folder).glob("*.csv"), *Path(folder).glob("*/*.csv")]
    if params.openface.binary is not None:
        paths.append(find_binary(params.openface.binary))
    return hashlib.sha256("\0".join(sorted(f"{path} {_stamp(path)}" for path in paths)).encode()).hexdigest()


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


@cache
def _sha256(path: Path, stamp: str) -> str:  # noqa: ARG001 - what was hashed before is hashed anew where it has changed
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
