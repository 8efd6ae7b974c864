"""Disclosure control: nobody can be singled out by what others may know of them.

k-anonymity (Samarati and Sweeney 1998, SRI-CSL-98-04): each combination of quasi-identifiers that occurs at all is
that of at least k people. Among all recodings that are the same for everyone (Samarati 2001, IEEE TKDE 13(6),
doi:10.1109/69.971193) the one that loses least is taken: wider age bands, main stages, columns left out. Whoever then
still is among fewer than k loses all quasi-identifiers but the group, and whoever is so even then is left out. What
this does not guard against stands in docs/releases.md.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import polars as pl

from pipelines.errors import UserError
from pipelines.generalise import NEVER_GENERALISED, ladder, worth
from pipelines.params import ReleaseParams

OTHER = "other"
"""What a rare tumour type becomes."""
LOSS_OF_DROPPED = 2.0
"""A person left out loses, for each quasi-identifier, twice what one whose quasi-identifiers are suppressed does."""

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What was done to a table of people.

    Args:
        people: the table after it: its rows in their order, without those left out.
        k: the size of the smallest class of equal quasi-identifiers.
        recodings: what was done to everyone, in words, by column.
        types_merged: how many tumour types became 'other'.
        people_merged: how many people had those.
        suppressed: how many people lost all quasi-identifiers but the group.
        dropped: how many people were left out.
    """

    people: pl.DataFrame
    k: int = 0
    recodings: Mapping[str, str] = field(default_factory=dict)
    types_merged: int = 0
    people_merged: int = 0
    suppressed: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One way of recoding: `rows` has None for whoever is left out."""

    loss: float
    levels: tuple[int, ...]
    rows: tuple[Row | None, ...]
    suppressed: int
    dropped: int


def anonymise(people: pl.DataFrame, params: ReleaseParams) -> Disclosed:
    """Make a table of people k-anonymous, losing as little as can be.

    The same table gives the same result, an anonymous one stays as it is, and no value becomes finer.

    Args:
        people: one row a person, with the quasi-identifiers as text.
        params: k, the quasi-identifiers, and how many may be left out.

    Raises:
        UserError: k cannot be met without leaving out more than `max_dropped_share`.
    """
    total, done = people.height, Disclosed(people)
    # Leaving people out can make a tumour type rare, so until nothing changes; values only become coarser, so it ends.
    while True:
        step = _step(done.people, params, total)
        finished = step.people.equals(done.people)
        done = Disclosed(
            step.people,
            step.k,
            {**done.recodings, **step.recodings},
            done.types_merged + step.types_merged,
            done.people_merged + step.people_merged,
            done.suppressed + step.suppressed,
            done.dropped + step.dropped,
        )
        if finished:
            return done


def smallest_class(people: pl.DataFrame, quasi_identifiers: Sequence[str]) -> int:
    """The k that a table of people reaches: the size of its smallest class; 0 for an empty one."""
    return min(Counter(people.select(quasi_identifiers).iter_rows()).values(), default=0)


def suppress_rare(table: pl.DataFrame, column: str, person: str, min_cell: int) -> tuple[pl.DataFrame, int]:
    """Replace a column's values that fewer than `min_cell` people have by NULL.

    Args:
        table: any table with a column of persons.
        column: the column.
        person: the name of the column of persons.
        min_cell: how many people must have a value.

    Returns:
        The table, and how many of its cells were suppressed.
    """
    counts = table.group_by(column).agg(pl.col(person).n_unique().alias("people"))
    rare = counts.filter(pl.col(column).is_not_null(), pl.col("people") < min_cell)[column].to_list()
    hit = pl.col(column).is_in(rare).fill_null(value=False)
    cells = int(table.select(hit.sum()).item())
    return table.with_columns(pl.when(hit).then(None).otherwise(pl.col(column)).alias(column)), cells


def _step(people: pl.DataFrame, params: ReleaseParams, total: int) -> Disclosed:
    """Merge rare tumour types and apply the recoding that loses least."""
    counts = Counter(value for value in people["tumour_type"] if value not in {None, OTHER})
    rare = sorted(value for value, count in counts.items() if count < params.rare_below)
    merged = people.with_columns(
        pl.when(pl.col("tumour_type").is_in(rare)).then(pl.lit(OTHER)).otherwise("tumour_type").alias("tumour_type")
    )
    names = params.quasi_identifiers
    rows: list[Row] = list(merged.select(names).iter_rows())
    best = _least_loss(rows, params, total)
    kept = [place for place, row in enumerate(best.rows) if row is not None]
    values = zip(*(row for row in best.rows if row is not None), strict=True)
    result = merged[kept].with_columns(pl.Series(n, v, dtype=pl.String) for n, v in zip(names, values, strict=True))
    ladders = [ladder(name, [row[at] for row in rows]) for at, name in enumerate(names)]
    return Disclosed(
        result,
        smallest_class(result, names),
        {n: steps[level].says for n, steps, level in zip(names, ladders, best.levels, strict=True) if level},
        len(rare),
        sum(counts[value] for value in rare),
        best.suppressed,
        best.dropped,
    )


def _least_loss(rows: Sequence[Row], params: ReleaseParams, total: int) -> _Candidate:
    """The recoding that loses least of those that leave out few enough; of two equal ones the finer."""
    if not rows:
        raise UserError(f"k = {params.k_anonymity} cannot be met: there is nobody to release")
    allowed = math.floor(total * params.max_dropped_share + 1e-9) - (total - len(rows))
    best: _Candidate | None = None
    fewest = len(rows)
    for candidate in _candidates(rows, params):
        fewest = min(fewest, candidate.dropped)
        fits = candidate.dropped <= allowed
        if fits and (best is None or (candidate.loss, candidate.levels) < (best.loss, best.levels)):
            best = candidate
    if best is None:
        needed = fewest + total - len(rows)
        raise UserError(
            f"k = {params.k_anonymity} cannot be met: {needed} of {total} people would have to be left out, more than "
            f"release.max_dropped_share = {params.max_dropped_share:g} allows; release later, or fewer quasi-identifiers"
        )
    return best


def _candidates(rows: Sequence[Row], params: ReleaseParams) -> Iterator[_Candidate]:
    """Every recoding that is the same for all, with what becomes of those whom it leaves among fewer than k."""
    names = params.quasi_identifiers
    recoded: list[list[tuple[list[str | None], float]]] = []
    for at, name in enumerate(names):
        values = [row[at] for row in rows]
        steps = []
        for rung in ladder(name, values):
            coarser = [None if value is None else rung.recode(value) for value in values]
            changed = sum(new != old for new, old in zip(coarser, values, strict=True))
            steps.append((coarser, changed * rung.loss * worth(name)))
        recoded.append(steps)
    for levels in product(*(range(len(steps)) for steps in recoded)):
        chosen = [steps[level] for steps, level in zip(recoded, levels, strict=True)]
        general: list[Row] = list(zip(*(values for values, _ in chosen), strict=True))
        yield _suppressed(general, names, params.k_anonymity, levels, sum(loss for _, loss in chosen))


def _suppressed(rows: list[Row], names: tuple[str, ...], k: int, levels: tuple[int, ...], loss: float) -> _Candidate:
    """Suppress the quasi-identifiers of those among fewer than k, and leave out who is so even then."""
    worths = [worth(name) for name in names]
    kept_anyway = [name in NEVER_GENERALISED for name in names]
    classes = Counter(rows)
    bare = {
        row: tuple(value if keep else None for value, keep in zip(row, kept_anyway, strict=True))
        for row, count in classes.items()
        if count < k
    }
    after: Counter[Row] = Counter()
    for row, count in classes.items():
        after[bare.get(row, row)] += count
    final: list[Row | None] = []
    suppressed = dropped = 0
    for row in rows:
        new = bare.get(row, row)
        if after[new] < k:
            dropped += 1
            loss += LOSS_OF_DROPPED * sum(worths)
            final.append(None)
            continue
        lost = sum(value for value, before, behind in zip(worths, row, new, strict=True) if before != behind)
        suppressed += lost > 0
        loss += lost
        final.append(new)
    return _Candidate(loss, levels, tuple(final), suppressed, dropped)
