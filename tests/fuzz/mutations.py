"""Damaged deliveries by number: the same seed and number always give the same bytes.

Half of the damage is blind (bits, ranges), half knows the format: lengths that lie, parts in another order, numbers
that no recording has.
"""

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

Random = random.Random
Mutator = Callable[[bytes, Random], bytes]


class Mutant(NamedTuple):
    """A damaged file: which good one it was made of, and how."""

    number: int
    target: str
    kind: str
    content: bytes


class Part(NamedTuple):
    """A box, element or chunk: where it begins, where its content stands, and in which part it is."""

    name: str
    at: int
    start: int
    end: int
    parent: int


def mutate(
    seed: int, number: int, originals: Mapping[str, bytes], mutators: Mapping[str, Mapping[str, Mutator]]
) -> Mutant:
    """The damaged file of a number.

    Args:
        seed: of the whole run.
        number: of this file; alone it decides what is damaged, and how.
        originals: good files by name, such as `mp4` or `clinical.csv`; what follows a space is a variant.
        mutators: kind of file -> kind of damage -> how.
    """
    rng = Random(f"{seed}/{number}")
    target = rng.choice([name for name in sorted(originals) for _ in range(_WEIGHTS.get(_kind_of(name), 1))])
    known = mutators[_kind_of(target)]
    for _ in range(20):
        kind = rng.choice(sorted(known))
        content = known[kind](originals[target], rng)
        if content != originals[target]:
            return Mutant(number, target, kind, content)
    raise AssertionError(f"nothing changes {target}")


_WEIGHTS = {"mp4": 3, "mkv": 5, "wav": 3, "json": 2}
"""Recordings have more to be damaged than tables."""


def _kind_of(name: str) -> str:
    return name.split(" ", maxsplit=1)[0].rpartition(".")[2]


# Blind damage, to any file.


def _span(media: bytes, rng: Random, share: float = 0.2) -> tuple[int, int]:
    length = max(1, round(len(media) * share * rng.random() ** 3))
    at = rng.randrange(max(1, len(media) - length))
    return at, at + length


def bit_flips(media: bytes, rng: Random) -> bytes:
    out = bytearray(media)
    for _ in range(2 ** rng.randrange(8)):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def zeroed_range(media: bytes, rng: Random) -> bytes:
    at, end = _span(media, rng)
    return media[:at] + bytes(end - at) + media[end:]


def deleted_range(media: bytes, rng: Random) -> bytes:
    at, end = _span(media, rng)
    return media[:at] + media[end:]


def duplicated_range(media: bytes, rng: Random) -> bytes:
    at, end = _span(media, rng)
    return media[:end] + media[at:end] + media[end:]


def inserted_noise(media: bytes, rng: Random) -> bytes:
    at, end = _span(media, rng, 0.05)
    return media[:at] + rng.randbytes(end - at) + media[at:]


def cut_end(media: bytes, rng: Random) -> bytes:
    return media[: rng.randrange(len(media))]


BLIND: Mapping[str, Mutator] = {
    "bit flips": bit_flips,
    "zeroed range": zeroed_range,
    "deleted range": deleted_range,
    "duplicated range": duplicated_range,
    "inserted noise": inserted_noise,
    "cut end": cut_end,
}


def absurd(rng: Random, size: int) -> bytes:
    """A number of so many bytes that is seldom right."""
    top = (1 << (8 * size)) - 1
    values = (0, 1, 2, 255, 65_535, top, top - 1, top // 2, top // 2 + 1, rng.randrange(top + 1))
    return min(rng.choice(values), top).to_bytes(size, rng.choice(("big", "little")))


def overwritten(media: bytes, at: int, content: bytes) -> bytes:
    return media[:at] + content + media[at + len(content) :]


# Damage to the structure, the same for boxes, elements and chunks.

Parse = Callable[[bytes], list[Part]]


def structural(
    parse: Parse, lie: Callable[[bytes, Part, Random], bytes], payload: frozenset[str]
) -> dict[str, Mutator]:
    def of_part(change: Callable[[bytes, Part, Random], bytes]) -> Mutator:
        return lambda media, rng: change(media, rng.choice(parse(media)), rng)

    def swapped(media: bytes, rng: Random) -> bytes:
        parts = parse(media)
        first = rng.choice(parts)
        siblings = [part for part in parts if part.parent == first.parent and part != first] or [first]
        one, two = sorted((first, rng.choice(siblings)), key=lambda part: part.at)
        if one == two:
            return media
        return (
            media[: one.at]
            + media[two.at : two.end]
            + media[one.end : two.at]
            + media[one.at : one.end]
            + media[two.end :]
        )

    def header_flips(media: bytes, rng: Random) -> bytes:
        parts = [part for part in parse(media) if part.name not in payload]
        out = bytearray(media)
        for _ in range(2 ** rng.randrange(5)):
            part = rng.choice(parts)
            end = min(part.end, part.start + 200)
            out[rng.randrange(part.at, max(end, part.at + 1))] ^= 1 << rng.randrange(8)
        return bytes(out)

    return {
        "length lie": of_part(lie),
        "swapped parts": swapped,
        "header flips": header_flips,
        "deleted part": of_part(lambda media, part, _: media[: part.at] + media[part.end :]),
        "duplicated part": of_part(
            lambda media, part, _: media[: part.end] + media[part.at : part.end] + media[part.end :]
        ),
        "zeroed part": of_part(lambda media, part, _: overwritten(media, part.start, bytes(part.end - part.start))),
    }
