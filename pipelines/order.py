"""A unit of work as it is sent to another machine, and what is sent back: pseudonyms, paths and digests alone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """A unit of work, to be done elsewhere.

    Args:
        place: where the worker finds what it needs: the study's folder, by the path that all machines know it by, or
            s3://bucket/prefix/painlake-exchange/run.
        stage: the media stage.
        participant: a pseudonym.
        recording: its pseudonymous name.
        key: what the result is filed under.
        again: whether to measure it whatever stands under its key.
        sha256: of what lies for it in the bucket.
    """

    place: str
    stage: str
    participant: str
    recording: str
    key: str
    again: bool = False
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order; one of sha256, code, error and disk, the others are empty.

    Args:
        sha256: of the unit's files.
        code: the recording cannot be measured (`schemas.faults`); what was found is left for the run, and not sent.
        error: it could not be done for a reason that is not the recording's own.
        disk: a disk cannot be written.
        left: the name of what the worker left in the bucket.
    """

    sha256: str = ""
    code: str = ""
    error: str = ""
    disk: str = ""
    left: str = ""
