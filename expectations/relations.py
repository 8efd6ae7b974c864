"""The rules across tables: each counts its offences, and Great Expectations judges the counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from expectations.engine import run_rules
from expectations.results import CheckResult, Rule, Severity
from schemas.core import Table
from schemas.faults import FAULTS, Effect

Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules across tables allow.

    Args:
        control_max_nrs: the highest pain score of a control.
        control_max_recordings: current recordings of a control.
        duration_tolerance_s: how far a time may lie beyond the end of its recording.
        allow_mixed_engines: whether recordings may be measured by different engines or models.
    """

    control_max_nrs: float = 0.0
    control_max_recordings: int = 1
    duration_tolerance_s: float = 1.0
    allow_mixed_engines: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A rule across tables: `count` gives the rows (or recordings) of `table` that offend against it."""

    table: str
    check: str
    columns: tuple[str, ...]
    severity: Severity
    needs: tuple[str, ...]
    count: Callable[[Tables, Limits], int]


def check_relations(tables: Tables, declared: Sequence[Table], limits: Limits) -> list[CheckResult]:
    """Check the references that the tables declare and the rules across them.

    Args:
        tables: those whose columns are right; a rule that needs another is left out, as nothing can be said.
        declared: the tables' declarations.
        limits: what is allowed.

    Returns:
        One result a rule.
    """
    relations = [relation for relation in (*_references(declared), *RELATIONS) if set(relation.needs) <= set(tables)]
    names = [f"{relation.table}.{relation.check}" for relation in relations]
    offences = [relation.count(tables, limits) for relation in relations]
    rules = [
        Rule("relations", relation.table, relation.check, relation.columns, relation.severity,
             "ExpectColumnValuesToBeBetween", {"column": name, "max_value": 0})
        for name, relation in zip(names, relations, strict=True)
    ]  # fmt: skip
    judged = run_rules(pl.DataFrame({name: [count] for name, count in zip(names, offences, strict=True)}), rules)
    return [
        result
        if result.success or result.error
        else rule.result(success=False, detail=f"{count} of its rows or recordings")
        for rule, result, count in zip(rules, judged, offences, strict=True)
    ]


def _references(declared: Sequence[Table]) -> list[Relation]:
    """The declared references; a missing value refers to nothing."""

    def relation(table: Table, columns: tuple[str, ...], target: str) -> Relation:
        def count(tables: Tables, _: Limits) -> int:
            keys = tables[table.name].drop_nulls(columns).group_by(columns).agg(_rows_of(tables[table.name]))
            return int(keys.join(tables[target].select(columns), on=columns, how="anti")["len"].sum())

        return Relation(table.name, f"stands_in_{target}", columns, "critical", (table.name, target), count)

    return [relation(table, ref.columns, ref.table) for table in declared for ref in table.references]


ROWS, LAST_S, DISORDERED, DECODED = "rows", "last_s", "disordered", "decoded"
"""Columns of a table of which only a row a recording is given, in place of all of its rows: how many there are, the
latest time, how many times are not later than those before, and the measure `frames`."""


def _rows_of(frame: pl.DataFrame) -> pl.Expr:
    return (pl.col(ROWS).sum() if ROWS in frame.columns else pl.len()).alias("len")


def _of_other_person(tables: Tables, _: Limits) -> int:
    of_person = pl.col("recording").str.starts_with(pl.concat_str("participant", pl.lit("-")))
    return tables["recordings"].filter(~of_person).height


def _unknown_flags(tables: Tables, _: Limits) -> int:
    allowed = [code for code, fault in FAULTS.items() if fault.effect is Effect.FLAG]
    given = tables["recordings"]["flags"].drop_nulls().str.split(" ").explode().drop_nulls()
    return given.filter((given != "") & ~given.is_in(allowed)).len()


def _empty_tasks(tables: Tables, _: Limits) -> int:
    return tables["tasks"].filter(pl.col("end_s") <= pl.col("start_s")).height


def _late_tasks(tables: Tables, limits: Limits) -> int:
    timed = tables["tasks"].join(tables["recordings"].select("recording", "duration_s"), on="recording")
    return timed.filter(pl.col("end_s") > pl.col("duration_s") + limits.duration_tolerance_s).height


def times_out_of_order(frame: pl.DataFrame) -> int:
    """How many frames have a time that is not later than that of the frame before in the same recording."""
    frames = frame.select("recording", "frame", "timestamp_s").sort("recording", "frame")
    same = pl.col("recording") == pl.col("recording").shift()
    return frames.filter(same & (pl.col("timestamp_s").diff() <= 0)).height


def _times_out_of_order(table: str) -> Callable[[Tables, Limits], int]:
    """Counts frames whose time is not later than that of the frame before in the same recording."""

    def count(tables: Tables, _: Limits) -> int:
        frame = tables[table]
        return int(frame[DISORDERED].sum()) if DISORDERED in frame.columns else times_out_of_order(frame)

    return count


def _late_times(table: str) -> Callable[[Tables, Limits], int]:
    def count(tables: Tables, limits: Limits) -> int:
        known = tables[table].columns
        time = LAST_S if LAST_S in known else "t_s" if table == "aligned_frames" else "timestamp_s"
        last = tables[table].group_by("recording").agg(pl.col(time).max())
        timed = last.join(tables["recordings"].select("recording", "duration_s"), on="recording")
        return timed.filter(pl.col(time) > pl.col("duration_s") + limits.duration_tolerance_s).height

    return count


def _frames_uncounted(tables: Tables, _: Limits) -> int:
    """Recordings with action units whose number of rows is not the number of frames that were decoded."""
    measures = tables["quality_measures"]
    if DECODED not in measures.columns:
        measures = measures.filter(measure="frames").rename({"value": DECODED})
    decoded = measures.select("recording", DECODED)
    rows = tables["au_frames"].group_by("recording").agg(_rows_of(tables["au_frames"]))
    return rows.join(decoded, on="recording").filter(pl.col("len") != pl.col(DECODED)).height


def _controls_in_pain(tables: Tables, limits: Limits) -> int:
    controls = tables["participants"].filter(group="control").select("participant")
    scores = tables["clinical_observations"].join(controls, on="participant", how="semi")
    return scores.filter(pl.col("nrs_now") > limits.control_max_nrs).height


def _controls_repeated(tables: Tables, limits: Limits) -> int:
    controls = tables["participants"].filter(group="control").select("participant")
    current = tables["recordings"].filter(status="current").join(controls, on="participant", how="semi")
    return current.group_by("participant").len().filter(pl.col("len") > limits.control_max_recordings).height


def _same_media(tables: Tables, _: Limits) -> int:
    return int(tables["recordings"].select("participant", "provenance").is_duplicated().sum())


def _unmeasured(tables: Tables, _: Limits) -> int:
    current = tables["recordings"].filter(status="current")
    return current.join(tables["quality_measures"], on="recording", how="anti").height


def _stale_features(tables: Tables, _: Limits) -> int:
    media = tables["recordings"].select("recording", "provenance")
    made_from = tables["provenance"].join(media, on="recording")
    return made_from.filter(pl.col("media_sha256") != pl.col("provenance")).height


def _without_provenance(table: str, stage: str) -> Callable[[Tables, Limits], int]:
    def count(tables: Tables, _: Limits) -> int:
        stated = tables["provenance"].filter(stage=stage)
        return tables[table].select("recording").unique().join(stated, on="recording", how="anti").height

    return count


def _mixed_engines(tables: Tables, limits: Limits) -> int:
    """Recordings whose stage was done by another engine or model than most of that stage's."""
    if limits.allow_mixed_engines:
        return 0
    stated = tables["provenance"].group_by("stage", "engine", "model_sha256").len()
    most = stated.group_by("stage").agg(pl.col("len").max())
    return int(stated["len"].sum()) - int(most["len"].sum())


