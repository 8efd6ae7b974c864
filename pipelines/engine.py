"""What computed a feature: the library, its version and its model, part of every output's key and provenance."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine of a stage.

    Args:
        name: the library's name on the package index.
        version: its version as installed.
        model_sha256: SHA-256 of its model file, or None where it has no model.

    >>> Engine("opensmile", "2.6.0", None).name
    'opensmile'
    """

    name: str
    version: str
    model_sha256: str | None
