"""Which label belongs to which frame; and that no label is dropped without being told."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.au_accuracy import Draws
from pipelines.au_labels import SCHEMA, Labels
from pipelines.au_matching import Compared, Predictions, compare, published, read_predictions
from pipelines.errors import UserError
from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, publish
from tests.pipelines.lake_factory import pseudonym, recording_name, write_lake

DRAWS = Draws(100)


def label(recording: str = "R1", frame: int | None = None, unit: str = "AU04", **values: Any) -> dict[str, Any]:
    return (
        dict.fromkeys(SCHEMA)
        | {"video": recording, "recording": recording, "frame": frame, "action_unit": unit}
        | values
    )


def labels(*rows: dict[str, Any], **left_out: int) -> Labels:
    return Labels(pl.DataFrame(list(rows), schema=SCHEMA), "long", left_out)


def frames(recording: str = "R1", person: str | None = None, **columns: list[float | None]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    shown = {"frame": range(count), "timestamp_s": [number / 25 for number in range(count)]}
    return pl.DataFrame({"recording": recording, "person": person or recording, **shown, **columns}, strict=False)


def of(*parts: pl.DataFrame) -> Predictions:
    return Predictions(pl.concat(parts), ("made up 1",))


def compared(found: Labels, predictions: Predictions, present_from: float = 1.0) -> Compared:
    return compare(found, predictions, present_from, DRAWS)


def told(found: Compared) -> int:
    return found.used + sum(many for why, many in found.left_out.items() if why.startswith("labels"))


def test_a_label_belongs_to_the_frame_of_its_number() -> None:
    engine = of(frames(AU04_r=[0.0, 3.0, 0.5]))
    found = compared(labels(*(label(frame=n, intensity=v) for n, v in enumerate([0.0, 2.0, 0.0]))), engine)
    (unit,) = found.action_units
    assert unit.n == 3
    assert (unit.prevalence, unit.predicted) == pytest.approx((1 / 3, 1 / 3))
    assert (unit.f1.value, unit.auc.value) == (1.0, 1.0)
    assert found.left_out == {}


@pytest.mark.parametrize(("time_s", "frame"), [(0.0, 0), (0.04, 1), (0.059, 1), (0.061, 2), (0.1, 2), (-0.019, 0)])
def test_a_label_with_a_time_belongs_to_the_nearest_frame_within_half_a_frame(time_s: float, frame: int) -> None:
    engine = of(frames(AU04_c=[float(number == frame) for number in range(3)]))
    assert compared(labels(label(timestamp_s=time_s, presence=True)), engine).action_units[0].predicted == 1.0


@pytest.mark.parametrize("time_s", [-0.021, 0.101])
def test_a_label_further_from_every_frame_belongs_to_none(time_s: float) -> None:
    engine = of(frames(AU04_c=[1.0, 1.0, 1.0]))
    found = compared(labels(label(timestamp_s=time_s, presence=True), label(timestamp_s=0.0, presence=True)), engine)
    assert (found.used, found.left_out) == (1, {"labels at no frame of their recording": 1})


def test_the_engines_own_classifier_goes_before_its_intensity() -> None:
    engine = of(frames(AU04_r=[0.0, 3.0], AU04_c=[1, 0]))
    found = compared(labels(label(frame=0, intensity=2), label(frame=1, intensity=0)), engine).action_units[0]
    assert (found.f1.value, found.auc.value) == (1.0, 0.0)


def test_presence_alone_has_no_icc() -> None:
    engine = of(frames(AU28_c=[1, 0]))
    found = compared(
        labels(label(frame=0, unit="AU28", presence=True), label(frame=1, unit="AU28", presence=False)), engine
    )
    assert found.action_units[0].f1.value == 1.0
    assert found.action_units[0].icc.value is None


def test_the_coders_presence_goes_before_a_threshold_on_intensity() -> None:
    engine = of(frames(AU04_r=[2.0, 2.0]))
    rows = [label(frame=0, intensity=1.0), label(frame=1, intensity=1.0, presence=False)]
    assert compared(labels(*rows), engine).action_units[0].prevalence == 0.5
    assert compared(labels(*rows), engine, 2.0).action_units[0].prevalence == 0.0


def test_every_label_is_used_or_told_of() -> None:
    engine = of(frames(AU04_r=[1.0, None, 2.0], AU12_r=[0.0, 0.0, 0.0]))
    rows = [
        label(frame=0, intensity=1),
        label(frame=1, intensity=1),
        label(frame=2, intensity=0),
        label(frame=9, intensity=1),
        label("R2", frame=0, intensity=1),
        label("R3", frame=0, intensity=1),
        label(frame=0, unit="AU27", intensity=1),
    ]
    found = compared(labels(*rows, **{"files of other names": 4}), engine)
    assert found.left_out == {
        "files of other names": 4,
        "labels of 2 recordings that are not among the engine's": 2,
        "labels at no frame of their recording": 1,
        "labels of frames without a face, or where the engine could not measure it": 1,
        "labels of AU27, which the engine has not": 1,
    }
    assert (found.labels, found.used, told(found)) == (7, 2, 7)
    by_unit = {row.action_unit: (row.labels, row.matched, row.n) for row in found.action_units}
    assert by_unit == {"AU04": (6, 3, 2), "AU27": (1, 1, 0)}


def test_recordings_of_one_person_are_drawn_together() -> None:
    engine = of(
        frames("R1", "P1", AU04_r=[0.0, 3.0]),
        frames("R2", "P1", AU04_r=[0.0, 3.0]),
        frames("R3", "P2", AU04_r=[1.0, 2.0]),
    )
    rows = [label(name, frame=n, intensity=n) for name in ("R1", "R2", "R3") for n in (0, 1)]
    assert compared(labels(*rows), engine).action_units[0].groups == 2


def test_labels_that_belong_to_nothing_say_how_to_name_recordings() -> None:
    with pytest.raises(UserError, match=r"the labels are of 'SN001' and the like; .* --mapping"):
        compared(labels(label("SN001", frame=0, intensity=1)), of(frames(AU04_r=[1.0])))


def test_labels_by_frame_want_frames_with_numbers() -> None:
    engine = of(frames(AU04_r=[1.0]).drop("frame"))
    with pytest.raises(UserError, match="go by frame, which the engine's frames have not"):
        compared(labels(label(frame=0, intensity=1)), engine)


# --- where the frames come from ---


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_frames_of_another_program_are_read_from_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frames{suffix}"
    table = pl.DataFrame({"recording": ["R1", "R1"], "frame": [0, 1], "AU04_r": [1.0, None], "mine": ["a", "b"]})
    if suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)
    read = read_predictions(path)
    assert read.engines == (path.name,)
    assert read.frames.rows(named=True) == [
        {"recording": "R1", "person": "R1", "frame": 0, "AU04_r": 1.0},
        {"recording": "R1", "person": "R1", "frame": 1, "AU04_r": None},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frame,AU04_r\n0,1\n", "needs the columns recording"),
        ("recording,frame\nR1,0\n", "AUnn_r or AUnn_c"),
        ("recording,frame,AU04_r\nR1,0,x\n", "has a column of another type"),
        ("recording,frame,AU04_r\nR1,0,1\nR1,0,1\n", "has a frame of a recording twice"),
        ("", "cannot be read as parquet or CSV"),
    ],
)
def test_a_file_of_something_else_is_named_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "frames.csv"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_predictions(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_frames_of_a_published_version_know_their_person_and_engine(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake", people=1, recordings=2)
    (tmp_path / "warehouse").mkdir()
    file = publish(lake, tmp_path / "warehouse", VersionRecord(1, "0.1.0"), [], PublishParams())
    read = published(file, [recording_name(1, 1), "not there"])
    assert set(read.frames["recording"]) == {recording_name(1, 1)}
    assert set(read.frames["person"]) == {pseudonym(1)}
    assert len(read.engines) == 1
