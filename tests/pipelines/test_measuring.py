"""A recording's way through a run that is killed on the way: the next one finds all that it has to know."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from pipelines.audit import open_audit
from pipelines.errors import Reason, Rejection
from pipelines.land import Accepted
from pipelines.measuring import Measuring
from pipelines.pool import Workers
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.work import Done, Unit
from schemas.faults import Fate
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4

PATH = "recordings/MRN-4711007/V1/Annemarie-Grootenboer.mp4"


class TwoAtOnce:
    """Workers that do the stage that another one leads along with it, as they are asked to, and note what they are asked."""

    does_two_at_once = True

    def __init__(self, study: LightStudy, *reasons: Reason) -> None:
        self.study = study
        self.reasons = reasons
        self.units: list[Unit] = []
        self.audited: list[list[str]] = []

    def run(self, _: Callable[..., Any], unit: Unit) -> Any:
        self.units.append(unit)
        self.audited.append(stages_decrypted(self.study))
        along = None
        if unit.along is not None and not self.reasons:
            along = Done("face", unit.recording.recording, unit.along, "1" * 64, (), cpu_s=3.0)
        return Done(unit.stage, unit.recording.recording, unit.key, "0" * 64, self.reasons, cpu_s=1.0, along=along)


def stages_decrypted(study: LightStudy) -> list[str]:
    """For which stages the audit log says that a recording was decrypted, in order."""
    lines = (json.loads(line) for line in study.study.audit.read_text(encoding="utf-8").splitlines())
    return [line["detail"]["stage"] for line in lines if line["action"] == "recording_decrypted"]


class Told:
    """Workers of whom each answer is known before: pseudonymising is done, a stage gives these reasons."""

    does_two_at_once = False

    def __init__(self, *reasons: Reason, raises: BaseException | None = None) -> None:
        self.reasons = reasons
        self.raises = raises

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self.raises is not None:
            raise self.raises
        if isinstance(arguments[0], Unit):
            (unit,) = arguments
            return Done(unit.stage, unit.recording.recording, unit.key, "0" * 64, self.reasons)
        return function(*arguments)


def workers(*reasons: Reason, raises: BaseException | None = None) -> Workers:
    return cast("Workers", Told(*reasons, raises=raises))


@pytest.fixture
def bench(study: LightStudy) -> Measuring:
    audit = open_audit(study.study, study.vault)
    return Measuring(study.desk, audit)


def brought_in(study: LightStudy, bench: Measuring) -> tuple[Accepted, Recording]:
    """The one delivery that is due, in the lake."""
    (accepted,) = study.land()
    recording = bench.pseudonymise(accepted, workers())
    assert recording is not None
    return accepted, recording


def sidecar(study: LightStudy, recording: Recording) -> Recording:
    folder = recordings_folder(study.study.lake, recording.participant)
    return Recording.read(folder / f"{recording.recording}.json")


def test_what_a_refused_delivery_was_to_supersede_stands_again(
    study: LightStudy, hospital: Hospital, bench: Measuring
) -> None:
    hospital.admit()
    hospital.film(small_mp4(90))
    _, old = brought_in(study, bench)
    hospital.film(small_mp4(200))
    accepted, new = brought_in(study, bench)
    assert sidecar(study, old).superseded
    assert not bench.measure("quality", new, accepted, workers(Reason("MULTI_PERSON", "two faces")))
    assert not sidecar(study, old).superseded
    assert [entry.fate for entry in study.entries(PATH)] == [Fate.DEFERRED, Fate.QUARANTINED]


def test_what_cannot_be_stripped_supersedes_nothing(study: LightStudy, hospital: Hospital, bench: Measuring) -> None:
    hospital.admit()
    hospital.film(small_mp4(90))
    _, old = brought_in(study, bench)
    hospital.film(small_mp4(200))
    (accepted,) = study.land()
    assert bench.pseudonymise(accepted, workers(raises=Rejection("SCRUB_FAILED", "a tag"))) is None
    assert not sidecar(study, old).superseded


def test_a_unit_is_finished_when_its_flags_are_entered_and_not_before(
    study: LightStudy, hospital: Hospital, bench: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()
    hospital.film(small_mp4())
    accepted, recording = brought_in(study, bench)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(study.ledger), "finish_unit", killed)
    with pytest.raises(KeyboardInterrupt):
        bench.measure("quality", recording, accepted, workers(Reason("SILENT", "-80 dBFS")))
    assert study.entry(PATH).codes == ("AWAITING_PUBLICATION", "SILENT")
    assert bench.stale(but=()) == [recording]


def test_a_recording_that_a_killed_run_brought_in_is_set_aside_by_the_next_one_too(
    study: LightStudy, hospital: Hospital, bench: Measuring
) -> None:
    hospital.admit()
    film = small_mp4()
    hospital.film(film)
    _, recording = brought_in(study, bench)
    assert study.land() == []
    assert not bench.measure("quality", recording, None, workers(Reason("MULTI_PERSON", "two faces")))
    entry = study.entry(PATH)
    assert (entry.fate, entry.recording, entry.codes) == (Fate.QUARANTINED, None, ("MULTI_PERSON",))
    assert bench.recordings() == []
    assert bench.failures == []
    kept = study.quarantine.fetch(entry.delivery)
    assert kept is not None
    assert kept[:2] == (PATH, film)
    assert kept[2] == study.landing.read(PATH.replace(".mp4", ".json"))


def test_a_published_recording_stays_until_a_person_decides(
    study: LightStudy, hospital: Hospital, bench: Measuring
) -> None:
    hospital.admit()
    hospital.film(small_mp4())
    _, recording = brought_in(study, bench)
    study.publish()
    assert not bench.measure("quality", recording, None, workers(Reason("MULTI_PERSON", "two faces")))
    assert study.entry(PATH).fate is Fate.PUBLISHED
    assert bench.recordings() == [recording]
    assert bench.failures == [f"{recording.recording}: MULTI_PERSON"]


@pytest.mark.parametrize("emptied", [False, True], ids=["landing as it was", "landing emptied"])
def test_what_waits_for_its_engines_file_is_tried_again_each_night_wherever_its_bytes_are(
    study: LightStudy, hospital: Hospital, bench: Measuring, *, emptied: bool
) -> None:
    hospital.admit()
    hospital.film(small_mp4())
    accepted, recording = brought_in(study, bench)
    missing = Rejection("ENGINE_INPUT_MISSING", f"no {recording.recording}.csv")
    assert not bench.measure("quality", recording, accepted, workers(raises=missing))
    entry = study.entry(PATH)
    assert (entry.fate, entry.codes) == (Fate.DEFERRED, ("ENGINE_INPUT_MISSING",))
    assert bench.recordings() == []
    assert bench.failures == []
    if emptied:
        (hospital.folder / PATH).unlink()
        (hospital.folder / PATH).with_suffix(".json").unlink()
    _, again = brought_in(study, bench)
    # The same name, so that its file can be made under it.
    assert again == recording
    assert study.entry(PATH).codes == ("AWAITING_PUBLICATION",)


def test_what_a_stopped_worker_left_half_written_goes_at_once_and_nobody_elses(
    study: LightStudy, hospital: Hospital, bench: Measuring
) -> None:
    hospital.admit()
    hospital.film(small_mp4())
    accepted, recording = brought_in(study, bench)
    folder = study.study.lake / recording.participant / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    own, others = (folder / f".{name}.parquet.x1y2.partial" for name in (recording.recording, "P000000009-00000009"))
    own.touch()
    others.touch()
    bench.measure("quality", recording, accepted, workers(raises=Rejection("DECODER_TIMEOUT", "900 s")))
    assert (own.exists(), others.exists()) == (False, True)


def landed(study: LightStudy, hospital: Hospital, bench: Measuring) -> tuple[Accepted, Recording]:
    hospital.admit()
    hospital.film(small_mp4())
    return brought_in(study, bench)


def test_face_is_measured_along_quality_and_entered_in_its_own_turn(
    study: LightStudy, hospital: Hospital, bench: Measuring
) -> None:
    accepted, recording = landed(study, hospital, bench)
    both = TwoAtOnce(study)
    assert bench.measure("quality", recording, accepted, cast("Workers", both))
    assert study.ledger.unit(recording.recording, "face") is None
    assert bench.measure("face", recording, accepted, cast("Workers", both))
    (asked,) = both.units
    assert study.ledger.unit(recording.recording, "face") == (asked.along, "1" * 64)
    assert bench.computed_s == {"quality": 1.0, "face": 3.0}


def test_the_audit_log_knows_of_both_before_the_recording_is_decrypted(
    study: LightStudy, hospital: Hospital, bench: Measuring
) -> None:
    accepted, recording = landed(study, hospital, bench)
    both = TwoAtOnce(study)
    for stage in ("quality", "face"):
        bench.measure(stage, recording, accepted, cast("Workers", both))
    assert both.audited == [["quality", "face"]]
    assert stages_decrypted(study) == ["quality", "face"]


def test_what_quality_refuses_has_no_face_entered(study: LightStudy, hospital: Hospital, bench: Measuring) -> None:
    accepted, recording = landed(study, hospital, bench)
    refusing = TwoAtOnce(study, Reason("TRUNCATED", "half"))
    assert not bench.measure("quality", recording, accepted, cast("Workers", refusing))
    assert study.ledger.unit(recording.recording, "face") is None
    assert study.entry(PATH).codes == ("TRUNCATED",)


@pytest.mark.parametrize(("again", "along"), [(None, False), ("quality", False), ("face", False), ("both", True)])
def test_face_goes_along_where_both_are_due(
    study: LightStudy, hospital: Hospital, bench: Measuring, again: str | None, *, along: bool
) -> None:
    accepted, recording = landed(study, hospital, bench)
    first, then = TwoAtOnce(study), TwoAtOnce(study)
    for stage in ("quality", "face"):
        bench.measure(stage, recording, accepted, cast("Workers", first))
    bench.again = {(recording.recording, stage) for stage in ("quality", "face") if again in {stage, "both"}}
    for stage in ("quality", "face"):
        bench.measure(stage, recording, accepted, cast("Workers", then))
    assert [unit.along is not None for unit in then.units] == ([True] if along else [False, False])


def test_workers_that_take_one_stage_at_a_time_are_asked_for_one(
    study: LightStudy, hospital: Hospital, bench: Measuring
) -> None:
    accepted, recording = landed(study, hospital, bench)
    single = TwoAtOnce(study)
    single.does_two_at_once = False
    for stage in ("quality", "face"):
        bench.measure(stage, recording, accepted, cast("Workers", single))
    assert [(unit.stage, unit.along) for unit in single.units] == [("quality", None), ("face", None)]
    assert stages_decrypted(study) == ["quality", "face"]
