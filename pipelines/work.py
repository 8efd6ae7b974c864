"""One unit of work: one media stage of one recording, as it runs in a worker process."""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.along import Companion
from pipelines.errors import Reason
from pipelines.faultpoints import fault_point
from pipelines.params import Params
from pipelines.parquet import read_provenance, write_parquet
from pipelines.pseudonymise import open_recording
from pipelines.recording import Recording
from pipelines.stages import Inputs, Measured, MediaStage, inputs_digest, media_stage
from pipelines.worker_key import still_wanted
from schemas.faults import FAULTS, Effect

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Unit:
    """A stage of a recording, to be done under a key.

    `identity` is the person's secret key: it travels to the worker in memory and is never shown. `again` is to measure
    it whatever stands under its key. `lease` is a file that is gone when nobody waits for the unit any more; then nothing
    is written. `along` is the key of the stage that this one leads, where that is to be measured along its pass over the
    frames.
    """

    stage: str
    recording: Recording
    lake: Path
    params: Params
    key: str
    identity: str = field(repr=False)
    again: bool = False
    lease: Path | None = None
    along: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a unit came to: a digest of its files, and the codes that its measurements call for.

    `cpu_s` is what it took to compute; nothing where its result stood already. `along` is what came of the stage that was
    measured along this one, if it was to its end, and this one does not refuse the recording.
    """

    stage: str
    recording: str
    key: str
    sha256: str
    reasons: tuple[Reason, ...]
    cpu_s: float = field(default=0.0, compare=False)
    along: "Done | None" = None


def do_unit(unit: Unit) -> Done:
    """Measure one stage of one recording and write its files; what is there under the same key is kept.

    Raises:
        Rejection: the recording cannot be measured.
        PainLakeError: nobody waits for it any more.
    """
    stage = media_stage(unit.stage)
    done = None if unit.again else finished(stage, unit.lake, unit.recording, unit.key)
    if done is not None:
        return done
    begun = time.process_time()
    fault_point(f"unit.{unit.stage}.{unit.recording.recording}")

    def media() -> bytes:
        # Kept by nobody: a stage that has what it needs of the film can let it go.
        return open_recording(unit.lake, unit.recording, unit.identity)

    def table(name: str) -> "pl.DataFrame":
        import polars as pl  # noqa: PLC0415 - a worker that decodes has it, one that waits need not

        return pl.read_parquet(media_stage(name).files(unit.lake, unit.recording)[0])

    companion = _companion(stage, unit)
    measured = stage.measure(Inputs(media, table, companion), unit.recording, unit.params)
    if unit.lease is not None:
        still_wanted(unit.lease)
    done = write_measured(stage, unit.key, unit, measured)
    along = None if companion is None or refuses(measured.reasons) else _done_along(companion, stage, unit)
    spent = time.process_time() - begun
    return replace(done, cpu_s=spent - (0.0 if along is None else along.cpu_s), along=along)


def _companion(stage: MediaStage, unit: Unit) -> Companion | None:
    """What goes along the stage's pass over the frames, if that is wanted and possible."""
    if unit.along is None or stage.leads is None:
        return None
    begin = media_stage(stage.leads).along(unit.recording, unit.params)
    if begin is None:
        return None
    fault_point(f"unit.{stage.leads}.{unit.recording.recording}")
    protocol = unit.params.protocol
    longest_s = protocol.max_duration_s + protocol.duration_tolerance_s
    # Half of what a unit may take: the stage that leads needs its own.
    return Companion(begin, longest_s, unit.params.study.unit_cpu_s / 2)


def _done_along(companion: Companion, stage: MediaStage, unit: Unit) -> Done | None:
    """What went along a stage to its end, written under its own key."""
    measured = companion.measured()
    if measured is None or stage.leads is None or unit.along is None:
        return None
    begun = time.process_time()
    done = write_measured(media_stage(stage.leads), unit.along, unit, measured)
    return replace(done, cpu_s=companion.cpu_s + time.process_time() - begun)


def write_measured(stage: MediaStage, key: str, unit: Unit, measured: Measured) -> Done:
    """Write what a stage gave for a unit's recording, under the stage's own key."""
    provenance = stage.provenance(key, unit.recording, unit.params, measured.reasons)
    contents = [
        write_parquet(path, measured.tables[ending], provenance)
        for ending, path in zip(stage.endings, stage.files(unit.lake, unit.recording), strict=True)
    ]
    return Done(stage.name, unit.recording.recording, key, digest_of(contents), measured.reasons)


def refuses(reasons: Iterable[Reason]) -> list[Reason]:
    """Those of a stage's reasons for which a recording goes to quarantine."""
    return [reason for reason in reasons if FAULTS[reason.code].effect is Effect.QUARANTINE]


def finished(stage: MediaStage, lake: Path, recording: Recording, key: str | None = None) -> Done | None:
    """What a stage left for a recording, if all its files are there (under this key, if one is given)."""
    files = stage.files(lake, recording)
    found = [read_provenance(path) for path in files]
    if any(each is None or each["key"] != (found[0] or {})["key"] for each in found):
        return None
    first = found[0] or {}
    if key is not None and first["key"] != key:
        return None
    reasons = tuple(Reason(*reason) for reason in first["reasons"])
    return Done(stage.name, recording.recording, first["key"], digest_of([p.read_bytes() for p in files]), reasons)


def key_of(stage: MediaStage, recording: Recording, params: Params, outputs: dict[str, str]) -> str:
    """The key of a stage of a recording, given the digests of what earlier stages left."""
    return stage.key(inputs_digest(recording, outputs, stage, stage.beside(recording, params)), params)


def digest_of(contents: list[bytes]) -> str:
    """A digest of a stage's files, in the order of its endings."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
