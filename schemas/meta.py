"""The tables about the tables: which version this is, what each column means, what was checked, where features come from."""

from schemas.core import Column, Table, Tier
from schemas.people import OF_RECORDING, RECORDING

_SHA256 = r"[0-9a-f]{64}"

DATASET_VERSION = Table(
    "dataset_version", "dataset", "Which version of the dataset this file holds: exactly one row, to be cited with every result.",
    (
        Column("version", "VARCHAR", "The version's name; the study's repository has the tag dataset-<version>.",
               nullable=False, pattern=r"v\d{4,}"),
        Column("number", "INTEGER", "The version's number.", nullable=False, minimum=1),
        Column("created_at", "VARCHAR", "When the version was made, UTC, ISO 8601.", tier=Tier.INTERNAL),
        Column("git_commit", "VARCHAR", "Commit of the study's repository that the version was made on.", tier=Tier.LINK),
        Column("painlake_version", "VARCHAR", "Version of PainLake that published it.", nullable=False),
        Column("code_sha256", "VARCHAR", "SHA-256 over the code of the stages.", pattern=_SHA256, tier=Tier.LINK),
        Column("params_sha256", "VARCHAR", "SHA-256 of the study's params.yaml.", pattern=_SHA256, tier=Tier.LINK),
        Column("publication_sha256", "VARCHAR", "SHA-256 over the code, declarations and thresholds of publication: a file is built upon by the next version only where it would have the same.", pattern=_SHA256, tier=Tier.LINK),
        Column("engines", "VARCHAR", "Engines that computed the features with their versions, separated by semicolons.", nullable=False),
        Column("people", "INTEGER", "Persons in it.", nullable=False, unit="{people}", minimum=0),
        Column("recordings", "INTEGER", "Recordings in it, superseded ones included.", nullable=False, unit="{recordings}", minimum=0),
        Column("nrs_window_h", "DOUBLE", "How far the nearest pain score of recording_features may lie from its recording.",
               nullable=False, unit="h", minimum=0),
    ),
    key=("version",),
    tier=Tier.AGGREGATE,
    schema="meta",
)  # fmt: skip

COLUMNS = Table(
    "columns", "column", "The data dictionary: every column of every table and view, these ones included.",
    (
        Column("table_schema", "VARCHAR", "The table's schema.", nullable=False, allowed=("main", "meta")),
        Column("table_name", "VARCHAR", "The table or view.", nullable=False),
        Column("column_name", "VARCHAR", "The column.", nullable=False),
        Column("type", "VARCHAR", "DuckDB type.", nullable=False),
        Column("unit", "VARCHAR", "Unit, as in the Unified Code for Units of Measure; NULL for none."),
        Column("meaning", "VARCHAR", "What its values say.", nullable=False),
        Column("nullable", "BOOLEAN", "Whether a value may be missing (NULL).", nullable=False),
        Column("minimum", "DOUBLE", "Lowest value that the checks let pass; NULL for no bound."),
        Column("maximum", "DOUBLE", "Highest value that the checks let pass; NULL for no bound."),
        Column("allowed", "VARCHAR", "The closed set of values, separated by commas; NULL for no such set."),
        Column("tier", "VARCHAR", "Who may be given it: aggregate for everyone, feature for partners, internal inside the study, link for nobody.", nullable=False,
               allowed=tuple(tier.value for tier in Tier)),
        Column("gain_sensitive", "BOOLEAN", "Whether it follows the level of the recording, so that microphone, distance and gain shift it: compare it within a device alone.", nullable=False),
    ),
    key=("table_schema", "table_name", "column_name"),
    tier=Tier.AGGREGATE,
    schema="meta",
)  # fmt: skip

VALIDATION = Table(
    "validation", "check", "What was checked before this version was published, and how it came out; never a value.",
    (
        Column("suite", "VARCHAR", "columns: names and types; values: rows of one table; relations: across tables.",
               nullable=False, allowed=("columns", "values", "relations")),
        Column("table", "VARCHAR", "The table.", nullable=False),
        Column("check", "VARCHAR", "The rule.", nullable=False),
        Column("column", "VARCHAR", "Its columns, separated by commas; empty for the table as a whole.", nullable=False),
        Column("severity", "VARCHAR", "Only a failed critical check holds a publication back.", nullable=False,
               allowed=("critical", "warning")),
        Column("success", "BOOLEAN", "Whether everything passed.", nullable=False),
        Column("detail", "VARCHAR", "How many did not; empty where all passed."),
    ),
    key=("suite", "table", "check", "column"),
    tier=Tier.AGGREGATE,
    schema="meta",
)  # fmt: skip

ERASED = Table(
    "erased", "person", "Who was in this version when it was published and has been erased since: only in files that were built again.",
    (
        Column("participant", "VARCHAR", "The pseudonym, which leads to nobody any more.", nullable=False),
        Column("erased_at", "VARCHAR", "When, UTC, ISO 8601.", nullable=False),
    ),
    key=("participant",),
    schema="meta",
    tier=Tier.INTERNAL,
)  # fmt: skip

PROVENANCE = Table(
    "provenance", "recording and stage", "What computed each recording's features, from which bytes and with which parameters.",
    (
        RECORDING,
        Column("stage", "VARCHAR", "The stage.", nullable=False, allowed=("quality", "face", "voice", "align")),
        Column("engine", "VARCHAR", "Name of the library that did it.", nullable=False),
        Column("engine_version", "VARCHAR", "Its version.", nullable=False),
        Column("model_sha256", "VARCHAR", "SHA-256 of its model; NULL where it has none.", pattern=_SHA256, tier=Tier.LINK),
        Column("media_sha256", "VARCHAR", "SHA-256 of the stripped recording before encryption.", nullable=False, pattern=_SHA256, tier=Tier.LINK),
        Column("params_sha256", "VARCHAR", "SHA-256 of the stage's parameters.", nullable=False, pattern=_SHA256, tier=Tier.LINK),
        Column("code_sha256", "VARCHAR", "SHA-256 of the stage's code.", nullable=False, pattern=_SHA256, tier=Tier.LINK),
        Column("key", "VARCHAR", "The key of this unit of work: what is there under it is not computed again.",
               nullable=False, pattern=_SHA256, tier=Tier.LINK),
    ),
    key=("recording", "stage"),
    references=(OF_RECORDING,),
    schema="meta",
    tier=Tier.AGGREGATE,
)  # fmt: skip
