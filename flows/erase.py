"""Erasing a person from the command line, outside a nightly run."""

from pathlib import Path
from typing import Any

from flows.session import session_of


def erase_person(root: Path, hospital_id: str, reason: str) -> dict[str, Any]:
    """Erase a person, or go on with their erasure.

    Args:
        root: the study's folder.
        hospital_id: as the hospital delivers it.
        reason: why, without an identity.

    Returns:
        The receipt.

    Raises:
        UserError: nobody has this ID, or the study or vault cannot be opened.
        RunInProgressError: a run holds the study.
        PainLakeError: something could not be deleted yet; the next try goes on.
    """
    with session_of(root, resume=False) as session:
        return session.night.eraser().erase_id(hospital_id, reason)


def resume_erasures(root: Path) -> list[dict[str, Any]]:
    """Go on with every unfinished erasure; returns their receipts.

    Args:
        root: the study's folder.

    Raises:
        PainLakeError: something could not be deleted yet; the next try goes on.
    """
    with session_of(root, resume=False) as session:
        return session.night.eraser().resume()
