"""The landing zone with what is kept behind it: the hospital's own files go first."""

import pickle
import shutil

import pytest

from pipelines.errors import Rejection
from pipelines.kept import KeptFile
from pipelines.landing_zone import FolderLanding
from pipelines.quarantine_list import Wanted
from pipelines.try_again import release_from_quarantine
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4

MP4 = small_mp4()


def released(study: LightStudy, hospital: Hospital) -> str:
    """The name of a recording that was set aside with its sidecar, is gone, and was released."""
    path = hospital.film(MP4)
    study.land()
    shutil.rmtree(study.landing.root / "recordings")
    release_from_quarantine(study.study, Wanted(deliveries=[study.entry(path).delivery]), "they are registered now")
    return path


def test_what_was_released_and_has_gone_is_there_as_it_was_delivered(study: LightStudy, hospital: Hospital) -> None:
    path = released(study, hospital)
    media, sidecar = sorted(study.desk.source.files(), key=lambda file: file.path.endswith(".json"))
    assert (media.path, media.size) == (path, len(MP4))
    assert study.desk.source.read(path) == MP4
    assert b"participant_id" in study.desk.source.read(sidecar.path)
    assert study.desk.source.stamp(path) == media.stamp == study.desk.source.stamp(sidecar.path)


def test_what_was_not_released_stays_out_of_sight(study: LightStudy, hospital: Hospital) -> None:
    path = hospital.film(MP4)
    study.land()
    shutil.rmtree(study.landing.root / "recordings")
    assert study.desk.source.files() == []
    assert study.desk.source.stamp(path) is None
    with pytest.raises(Rejection, match="No such file"):
        study.desk.source.read(path)


def test_a_file_of_its_name_goes_first(study: LightStudy, hospital: Hospital) -> None:
    path = released(study, hospital)
    hospital.write(path, b"newer")
    assert study.desk.source.read(path) == b"newer"
    assert study.desk.source.stamp(path) == study.landing.stamp(path)
    assert [file.size for file in study.desk.source.files() if file.path == path] == [5]


def test_a_file_that_is_there_and_cannot_be_read_is_not_made_up_for(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = released(study, hospital)
    hospital.write(path, b"newer")

    def refuse(_: object, __: str) -> bytes:
        raise Rejection("UNREADABLE", "Permission denied")

    monkeypatch.setattr(FolderLanding, "read", refuse)
    with pytest.raises(Rejection, match="Permission denied"):
        study.desk.source.read(path)


def test_a_worker_is_handed_the_folder_or_the_bytes(study: LightStudy, hospital: Hospital) -> None:
    path = released(study, hospital)
    hospital.write("other.mp4", b"there")
    assert study.desk.source.holder("other.mp4") == study.landing
    held = pickle.loads(pickle.dumps(study.desk.source.holder(path)))  # noqa: S301 - what was pickled a moment ago
    assert held == KeptFile(path, MP4)
    assert held.read(path) == MP4
    assert [file.path for file in held.files()] == [path]
    assert (held.stamp(path), held.stamp("other")) == ("held", None)
    assert "\\x" not in repr(held)
    with pytest.raises(Rejection, match="it is not held"):
        held.read("other")
