import unicodedata
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deliveries import Delivery
from pipelines.discover import Discovery, Look, is_plain
from pipelines.errors import Reason
from pipelines.landing_zone import LandedFile
from schemas.faults import Fate
from tests.pipelines.landing_factory import NOW

SEEN = (NOW - timedelta(days=3)).isoformat()


def landed(*paths: str, stamp: str = "1:1", regular: bool = True) -> list[LandedFile]:
    return [LandedFile(path, 1, stamp, NOW, regular) for path in sorted(paths)]


def look(files: list[LandedFile], *known: Delivery, lake: Path = Path("lake"), orphan_days: float = 7) -> Discovery:
    by_name = {entry.name_digest: entry for entry in known}
    return Look(by_name, str, lake, NOW, timedelta(days=orphan_days)).at(files)


def entry(path: str, fate: Fate, code: str, stamp: str = "1:1|1:1", **changed: str) -> Delivery:
    known = Delivery("D", "media", path, stamp, "sha", 1, None, None, fate, (Reason(code, ""),), SEEN, SEEN)
    return replace(known, **changed)  # type: ignore[arg-type]  # mypy checks ** against every field


FILM, NOTES = "recordings/007/V1/a.mp4", "recordings/007/V1/a.json"


def test_media_are_paired_with_their_sidecars() -> None:
    found = look(landed(FILM, NOTES, "recordings/007/V1/b.WAV", "recordings/007/V1/b.WAV.json", "c.mkv", "c.JSON"))
    assert [(each.kind, each.file.path, each.sidecar and each.sidecar.path) for each in found.candidates] == [
        ("media", "c.mkv", "c.JSON"),
        ("media", FILM, NOTES),
        ("media", "recordings/007/V1/b.WAV", "recordings/007/V1/b.WAV.json"),
    ]
    assert found.candidates[2].suffix == ".wav"


def test_halves_and_strangers_are_candidates_too() -> None:
    found = look(landed("recordings/007/V1/a.mp4", "recordings/007/V1/b.json", "notes.txt", "no-ending"))
    assert [(each.kind, each.file.path, each.sidecar) for each in found.candidates] == [
        ("other", "no-ending", None),
        ("other", "notes.txt", None),
        ("media", "recordings/007/V1/a.mp4", None),
        ("other", "recordings/007/V1/b.json", None),
    ]


def test_what_is_named_as_uploading_has_not_landed() -> None:
    assert not look(landed("a.mp4.part", "b.mp4.filepart", "c.TMP", "d.crdownload")).anything


def test_tables_are_no_candidates_whatever_their_capitals() -> None:
    found = look(landed("Participants.CSV", "consent.csv", "other.csv", "sub/clinical.csv"))
    assert list(found.tables) == ["participants", "consent"]
    assert [each.file.path for each in found.candidates] == ["other.csv", "sub/clinical.csv"]
    assert found.tables_changed


def test_a_link_named_as_a_table_is_not_read() -> None:
    found = look(landed("consent.csv", regular=False))
    assert found.tables == {}
    assert [each.file.path for each in found.candidates] == ["consent.csv"]


def test_a_table_is_new_until_the_ledger_has_its_stamp() -> None:
    files = landed("consent.csv")
    assert not look(files, entry("consent.csv", Fate.PUBLISHED, "", stamp="1:1")).anything
    assert look(files, entry("consent.csv", Fate.PUBLISHED, "", stamp="1:0")).tables_changed


@pytest.mark.parametrize("fate", [Fate.PUBLISHED, Fate.QUARANTINED, Fate.DUPLICATE, Fate.ERASED])
def test_what_has_its_fate_is_looked_at_again_only_when_file_or_sidecar_changes(fate: Fate) -> None:
    files = landed(FILM, NOTES)
    assert not look(files, entry(FILM, fate, "SILENT")).anything
    assert look(files, entry(FILM, fate, "SILENT", stamp="1:1|1:0")).anything
    assert look(files[1:], entry(FILM, fate, "SILENT")).anything


def test_what_was_not_stable_or_released_is_looked_at_again() -> None:
    for code in ("NOT_STABLE", "RELEASED"):
        assert look(landed(FILM, NOTES), entry(FILM, Fate.DEFERRED, code)).anything


def test_a_half_is_looked_at_again_when_its_waiting_is_over() -> None:
    waiting = entry(FILM, Fate.DEFERRED, "WAITING_PAIR", stamp="1:1|-")
    assert not look(landed(FILM), waiting).anything
    assert look(landed(FILM), waiting, orphan_days=3).anything


def test_an_accepted_delivery_is_looked_at_again_where_the_lake_lacks_it(tmp_path: Path) -> None:
    accepted = entry(FILM, Fate.DEFERRED, "AWAITING_PUBLICATION", participant="P1", recording="R1")
    assert look(landed(FILM, NOTES), accepted, lake=tmp_path).anything
    sidecar = tmp_path / "P1" / "recordings" / "R1.json"
    sidecar.parent.mkdir(parents=True)
    sidecar.touch()
    assert not look(landed(FILM, NOTES), accepted, lake=tmp_path).anything


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "a//b", "./a", "a/../b", "a/..", "a\\b", "a\nb", "a\x00b", "a\x7fb", "a\u200bb", "a\u202eb",
        "e\u0301", "\ufb01lm\ue000", "\udcff", "x" * 1001,
    ],
)  # fmt: skip
def test_paths_that_could_mislead_are_not_plain(path: str) -> None:
    assert not is_plain(path)


@pytest.mark.parametrize("path", ["a", "recordings/007/V1/a b.mp4", "Zoë.mp4", "名前.mp4", "a..b/...c"])
def test_visible_names_in_any_script_are_plain(path: str) -> None:
    assert is_plain(path)


@given(st.text(max_size=20))
def test_a_plain_path_is_visible_composed_and_stays_below_its_folder(path: str) -> None:
    if is_plain(path):
        assert unicodedata.normalize("NFC", path) == path
        assert not any(unicodedata.category(character).startswith("C") for character in path)
        assert not {"", ".", ".."} & set(path.split("/"))
        assert Path("/root", path).is_relative_to("/root")
