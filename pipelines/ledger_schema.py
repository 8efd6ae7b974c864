"""The ledger's tables."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    delivery TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('media', 'table', 'other')),
    name_digest TEXT NOT NULL,      -- keyed digest of the hospital's name
    stamp TEXT NOT NULL,            -- size and time (or etag) of the file and its sidecar when last looked at
    sha256 TEXT,                    -- NULL until it was read whole
    bytes INTEGER NOT NULL,
    participant TEXT,               -- pseudonym
    recording TEXT,
    fate TEXT NOT NULL,
    reasons TEXT NOT NULL DEFAULT '[]',   -- [[code, detail], ...]
    first_seen TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    duplicate_of TEXT,
    UNIQUE (name_digest, sha256)
);
CREATE INDEX IF NOT EXISTS deliveries_by_sha256 ON deliveries (sha256);
CREATE INDEX IF NOT EXISTS deliveries_by_recording ON deliveries (recording);
CREATE TABLE IF NOT EXISTS table_rows (
    delivered_table TEXT NOT NULL,
    row_digest TEXT NOT NULL,       -- keyed digest of the row's text and of which of its like it is
    participant TEXT,
    fate TEXT NOT NULL,
    code TEXT,
    PRIMARY KEY (delivered_table, row_digest)
);
CREATE TABLE IF NOT EXISTS units (
    recording TEXT NOT NULL,
    stage TEXT NOT NULL,
    key TEXT NOT NULL,
    sha256 TEXT NOT NULL,           -- of the output files, in order
    PRIMARY KEY (recording, stage)
);
CREATE TABLE IF NOT EXISTS dirty (
    participant TEXT PRIMARY KEY    -- whose folder may differ from the last version
);
CREATE TABLE IF NOT EXISTS withdrawn (
    participant TEXT PRIMARY KEY    -- who has data in the lake and took back consent: to be erased
);
CREATE TABLE IF NOT EXISTS versions (
    number INTEGER PRIMARY KEY,
    git_commit TEXT NOT NULL,
    published_at TEXT NOT NULL,
    pushed_at TEXT
);
CREATE TABLE IF NOT EXISTS sums (
    path TEXT PRIMARY KEY,          -- in the study, of a file whose bytes nothing else knows
    sha256 TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS runs (
    started_at TEXT NOT NULL,
    finished_at TEXT,
    outcome TEXT,
    fingerprint TEXT
);
"""
