"""The receipt of an erasure: what was deleted by hash, where, what was looked for, and what is beyond our reach."""

import json
from pathlib import Path
from typing import Any

from pipelines.durable import write_durably
from pipelines.erasure_journal import Journal
from pipelines.errors import PainLakeError
from pipelines.landing_zone import open_landing
from pipelines.seal import sha256_of
from pipelines.study import Study
from pipelines.vault import Vault


def receipt_file(study: Study, pseudonym: str) -> Path:
    """Where the receipt of a person's erasure stands; a Markdown page of the same content stands beside it."""
    return study.state / "receipts" / f"{pseudonym}.json"


def write_receipt(study: Study, journal: Journal, beyond: list[str], finished_at: str) -> Path:
    """Write the receipt, as JSON and as a page for people.

    Args:
        study: the study.
        journal: of the erasure, all steps done.
        beyond: what is out of our reach, in words.
        finished_at: UTC, ISO 8601.

    Returns:
        The JSON file.
    """
    document = {
        "pseudonym": journal.pseudonym,
        "digest": journal.digest,
        "reason": journal.reason,
        "erased_at": journal.erased_at,
        "finished_at": finished_at,
        "recordings": len(journal.recordings),
        "published": journal.published,
        "deleted": {"objects_md5": journal.objects, **journal.removed},
        "kept_since_others_share_them_md5": journal.shared,
        "searched": journal.notes,
        "beyond_our_reach": beyond,
    }
    target = receipt_file(study, journal.pseudonym)
    write_durably(target.with_suffix(".md"), _page(document).encode(), mode=0o600)
    # The JSON file comes last: what has one is finished.
    write_durably(target, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode(), mode=0o600)
    return target


def receipt_sums(study: Study, pseudonym: str) -> dict[str, str]:
    """The SHA-256 of a receipt and of its page, as the audit log keeps them."""
    file = receipt_file(study, pseudonym)
    return {"receipt_sha256": sha256_of(file), "page_sha256": sha256_of(file.with_suffix(".md"))}


def read_receipt(study: Study, pseudonym: str) -> dict[str, Any] | None:
    """The receipt of a person's erasure, or None where there is none."""
    try:
        document: dict[str, Any] = json.loads(receipt_file(study, pseudonym).read_bytes())
    except FileNotFoundError:
        return None
    return document


def beyond_reach(study: Study, vault: Vault, releases: list[str], unreachable: tuple[str, ...]) -> list[str]:
    """What an erasure cannot delete, in words.

    Args:
        study: the study.
        vault: knows the erased by a keyed digest.
        releases: those that have the person, in words.
        unreachable: DVC remotes of kinds that PainLake cannot look into.
    """
    return [
        _landing(study, vault),
        *(
            f"the backup of the vault {backup.file}, made {backup.made_at}, holds the person's row and key; "
            f"it is kept until {backup.keep_until}"
            for backup in vault.backups
        ),
        (
            "other copies of the vault made before the erasure hold the row and the key too; a vault restored from one "
            "takes the tombstone up again from the lake, and forgets the person at its next run"
        ),
        "clones of the study's repository made before, and their DVC caches: each must pull the new version and delete its cache",
        *(f"the release {release} has the person: ask who holds it to delete it" for release in releases),
        "other datasets released before, and DuckDB files that somebody copied",
        (
            "git's history in the study keeps the pseudonym and object hashes of older versions: without the vault's row "
            "they lead to nobody"
        ),
        *(
            f"{remote}: PainLake cannot delete there; delete the objects of this receipt by hand"
            for remote in unreachable
        ),
        *_engine_files(study),
    ]


def _engine_files(study: Study) -> list[str]:
    folder = study.params().face.openface.csv_folder
    return (
        []
        if folder is None
        else [f"{folder}: OpenFace's files named by the pseudonym are the person's; delete them by hand"]
    )


def _landing(study: Study, vault: Vault) -> str:
    landing = open_landing(study.params().study.landing, study.root)
    try:
        files = landing.files()
    except PainLakeError:
        return "the landing zone, which is the hospital's and could not be looked into: have it deleted at the source"
    left = sum(any(vault.tombstone_of(part) for part in file.path.split("/")) for file in files)
    return (
        f"the landing zone, which is the hospital's: {left} files of erased persons are still there, and rows of theirs "
        "may be in its tables; have them deleted at the source"
    )


def _page(document: dict[str, Any]) -> str:
    deleted = document["deleted"]
    counts = [f"- {name.replace('_', ' ')}: {value}" for name, value in deleted.items() if name != "objects_md5"]
    return "\n".join(
        [
            f"# Receipt: {document['pseudonym']} was erased",
            "",
            f"- reason: {document['reason']}",
            f"- asked for: {document['erased_at']}",
            f"- finished: {document['finished_at']}",
            f"- recordings: {document['recordings']}",
            f"- dataset: {document['published']}",
            f"- tombstone: `{document['digest']}`",
            "",
            "## Deleted",
            "",
            *counts,
            f"- objects of DVC, in all versions: {len(deleted['objects_md5'])}",
            "",
            *(f"  - `{oid}`" for oid in deleted["objects_md5"]),
            "",
            "## Searched afterwards",
            "",
            *(f"- {note}" for note in document["searched"]),
            "",
            "## Beyond our reach",
            "",
            *(f"- {line}" for line in document["beyond_our_reach"]),
            "",
        ]
    )
