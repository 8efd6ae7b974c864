"""ELAN's annotation files: time-aligned tiers as EAF 3.0, which ELAN 6 opens.

Source: Max Planck Institute for Psycholinguistics, ELAN Annotation Format 3.0 (schema EAFv3.0.xsd).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pympi.Elan import Eaf

_FORMAT = {
    "VERSION": "3.0",
    "FORMAT": "3.0",
    "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
}
_NO_DATE = "1970-01-01T00:00:00+00:00"


class Interval(NamedTuple):
    """What is said of a stretch of time."""

    start_s: float
    end_s: float
    value: str


@dataclass(frozen=True, slots=True)
class Tier:
    """One line of annotations.

    Args:
        name: as ELAN shows it.
        kind: its linguistic type: all tiers of one kind can be shown and searched together.
        intervals: in any order; where two overlap, the later one begins where the earlier ends.
    """

    name: str
    kind: str
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """An annotation file.

    Args:
        recording: whose it is, by its pseudonym; ELAN looks for a film of this name beside the file.
        author: what made it.
        created_at: when, ISO 8601; None where nobody knows.
        has_picture: whether the recording is a film, or sound alone.
        properties: names and values that say where it comes from.
        tiers: from top to bottom.
    """

    recording: str
    author: str
    created_at: str | None
    has_picture: bool
    properties: tuple[tuple[str, str], ...]
    tiers: tuple[Tier, ...]

    @property
    def participant(self) -> str:
        """The pseudonym of the person that all tiers are about."""
        return self.recording.partition("-")[0]


def write_eaf(document: Document) -> bytes:
    """A document as an EAF file; the same document gives the same bytes.

    Times are rounded to ELAN's milliseconds; what would vanish lasts 1 ms.

    Example:
        path.write_bytes(write_eaf(document))
    """
    from pympi.Elan import Eaf, to_string  # noqa: PLC0415 - what only an export needs

    eaf = Eaf(author=document.author)
    eaf.remove_tier("default")
    eaf.remove_linguistic_type("default-lt")
    eaf.adocument.update(_FORMAT, DATE=document.created_at or _NO_DATE)
    eaf.header.update(MEDIA_FILE="", TIME_UNITS="milliseconds")
    ending, mime_type = ("mp4", "video/mp4") if document.has_picture else ("wav", "audio/x-wav")
    # A name and no path: it says nothing of where anybody keeps recordings.
    media = f"./{document.recording}.{ending}"
    eaf.add_linked_file(media, relpath=media, mimetype=mime_type)
    for tier in document.tiers:
        if tier.kind not in eaf.linguistic_types:
            eaf.add_linguistic_type(tier.kind)
        eaf.add_tier(tier.name, ling=tier.kind, part=document.participant, ann=document.author)
        for start_ms, end_ms, value in _apart(tier.intervals):
            eaf.add_annotation(tier.name, start_ms, end_ms, value)
    # In place of pympi's own property, which it leaves at 0: ELAN numbers new annotations from it on.
    eaf.properties[:] = [("lastUsedAnnotationId", str(eaf.maxaid)), *document.properties]
    _order_times(eaf)
    text: str = to_string(eaf)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode() + b"\n"


def _apart(intervals: Sequence[Interval]) -> list[tuple[int, int, str]]:
    """Intervals in ms, in order; ELAN takes no annotation that overlaps another of its tier."""
    placed: list[tuple[int, int, str]] = []
    free_ms = 0
    for interval in sorted(intervals):
        start_ms = max(round(interval.start_s * 1000), free_ms)
        end_ms = max(round(interval.end_s * 1000), start_ms + 1)
        placed.append((start_ms, end_ms, interval.value))
        free_ms = end_ms
    return placed


def _order_times(eaf: "Eaf") -> None:
    """Number the time slots in the order of their times, as ELAN does."""
    slots: dict[str, int] = eaf.timeslots
    # Where one annotation ends and another begins at the same time, the earlier made slot stays the first.
    ordered = sorted(slots, key=lambda slot: (slots[slot], int(slot.removeprefix("ts"))))
    names = {slot: f"ts{number}" for number, slot in enumerate(ordered, 1)}
    eaf.timeslots = {names[slot]: slots[slot] for slot in ordered}
    for annotations, *_ in eaf.tiers.values():
        for name, (start, end, *rest) in annotations.items():
            annotations[name] = (names[start], names[end], *rest)
