"""What `painlake agreement` tells people."""

from collections.abc import Sequence

from flows.report import table
from pipelines.agreement import Agreement


def agreed(found: Sequence[Agreement]) -> str:
    """A row a feature: bias is openSMILE's mean minus the other engine's.

    >>> print(agreed([Agreement("hnr_db", "dB", "praat", 3, 1.0, 1.0, 0.5, 0.1, 0.9, 0.98)]))
    feature  unit  engine  n  Pearson  Spearman  bias  limits of agreement  ICC(3,1)
    -------  ----  ------  -  -------  --------  ----  -------------------  --------
    hnr_db   dB    praat   3  1.00     1.00      0.5   0.1 to 0.9           0.98
    """
    header = ["feature", "unit", "engine", "n", "Pearson", "Spearman", "bias", "limits of agreement", "ICC(3,1)"]
    return table(
        header,
        [
            [
                each.feature, each.unit, each.engine, str(each.n), _share(each.pearson), _share(each.spearman),
                _value(each.bias), "-" if each.lower is None else f"{_value(each.lower)} to {_value(each.upper)}",
                _share(each.icc),
            ]
            for each in found
        ],
    )  # fmt: skip


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
