"""The main job on synthetic people: what a newcomer sees first."""

import os
import shlex
from pathlib import Path

from flows.progress import Progress
from flows.report import stated
from flows.run import ingest_once
from pipelines.errors import UserError
from pipelines.overview import overview
from pipelines.study import make_study

QUESTION = """\
SELECT "group", count(*) AS recordings, round(avg(nrs_now), 1) AS nrs_now, round(avg(pspi_mean), 2) AS pspi_mean,
       round(avg("AU04_r_mean"), 2) AS AU04_r_mean, round(avg(speech_share), 2) AS speech_share
FROM recording_features WHERE task = $$free_speech$$ GROUP BY "group" ORDER BY "group\""""


def run_demo(root: Path, participants: int, seed: int, seconds: float, progress: Progress) -> str:
    """Make a study with a synthetic landing zone, ingest it, and ask it a question.

    Args:
        root: a new or empty folder.
        participants: how many people.
        seed: the same seed makes the same people.
        seconds: about how long a recording is.
        progress: where to show it.

    Returns:
        What to print: what landed, what became of it, where the DuckDB file is, and one query with its answer.
    """
    try:
        from pipelines.synthetic.zone import make_landing_zone  # noqa: PLC0415 - scikit-image and Praat are an extra
    except ImportError as error:
        raise UserError(f"the demo wants the extra `painlake[demo]`: {error.name} is not installed") from error
    from pipelines.query import format_rows, run_query  # noqa: PLC0415 - only now is there something to ask

    progress.phase("making the study")
    study = make_study(root, None, str(root / "remote"))
    progress.phase("filming synthetic people", None)
    last = 0

    def tell(done: int, total: int) -> None:
        nonlocal last
        if last == 0:
            progress.phase("filming synthetic people", total)
        progress.advance(done - last)
        last = done

    make_landing_zone(
        study.root / "landing",
        participants=participants,
        seed=seed,
        seconds=(seconds * 0.75, seconds * 1.25),
        progress=tell,
        workers=len(os.sched_getaffinity(0)),
    )
    result = ingest_once(study.root, progress)
    answer = format_rows(*run_query(study.warehouse / "current", QUESTION), "table")
    return "\n".join(
        [
            stated(overview(study)),
            f"run: {result['outcome']}",
            f"DuckDB file: {study.warehouse / 'current'}",
            "",
            f"painlake query --study {shlex.quote(str(root))} {shlex.quote(QUESTION)}",
            answer,
        ]
    )
