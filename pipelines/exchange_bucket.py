"""A unit of work by way of a bucket: for workers that do not see the study's folder.

What a unit needs lies below `<prefix>/painlake-exchange/<run>/` while it is done: its order (parameters, sidecar,
tables, and the person's key, encrypted for the workers) and the recording as it is in the lake, encrypted for its
person. What a worker made comes back encrypted for a key that this run alone has, in memory. So an object that was left
over by a worker that came too late can be read by nobody; those of a run that was killed are removed by the next one.
"""

import hashlib
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pipelines.durable import write_durably
from pipelines.errors import PainLakeError
from pipelines.exchange_objects import DETAIL, bucket_of, put, table_name, unit_name
from pipelines.order import Order, Outcome
from pipelines.params import Params, StudyParams
from pipelines.parcel import recipient_of, seal, unseal
from pipelines.pseudonymise import recordings_folder
from pipelines.stages import media_stage
from pipelines.storage import S3Objects
from pipelines.vault_key import new_key
from pipelines.work import Done, Unit, digest_of, finished

log = logging.getLogger("painlake")

_FOLDER = "exchanges"
"""Of the state: a file for each run that left objects in a bucket, with their address."""

_BELOW = "painlake-exchange"


class Bucket:
    """Orders and results in a bucket, for one run.

    Args:
        state: the study's.
        place: s3://bucket/prefix.
        key: of the workers, see `pipelines.worker_key`.
    """

    def __init__(self, state: Path, place: str, key: str) -> None:
        run = secrets.token_hex(8)
        self._place = f"{place.rstrip('/')}/{_BELOW}/{run}"
        self._noted = state / _FOLDER / run
        self._objects = bucket_of(self._place)
        self._workers = recipient_of(key)
        self._own = new_key()

    def __enter__(self) -> Self:
        """See whether it can be written to.

        Raises:
            TemporaryError: it does not answer.
            UserError: there is none, or the credentials are missing or wrong.
        """
        write_durably(self._noted, self._place.encode())
        try:
            put(self._objects, "begun", b"")
        except PainLakeError:
            # Nothing is there that the next run would have to remove.
            self._noted.unlink()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for left in _dropped(self._noted):
            log.warning("%s", left)

    @contextmanager
    def handed_over(self, unit: Unit) -> Iterator[Order]:
        """Leave what a unit needs; it is gone when the block ends."""
        recording, stage = unit.recording, media_stage(unit.stage)
        name = unit_name(unit.stage, recording.recording, unit.key)
        files = {
            "params.json": _for_workers(unit.params).model_dump_json(by_alias=True).encode(),
            "recording.json": recording.to_json(),
            "recipient": recipient_of(self._own).encode(),
            "identity": unit.identity.encode(),
        }
        if stage.decrypts:
            media = recordings_folder(unit.lake, recording.participant) / f"{recording.recording}.age"
            with media.open("rb") as file:
                files["recording.sha256"] = hashlib.file_digest(file, "sha256").hexdigest().encode()
        for need in stage.needs:
            tables = media_stage(need).files(unit.lake, recording)
            files |= {table_name(path): path.read_bytes() for path in tables}
        order = seal(files, self._workers)
        try:
            if stage.decrypts:
                self._objects.write(f"{name}recording", media)
            put(self._objects, f"{name}order", order)
            sha256 = hashlib.sha256(order).hexdigest()
            yield Order(
                self._place, unit.stage, recording.participant, recording.recording, unit.key, unit.again, sha256
            )
        finally:
            # Where the bucket is away for a while, the run's end or the next one removes them.
            try:
                _remove(self._objects, name)
            except PainLakeError as error:
                log.warning("objects of %s stay for now: %s", recording.recording, error)

    def detail(self, order: Order, outcome: Outcome) -> str:
        """What a worker found in a recording that cannot be measured."""
        name = unit_name(order.stage, order.recording, order.key)
        return self._left(name, outcome).get(DETAIL, b"").decode()

    def result(self, unit: Unit, outcome: Outcome) -> Done:
        """Bring what a worker made into the lake.

        Raises:
            PainLakeError: it is not there, or not what the worker said.
        """
        recording, stage = unit.recording, media_stage(unit.stage)
        files = stage.files(unit.lake, recording)
        left = self._left(unit_name(unit.stage, recording.recording, unit.key), outcome)
        contents = [left.get(table_name(path), b"") for path in files]
        if digest_of(contents) != outcome.sha256:
            raise PainLakeError(f"{recording.recording}: what came back from a worker is not what it made")
        for path, content in zip(files, contents, strict=True):
            write_durably(path, content)
        done = finished(stage, unit.lake, recording, unit.key)
        if done is None or done.sha256 != outcome.sha256:
            raise PainLakeError(f"{recording.recording}: what came back from a worker was made for something else")
        return done

    def _left(self, name: str, outcome: Outcome) -> dict[str, bytes]:
        sealed = self._objects.read(outcome.left) if outcome.left.startswith(f"{name}result.") else None
        if sealed is None:
            raise PainLakeError(f"what a worker left at {self._place} is not there")
        return unseal(sealed, self._own)


def drop_exchanges(state: Path) -> list[str]:
    """Remove what killed runs left in buckets; returns what could not be removed, a line each."""
    return [failed for noted in sorted((state / _FOLDER).glob("[!.]*")) for failed in _dropped(noted)]


def _dropped(noted: Path) -> list[str]:
    try:
        place = noted.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        _remove(bucket_of(place), "")
    except PainLakeError as error:
        return [f"what a run left below {place} is still to be removed: {error}; or remove it, and then {noted}"]
    noted.unlink()
    return []


def _remove(objects: S3Objects, below: str) -> None:
    for name in sorted(objects.names(below)):
        objects.remove(name)


def _for_workers(params: Params) -> Params:
    """Without what is the study's own business: its name, its landing zone, whom it tells."""
    study = params.study
    limits = StudyParams(
        unit_timeout_s=study.unit_timeout_s,
        unit_cpu_s=study.unit_cpu_s,
        worker_memory_mb=study.worker_memory_mb,
        max_picture_mpx=study.max_picture_mpx,
        require_isolation=study.require_isolation,
    )
    kept = Params.model_fields.keys() & {"protocol", "quality", "face", "voice", "align"}
    return Params(study=limits, **{name: getattr(params, name) for name in kept})
