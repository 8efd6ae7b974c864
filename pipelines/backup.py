"""Whether the remote truly has the versions that wait for it, and the missing objects copied there by ourselves.

`dvc push` sends what stands now: of an earlier version that waited for a remote that was away it sends nothing. And
after a killed run it was seen to end well with objects left out. So its exit code is not taken for a copy.
"""

from collections.abc import Iterable, Sequence

from pipelines.erase_objects import Output, new_outputs, outputs_in, owners
from pipelines.errors import TemporaryError
from pipelines.in_parallel import in_parallel
from pipelines.known import Known, store_of
from pipelines.repository import Repository, tag_name
from pipelines.stores import Store, Stores, md5_of, stores_of
from pipelines.study import Study
from pipelines.tombstone import read_tombstones

_THREADS = 16


def complete(study: Study, repository: Repository, waiting: Sequence[int], had: int | None) -> int:
    """Copy to the default remote what it lacks of versions, from DVC's cache.

    Args:
        study: the study.
        repository: its repository.
        waiting: the numbers of the versions.
        had: the last version that the remote has whole; what it has is not looked for again.

    Returns:
        How many objects were copied: they were not there, or with other bytes.

    Raises:
        TemporaryError: the remote still lacks an object, since the cache has it no more, or not whole.
        PainLakeError: the remote cannot be reached.
    """
    stores = stores_of(study)
    remote = _default(stores, repository)
    if remote is None:
        # Of another kind than folders and S3: DVC's word is all there is.
        return 0
    erased = {each.pseudonym for each in read_tombstones(study.lake)}
    new, old = set[Output](), set[Output]()
    for number in waiting:
        outputs, before = new_outputs(repository, tag_name(number), None if had is None else tag_name(had))
        new |= outputs
        old |= before
    of_waiting = _objects(stores, new, erased)
    known = _objects(stores, old, erased)

    def arrived(oid: str) -> bool:
        path = stores.cache.path(oid)
        return remote.holds(oid, path.stat().st_size if path.is_file() else None)

    lacking = [oid for oid, has in in_parallel(arrived, sorted(of_waiting - known), _THREADS) if not has]
    # A folder's object says that its files are there: it comes last, as with DVC itself.
    files = [oid for oid in lacking if not oid.endswith(".dir")]
    folders = [oid for oid in lacking if oid.endswith(".dir")]
    for group in (files, folders):
        _copy(stores, remote, group)
    return len(lacking)


def is_left_to_dvc(study: Study, repository: Repository, had: int | None) -> bool:
    """Whether `dvc push` is to send what is new: it asks for every object of the version, `complete` for the new ones.

    So DVC sends the first version, and the next one to another place than the last, or to one that was emptied; and all
    to remotes that we do not know.
    """
    place = _place(study, repository)
    known = Known(store_of(study.state), _REMOTE, "")
    last = known.get(_REMOTE)
    known.keep()
    return had is None or place is None or last != place or _was_emptied(study, repository, had)


def note_backed_up(study: Study, repository: Repository) -> None:
    """Know where the versions so far are."""
    known = Known(store_of(study.state), _REMOTE, "")
    known.put(_REMOTE, _place(study, repository))
    known.keep(forget=False)


def _was_emptied(study: Study, repository: Repository, had: int) -> bool:
    """Whether a remote lacks any of some objects of the version that it had, of persons far from one another."""
    remote = _default(stores_of(study), repository)
    erased = {each.pseudonym for each in read_tombstones(study.lake)}
    blobs = repository.tracked(tag_name(had))
    paths = [path for path in sorted(blobs) if path.endswith(".dvc") and path.split("/")[1] not in erased]
    texts = repository.texts_of(blobs, paths[:: max(len(paths) // _SOME, 1)])
    oids = [output.oid for path, text in texts for output in outputs_in(path, text)]
    return remote is not None and not all(remote.holds(oid, None) for oid in oids)


_SOME = 16
_REMOTE = "remote"


def _place(study: Study, repository: Repository) -> str | None:
    remote = _default(stores_of(study), repository)
    return None if remote is None else remote.place("")


def check_remote(study: Study, repository: Repository) -> None:
    """See whether the default remote answers, before DVC is started for it.

    Raises:
        TemporaryError: it cannot be reached.
        UserError: it refuses who asks, or DVC's settings of it are wrong.
    """
    remote = _default(stores_of(study), repository)
    if remote is not None:
        remote.check()


def _default(stores: Stores, repository: Repository) -> Store | None:
    return next((store for store in stores.remotes if store.name == f"remote {repository.remote}"), None)


def _objects(stores: Stores, outputs: Iterable[Output], erased: set[str]) -> set[str]:
    return set(owners((each for each in outputs if each.person not in erased), stores)[0])


def _copy(stores: Stores, remote: Store, oids: Sequence[str]) -> None:
    def send(oid: str) -> bool:
        path = stores.cache.path(oid)
        whole = path.is_file() and md5_of(path) == oid.removesuffix(".dir")
        if whole:
            remote.write(oid, path)
        return whole

    lost = [oid for oid, sent in in_parallel(send, oids, _THREADS) if not sent]
    if lost:
        raise TemporaryError(f"{len(lost)} objects are neither at the {remote.name} nor whole in the cache: `verify`")
