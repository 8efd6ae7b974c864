"""Which recording of a name is current: the one that was delivered last, of those that are in the lake."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pipelines.deliveries import Delivery
from pipelines.ledger import Ledger
from pipelines.pseudonymise import mark_superseded, recordings_folder
from pipelines.recording import Recording


def settle_superseded(lake: Path, ledger: Ledger, name_digest: str | None = None) -> None:
    """Have the sidecars say which recordings a later one under their name supersedes.

    Settled anew whenever one comes or goes, since a later one may be refused by a stage after it has come, and a run may
    be killed between the two.

    Args:
        lake: the lake.
        ledger: knows what came under which name, in which order.
        name_digest: of the one name that is looked at; None for all.
    """
    by_name: dict[str, list[Delivery]] = defaultdict(list)
    # A name that had one alone has nothing to settle: a nightly look at all of them would cost more than it finds.
    for entry in ledger.of_repeated_names() if name_digest is None else ledger.by_name(name_digest):
        if entry.recording is not None and entry.duplicate_of is None:
            by_name[entry.name_digest].append(entry)
    for entries in by_name.values():
        _settle(lake, ledger, entries)


def _settle(lake: Path, ledger: Ledger, entries: Sequence[Delivery]) -> None:
    paths = [recordings_folder(lake, f"{entry.participant}") / f"{entry.recording}.json" for entry in entries]
    there = [Recording.read(path) for path in paths if path.is_file()]
    for recording in there:
        wanted = recording is not there[-1]
        if recording.superseded != wanted:
            ledger.mark_dirty(recording.participant)
            mark_superseded(lake, recording.participant, recording.recording, superseded=wanted)
