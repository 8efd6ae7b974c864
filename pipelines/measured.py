"""The measured values that a code was given for, out of the words in which its reason tells them."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from schemas.quality import MEASURES

_LIMIT = re.compile(r"(?P<measure>[a-z]\w*) is (?P<value>-?[0-9.]+(?:e[+-]?[0-9]+)?), should be (?P<threshold>[<>]= \S+?)(?=;|$)")  # fmt: skip
_DECLARED = re.compile(r"(?P<kind>video|audio): (?P<there>[0-9.]+) s of (?P<declared>[0-9.]+) s declared")


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with its unit and what it should have been."""

    measure: str
    value: float
    unit: str
    threshold: str


def measured(found: str) -> list[dict[str, Any]]:
    """What was measured, for a reason that rests on a measurement.

    Args:
        found: a reason's detail, as `pipelines.quality` and `pipelines.wholeness` word it.

    Returns:
        Measure, value, unit and threshold of each; empty where no measurement led to the code.

    >>> measured("duration_s is 70.1, should be <= 61")
    [{'measure': 'duration_s', 'value': 70.1, 'unit': 's', 'threshold': '<= 61'}]
    >>> measured("video: 3.20 s of 6.00 s declared are there")
    [{'measure': 'video that is there', 'value': 3.2, 'unit': 's', 'threshold': 'declared 6 s'}]
    """
    values = [
        Measured(
            each["measure"],
            float(each["value"]),
            MEASURES[each["measure"]].unit if each["measure"] in MEASURES else "",
            each["threshold"],
        )
        for each in _LIMIT.finditer(found)
    ]
    values += [
        Measured(f"{each['kind']} that is there", float(each["there"]), "s", f"declared {float(each['declared']):g} s")
        for each in _DECLARED.finditer(found)
    ]
    return [asdict(each) for each in values]
