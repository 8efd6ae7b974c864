"""Release: a version of the dataset as it may be given away, in a folder or a bucket's prefix of its own.

Made from the published warehouse, aside, and in its place once whole; before that the vault notes who is in it, so
that erasure can say which releases it cannot reach. Pseudonyms are new ones each time; which old one each was is kept
nowhere. Recordings themselves are in no release.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines.audit import open_audit
from pipelines.checkout import checkout, find_version
from pipelines.consent import check_person
from pipelines.disclosure import Disclosed, anonymise
from pipelines.duckdb_tables import qualified
from pipelines.errors import PainLakeError, Rejection
from pipelines.params import Params
from pipelines.rekey import new_keys, release_name
from pipelines.release_files import Contents, Facts, write_warehouse
from pipelines.release_report import report_of, write_texts
from pipelines.release_tables import Changes, Rules, first_days, release_rows
from pipelines.release_target import target_of
from pipelines.study import Study, painlake_version
from pipelines.vault import Vault
from pipelines.vault_records import ReleaseRecord
from pipelines.views import quoted
from pipelines.warehouse import current_file, open_warehouse
from schemas.aligned import ALIGNED_FRAMES
from schemas.core import Table
from schemas.face import AU_FRAMES
from schemas.meta import COLUMNS, DATASET_VERSION
from schemas.people import PARTICIPANTS, RECORDINGS
from schemas.releases import RELEASE, SHARED, Profile, released_tables
from schemas.tables import PART_BY_PART, TABLES, VIEWS
from schemas.voice import VOICE_FRAMES

LONG = tuple(t.name for t in (AU_FRAMES, VOICE_FRAMES, *PART_BY_PART, ALIGNED_FRAMES))
"""Tables that would fill the memory: DuckDB copies them itself, some recordings at a time."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Whose data a release may hold, by the study's pseudonyms.

    Args:
        people: those who consented to what the profile needs, as the consent stands now.
        without_consent: how many of the version did not, or are not in the vault any more.
    """

    people: frozenset[str]
    without_consent: int


def release(
    study: Study,
    profile: Profile,
    out: Path | str,
    version: str | None = None,
    source: random.Random | None = None,
) -> dict[str, Any]:
    """Make a release.

    Args:
        study: the study.
        profile: for whom.
        out: a new or empty folder outside the study, or s3://bucket/prefix with nothing below it.
        version: of the dataset, such as v0001; None for the current one.
        source: of the new names' randomness; None for the operating system's.

    Returns:
        The disclosure report, as `report.json` has it.

    Raises:
        UserError: the place is not empty, the vault is missing, there is no such version, or k cannot be met; nothing
            is written then.
        RunInProgressError: another run holds the study.
        TemporaryError: the bucket cannot be reached; what is there by then is no release, and the next try removes it.
    """
    params = study.params()
    target = target_of(out, study, params.s3)
    target.check(Vault.open(study.vault))
    if version is None:
        current_file(study.warehouse)
    else:
        number = find_version(study, version)
    source = source or random.SystemRandom()
    with study.held():
        vault = Vault.open(study.vault)
        file = current_file(study.warehouse) if version is None else checkout(study, number)
        now = datetime.now(tz=UTC)
        tables = _read(file)
        chosen = choose(tables[PARTICIPANTS.name], vault, params, profile, now)
        owned = tables[PARTICIPANTS.name].filter(pl.col("participant").is_in(chosen.people)).sort("participant")
        disclosed = anonymise(owned, params.release)
        facts = Facts(
            release_name(source), profile, str(tables[DATASET_VERSION.name]["version"][0]), now.date().isoformat(),
            params.study.name, painlake_version(), params.release,
        )  # fmt: skip
        rules = _rules(tables, disclosed, profile, params, source)
        changes = Changes()
        contents = Contents(facts, _frames(tables, rules, facts, disclosed, changes), rules.keys)
        report = report_of(contents, disclosed, changes, chosen.without_consent, tables)
        record = ReleaseRecord(
            facts.release,
            profile,
            facts.version,
            now.isoformat(timespec="seconds"),
            tuple(disclosed.people["participant"]),
        )
        with target.set_aside(facts.release) as folder:
            report["tables"] |= write_warehouse(folder, file, contents, params.publish.memory_limit_mb)
            write_texts(folder, facts, report)
            _note(study, vault, record, report)
    return report


def choose(participants: pl.DataFrame, vault: Vault, params: Params, profile: Profile, now: datetime) -> Chosen:
    """Whose data a profile may hold: every consent it needs stands now, and so does the protocol.

    Args:
        participants: the table of that name.
        vault: knows the consent.
        params: of the study: scopes that were needed to record, age, exclusion.
        profile: partner and open need the scope `sharing` besides.
        now: the time of the decision (aware).
    """
    scopes = dict.fromkeys((*params.land.consent_scopes, *(("sharing",) if profile in SHARED else ())))
    land = params.land.model_copy(update={"consent_scopes": tuple(scopes)})
    known = {person.pseudonym: person for person in vault.people}
    chosen = set()
    for pseudonym in participants["participant"]:
        if pseudonym not in known:
            continue
        try:
            check_person(known[pseudonym], land, params.protocol, now, now)
        except Rejection:
            continue
        chosen.add(pseudonym)
    return Chosen(frozenset(chosen), participants.height - len(chosen))


_SHORT: Mapping[str, Table] = {
    name: table
    for name, table in {**TABLES, **VIEWS}.items()
    if name in released_tables("internal") and name not in {*LONG, COLUMNS.name}
}
"""What is read into memory: no profile gives more than the internal one."""


def _read(file: Path) -> dict[str, pl.DataFrame]:
    """Every table and view of a warehouse but the long ones.

    Raises:
        PainLakeError: it has other tables or columns than this version of PainLake publishes.
    """
    with open_warehouse(file) as warehouse:
        try:
            return {
                name: warehouse.execute(
                    f"SELECT {', '.join(map(quoted, table.names))} FROM {qualified(table)}"  # noqa: S608 - names from schemas/
                ).pl()
                for name, table in _SHORT.items()
            }
        except duckdb.Error as error:
            raise PainLakeError(
                f"{file.name} is of another version of PainLake: remove it, and `painlake checkout` builds it anew"
            ) from error


def _rules(
    tables: Mapping[str, pl.DataFrame], disclosed: Disclosed, profile: Profile, params: Params, source: random.Random
) -> Rules:
    """What all tables are made by; of recordings those that stand, without what a later delivery replaced."""
    standing = tables[RECORDINGS.name].filter(status="current")
    owners = standing.join(disclosed.people, on="participant", how="semi").select("recording", "participant")
    keys = new_keys(owners.iter_rows(), disclosed.people["participant"], source)
    dated = {**tables, RECORDINGS.name: standing}
    return Rules(profile, disclosed.people, owners, first_days(dated), keys, params.release.min_cell)


def _frames(
    tables: Mapping[str, pl.DataFrame], rules: Rules, facts: Facts, disclosed: Disclosed, changes: Changes
) -> dict[str, pl.DataFrame]:
    """Every table but the long ones as it is released."""
    given = released_tables(rules.profile)
    counts = {"people": rules.people.height, "recordings": rules.owners.height}
    version = tables[DATASET_VERSION.name].with_columns(pl.lit(n, pl.Int32).alias(name) for name, n in counts.items())
    sources = {**tables, DATASET_VERSION.name: version}
    frames = {
        name: release_rows(_SHORT[name], given[name], sources[name], rules, changes) for name in given if name in _SHORT
    }
    return frames | {RELEASE.name: RELEASE.frame([facts.row(counts, disclosed.k)])}


def _note(study: Study, vault: Vault, record: ReleaseRecord, report: Mapping[str, Any]) -> None:
    """Have vault and audit log know of a release before it gets its name."""
    audit = open_audit(study, vault)
    try:
        detail = {
            "profile": record.profile,
            "version": record.version,
            "people": len(record.people),
            "k": report["k"]["reached"],
        }
        audit.append("release_made", record.release, detail)
        vault.note_release(record)
        vault.save()
    finally:
        audit.close()
