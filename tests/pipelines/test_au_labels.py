"""Coders' labels in the three layouts; what cannot be read is named by file and line."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.au_labels import CODED_IN_UNBC, read_labels, read_mapping
from pipelines.errors import UserError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def rows(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return frame.select("recording", "frame", "timestamp_s", "action_unit", "intensity", "presence").rows()


# --- long ---


def test_a_long_csv_goes_by_frame_or_by_time(tmp_path: Path) -> None:
    text = (
        "recording,frame,timestamp_s,action_unit,intensity,presence\nR1,0,,AU04,2,\nR1,,0.5,4,0.5,0\nR2,3,9,au12,B,1\n"
    )
    read = read_labels(write(tmp_path / "labels.csv", text))
    assert read.layout == "long"
    assert rows(read.rows) == [
        ("R1", None, 0.5, "AU04", 0.5, False),
        ("R1", 0, None, "AU04", 2.0, None),
        ("R2", 3, None, "AU12", 2.0, True),
    ]


def test_columns_may_be_few_in_any_order_and_after_semicolons(tmp_path: Path) -> None:
    read = read_labels(write(tmp_path / "labels.csv", "\ufeffAction_Unit; presence; frame; recording\nAU1; 1; 7; R1\n"))
    assert rows(read.rows) == [("R1", 7, None, "AU01", None, True)]


def test_the_first_frame_may_be_called_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", "recording,frame,action_unit,intensity\nR1,1,AU04,2\n")
    assert read_labels(path, first_frame=1).rows["frame"].to_list() == [0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recording,frame,intensity\nR1,1,2\n", "lacks the column action_unit: it has recording, frame, intensity"),
        ("recording,frame,action_unit,intensity\nR1,1,brow,2\n", "line 2: 'brow' is no action unit"),
        ("recording,frame,action_unit,intensity\nR1,1,AU04,7\n", "line 2: intensity: 7 is not within 0 to 5"),
        ("recording,frame,action_unit,intensity\nR1,1,AU04,x\n", "line 2: intensity: 'x' is no number"),
        ("recording,frame,action_unit,intensity\nR1,1.5,AU04,1\n", "line 2: frame: 1.5 is no whole number"),
        ("recording,frame,action_unit,intensity\nR1,,AU04,1\n", "line 2: a label needs a frame or a timestamp_s"),
        ("recording,frame,action_unit,intensity\nR1,1,AU04,\n", "line 2: a label needs an intensity or a presence"),
        ("recording,frame,action_unit,presence\nR1,1,AU04,2\n", "line 2: presence: 2 is neither 0 nor 1"),
        ("recording,frame,action_unit,intensity\nR1,1,AU04\n", "line 2: 3 cells, the header has 4"),
        ("recording,frame,action_unit,intensity\nR1,1,AU04,1\nR1,1,4,2\n", "has AU04 of R1 at frame 1 twice"),
        ("recording,frame,action_unit,intensity\n", "has no labels in the layout long"),
        ("", "lacks the column recording: it has none"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        read_labels(write(tmp_path / "labels.csv", text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# --- DISFA ---


def test_disfas_folder_is_read_through(tmp_path: Path) -> None:
    folder = tmp_path / "ActionUnit_Labels"
    write(folder / "SN001" / "SN001_au1.txt", "1,0\n2,3\n\n")
    write(folder / "SN001" / "SN001_au12.txt", "1,5\n2,0\n")
    write(folder / "SN002" / "SN002_au1.txt", "1,1\n")
    write(folder / "readme.txt", "about")
    read = read_labels(folder)
    assert (read.layout, read.left_out) == ("disfa", {"files of other names": 1})
    assert read.rows.select("video", "frame", "action_unit", "intensity").rows() == [
        ("SN001", 0, "AU01", 0.0),
        ("SN001", 0, "AU12", 5.0),
        ("SN001", 1, "AU01", 3.0),
        ("SN001", 1, "AU12", 0.0),
        ("SN002", 0, "AU01", 1.0),
    ]


def test_one_of_disfas_files_may_be_given_alone(tmp_path: Path) -> None:
    read = read_labels(write(tmp_path / "SN003_au25.txt", "1,2\n"))
    assert rows(read.rows) == [("SN003", 0, None, "AU25", 2.0, None)]


def test_a_mapping_says_which_recording_a_video_is(tmp_path: Path) -> None:
    labels = write(tmp_path / "SN003_au25.txt", "1,2\n")
    mapping = write(tmp_path / "mapping.csv", "video,recording\nSN003,P1-1\nSN004,P2-1\n")
    assert read_labels(labels, mapping=mapping).rows["recording"].to_list() == ["P1-1"]
    with pytest.raises(UserError, match="names a video twice"):
        read_mapping(write(tmp_path / "twice.csv", "video,recording\na,b\na,c\n"))


@pytest.mark.parametrize("line", ["1", "1,2,3", "1,9", "one,1", "2,", ",1"])
def test_a_line_that_is_not_disfas_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError, match=r"SN001_au1\.txt, line 2: "):
        read_labels(write(tmp_path / "SN001_au1.txt", f"1,0\n{line}\n"))


# --- UNBC-McMaster ---


def test_unbcs_frames_name_what_is_there_and_the_rest_of_what_was_coded_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "FACS" / "042-ll042" / "ll042t1aaaff"
    write(folder / "ll042t1aaaff001_facs.txt", "")
    write(
        folder / "ll042t1aaaff002_facs.txt",
        "   4.0000000e+00   3.0000000e+00   1.0000000e+00   5.0000000e+00\n"
        "   4.3000000e+01   0.0000000e+00   2.0000000e+00   2.0000000e+00\n"
        "   1.4000000e+01   2.0000000e+00   2.0000000e+00   2.0000000e+00\n",
    )
    read = read_labels(tmp_path / "FACS")
    assert read.layout == "unbc"
    assert read.left_out == {"entries of AU14, which is coded in some frames alone": 1}
    assert read.rows.height == 2 * len(CODED_IN_UNBC)
    assert set(read.rows["video"]) == {"ll042t1aaaff"}
    first, second = (read.rows.filter(frame=frame) for frame in (0, 1))
    assert first.filter("presence").is_empty()
    assert set(first["intensity"]) == {0.0}
    there = second.filter("presence").select("action_unit", "intensity").rows()
    assert there == [("AU04", 3.0), ("AU43", None)]


def test_a_word_in_unbcs_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"_facs\.txt, line 1: action unit: 'four' is no number"):
        read_labels(write(tmp_path / "a001_facs.txt", "four 1\n"))


# --- neither ---


def test_a_folder_of_neither_layout_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither DISFA's files"):
        read_labels(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        read_labels(tmp_path / "nowhere")


def test_a_layout_that_is_named_is_held_to(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not called as DISFA's files are"):
        read_labels(write(tmp_path / "labels.txt", "1,2\n"), "disfa")
    with pytest.raises(UserError, match="cannot be read as text"):
        read_labels(tmp_path, "long")
