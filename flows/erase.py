"""Erasing a person from the command line, outside a nightly run."""

from pathlib import Path
from typing import Any

from flows.session import session_of
from pipelines.withdrawals import note_withdrawals


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


def enter_erasure(root: Path, hospital_id: str, reason: str) -> str:
    """Enter an erasure for the next night, or the flow `erase`, to carry out; returns the pseudonym.

    Args:
        root: the study's folder.
        hospital_id: as the hospital delivers it; it goes nowhere.
        reason: why, without an identity.

    Raises:
        UserError: nobody has this ID, or the study or vault cannot be opened.
        RunInProgressError: a run holds the study.
    """
    with session_of(root, resume=False) as session:
        return session.night.eraser().enter_id(hospital_id, reason)


def erase_pending(root: Path, *, withdrawn: bool) -> list[dict[str, Any]]:
    """Carry out what was entered or not finished; returns the receipts.

    Args:
        root: the study's folder.
        withdrawn: erase those who took back consent, too.

    Raises:
        PainLakeError: something could not be deleted yet; the next try goes on.
    """
    with session_of(root, resume=False) as session:
        eraser = session.night.eraser()
        receipts = eraser.resume()
        if withdrawn:
            note_withdrawals(session.night.desk)
            taken_back = session.night.ledger.withdrawn()
            receipts += [eraser.erase(pseudonym, "consent was withdrawn") for pseudonym in taken_back]
        return receipts