def _mixed_versions(tables: Tables, _: Limits) -> int:
    """Stages done by more than one version of an engine."""
    return (
        tables["provenance"]
        .group_by("stage", "engine")
        .agg(pl.col("engine_version").n_unique())
        .filter(pl.col("engine_version") > 1)
        .height
    )


_FEATURES = {
    "quality_measures": "quality",
    "au_frames": "face",
    "voice_frames": "voice",
    "voice_functionals": "voice",
    "voice_functionals_speech": "voice",
    "speech_segments": "voice",
    "speech_timing": "voice",
    "voice_features_long": "voice",
    "voice_series": "voice",
    "voice_cross_check": "voice",
    "aligned_frames": "align",
    "av_offsets": "align",
}
"""Which stage makes which table."""

RELATIONS: tuple[Relation, ...] = (
    Relation("recordings", "named_after_participant", ("recording",), "critical", ("recordings",), _of_other_person),
    Relation("recordings", "accepted_flags", ("flags",), "critical", ("recordings",), _unknown_flags),
    Relation("recordings", "media_once", ("provenance",), "warning", ("recordings",), _same_media),
    Relation("recordings", "measured", ("recording",), "warning", ("recordings", "quality_measures"), _unmeasured),
    Relation("recordings", "controls_recorded_once", ("participant",), "warning", ("recordings", "participants"), _controls_repeated),
    Relation("tasks", "end_after_start", ("start_s", "end_s"), "critical", ("tasks",), _empty_tasks),
    Relation("tasks", "within_recording", ("end_s",), "warning", ("tasks", "recordings"), _late_tasks),
    Relation("clinical_observations", "controls_without_pain", ("nrs_now",), "warning",
             ("clinical_observations", "participants"), _controls_in_pain),
    Relation("au_frames", "times_increase", ("timestamp_s",), "critical", ("au_frames",), _times_out_of_order("au_frames")),
    Relation("voice_frames", "times_increase", ("timestamp_s",), "critical", ("voice_frames",), _times_out_of_order("voice_frames")),
    Relation("au_frames", "one_row_per_frame", ("frame",), "critical", ("au_frames", "quality_measures"), _frames_uncounted),
    Relation("au_frames", "within_recording", ("timestamp_s",), "warning", ("au_frames", "recordings"), _late_times("au_frames")),
    Relation("voice_frames", "within_recording", ("timestamp_s",), "warning", ("voice_frames", "recordings"), _late_times("voice_frames")),
    Relation("aligned_frames", "within_recording", ("t_s",), "warning", ("aligned_frames", "recordings"), _late_times("aligned_frames")),
    Relation("provenance", "of_these_bytes", ("media_sha256",), "critical", ("provenance", "recordings"), _stale_features),
    Relation("provenance", "one_engine_per_stage", ("engine", "model_sha256"), "critical", ("provenance",), _mixed_engines),
    Relation("provenance", "one_version_per_engine", ("engine_version",), "warning", ("provenance",), _mixed_versions),
    *(
        Relation(table, "has_provenance", ("recording",), "critical", (table, "provenance"), _without_provenance(table, stage))
        for table, stage in _FEATURES.items()
    ),
)  # fmt: skip
