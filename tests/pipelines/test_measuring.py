"""A recording's way through a run that is killed on the way: the next one finds all that it has to know."""

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


class Told:
    """Workers of whom each answer is known before: pseudonymising is done, a stage gives these reasons."""

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
