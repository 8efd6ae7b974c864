"""What a look at a study comes to: findings, notes and counts, and how far the look is."""

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


class Progress(Protocol):
    """How far a piece of work is."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A new phase begins, of so many steps if that is known."""

    def advance(self, steps: int = 1) -> None:
        """Steps of the phase are done."""


class Unshown:
    """Progress that nobody sees."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Nothing."""

    def advance(self, steps: int = 1) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Args:
        name: of the object or the file, as it stands in the study or the store.
        problem: what is wrong with it, and where it stands.
        remedy: what to do.
        whose: pseudonyms.
    """

    name: str
    problem: str
    remedy: str
    whose: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """All of it in one line.

        >>> Finding("ab12", "is damaged in the cache", "remove it", ("P000000001",)).line
        'ab12 (P000000001) is damaged in the cache: remove it'
        """
        whose = f" ({', '.join(self.whose)})" if self.whose else ""
        return f"{self.name}{whose} {self.problem}: {self.remedy}"

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "whose": list(self.whose)}


@dataclass(slots=True)
class Findings:
    """What was found so far.

    Args:
        checked: how much was looked at, by kind.
        wrong: what is not as it should be.
        notes: what could not be looked at, or waits for the next run.
        progress: told how far it is.
        quick: whether only presence is looked at, and no bytes are read.
    """

    progress: Progress = field(default_factory=Unshown)
    quick: bool = False
    checked: dict[str, int] = field(default_factory=dict)
    wrong: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, problem: str, remedy: str, *whose: str) -> None:
        """Enter a finding."""
        self.wrong.append(Finding(name, problem, remedy, tuple(sorted(whose))))

    def note(self, text: str) -> None:
        """Enter a note."""
        self.notes.append(text)

    def count(self, kind: str, number: int) -> None:
        """Add to what was looked at."""
        self.checked[kind] = self.checked.get(kind, 0) + number
