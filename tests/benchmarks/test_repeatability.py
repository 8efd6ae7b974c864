"""How changes between films and takes are counted."""

import numpy as np
import pytest

from benchmarks import pictures, voices
from benchmarks.looks import MEASURES
from benchmarks.pictures import REFERENCE, SHOTS, Readings, changes


def film(fps: float, offset: float = 0.0, seconds: float = 1.0) -> Readings:
    """All measures rise by 1 a second."""
    times_s = np.arange(round(seconds * fps)) / fps
    return Readings(times_s, np.tile(times_s[:, np.newaxis] + offset, (1, len(MEASURES))))


def test_the_same_course_at_another_rate_has_not_changed() -> None:
    assert np.nanmax(np.abs(changes(film(30), film(24)))) < 1e-9


def test_an_offset_is_the_change() -> None:
    assert np.nanmean(changes(film(30), film(50, offset=0.4))) == pytest.approx(0.4)


def test_nothing_is_interpolated_over_a_gap_or_beyond_the_ends() -> None:
    broken = film(30)
    broken.values[10:14] = np.nan
    missing = np.isnan(changes(film(30), broken))[:, 0]
    assert missing.nonzero()[0].tolist() == [10, 11, 12, 13]
    shorter = Readings(film(30).times_s[:20], film(30).values[:20])
    assert np.isnan(changes(film(30), shorter))[20:].all()


def test_one_missing_frame_is_bridged() -> None:
    broken = film(30)
    broken.values[10] = np.nan
    assert not np.isnan(changes(film(30), broken)).any()


def test_a_film_without_any_usable_frame_changes_by_nothing_known() -> None:
    dark = Readings(film(30).times_s, np.full_like(film(30).values, np.nan))
    assert np.isnan(changes(film(30), dark)).all()
    found = {shot.name: [film(30)] for shot in (REFERENCE, *SHOTS)} | {SHOTS[-1].name: [dark]}
    rows = pictures.summarise(found).tables[0].rows
    assert rows[-1][:3] == [SHOTS[-1].name, "0%", "NULL"]
    assert rows[1][:3] == [SHOTS[0].name, "100%", "0.00"]


def test_the_shots_are_those_that_the_issue_names() -> None:
    assert {shot.codec.name for shot in SHOTS} == {"h264", "h265", "vp9"}
    assert {shot.height for shot in SHOTS} == {360, 480, 720, 1080}
    assert {shot.fps for shot in SHOTS} == {24, 25, 30, 50, 60}
    assert len({shot.noise for shot in SHOTS} - {0}) == 5
    assert len({shot.light for shot in SHOTS} - {1}) == 5
    assert len({shot.name for shot in SHOTS}) == len(SHOTS)


def test_a_voices_change_is_a_share_of_the_spread_between_voices() -> None:
    found = np.zeros((2, 1 + len(voices.TAKES), len(voices.FEATURES)))
    found[0] -= 1
    found[1] += 1
    found[:, 1, 0] += np.sqrt(2) / 2
    found[:, :, 1] = 3
    share = voices.summarise(found).data["share_of_spread"]
    assert share[0][0] == pytest.approx(0.5)
    assert share[1][0] == 0
    assert np.isnan(share[0][1]), "no spread, no share"
