"""Where a recording's CSV is, and that a changed one is measured again and an unchanged one is not."""

import os
from pathlib import Path

import pytest

from pipelines.errors import Rejection, UserError
from pipelines.openface_input import check_set_up, digest_beside, find_binary, find_csv, stamp_beside
from pipelines.params import Params
from pipelines.params_face import FaceParams, OpenFaceParams
from pipelines.stages import media_stage
from pipelines.work import key_of
from tests.pipelines.video_factory import RECORDING

NAME = RECORDING.recording


def reading(folder: Path) -> FaceParams:
    return FaceParams(engine="openface", openface=OpenFaceParams(csv_folder=str(folder)))


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_csv_stands_under_the_recordings_name_or_in_a_folder_of_it(tmp_path: Path) -> None:
    params = reading(tmp_path).openface
    assert find_csv(NAME, params) is None
    (tmp_path / NAME).mkdir()
    inside = tmp_path / NAME / "video.csv"
    inside.write_text("")
    assert find_csv(NAME, params) == inside
    named = tmp_path / NAME / f"{NAME}.csv"
    named.write_text("")
    assert find_csv(NAME, params) == named
    flat = tmp_path / f"{NAME}.csv"
    flat.write_text("")
    assert find_csv(NAME, params) == flat


def test_of_several_none_is_chosen(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / NAME / name).write_text("")
    with pytest.raises(Rejection, match="2 CSV files in the folder"):
        find_csv(NAME, reading(tmp_path).openface)


def test_without_folder_and_program_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"name a folder .* face\.openface\.csv_folder, or its program"):
        check_set_up(OpenFaceParams())
    with pytest.raises(UserError, match=r"csv_folder .*nowhere is no folder"):
        check_set_up(OpenFaceParams(csv_folder=str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="binary no-such-program is no program on the PATH"):
        check_set_up(OpenFaceParams(binary="no-such-program"))


def test_a_folder_is_named_by_its_whole_path() -> None:
    with pytest.raises(ValueError, match="absolute path"):
        OpenFaceParams(csv_folder="csv")


def test_a_program_is_found_by_path_or_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = program(tmp_path / "FeatureExtraction")
    assert find_binary(str(there)) == there
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary("FeatureExtraction") == there
    there.chmod(0o644)
    with pytest.raises(UserError, match="nor an executable file"):
        find_binary(str(there))


def key(params: FaceParams) -> str:
    return key_of(media_stage("face"), RECORDING, Params(face=params), {})


def test_a_changed_csv_is_measured_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.csv"
    params = reading(tmp_path)
    missing = key(params)
    path.write_text("one")
    one = key(params)
    os.utime(path, ns=(1, 1))
    assert key(params) == one
    path.write_text("two")
    two = key(params)
    assert len({missing, one, two}) == 3
    path.write_text("one")
    assert key(params) == one


def test_a_changed_program_measures_again_what_has_no_csv(tmp_path: Path) -> None:
    made = program(tmp_path / "FeatureExtraction")
    params = FaceParams(engine="openface", openface=OpenFaceParams(binary=str(made)))
    before = digest_beside(NAME, params)
    program(made, "#!/bin/sh\nexit 0\n")
    assert digest_beside(NAME, params) != before


def test_a_night_notices_that_a_csv_came_or_changed(tmp_path: Path) -> None:
    params = reading(tmp_path)
    stamps = [stamp_beside(params)]
    (tmp_path / f"{NAME}.csv").write_text("one")
    stamps.append(stamp_beside(params))
    (tmp_path / f"{NAME}.csv").write_text("other")
    stamps.append(stamp_beside(params))
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "x.csv").write_text("")
    stamps.append(stamp_beside(params))
    assert len(set(stamps)) == 4
    assert stamp_beside(params) == stamps[-1]


def test_engines_that_read_nothing_else_have_nothing_in_their_key() -> None:
    assert digest_beside(NAME, FaceParams()) is None
    assert stamp_beside(FaceParams()) is None
