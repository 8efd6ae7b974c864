"""Exports for ELAN: pseudonymous, for their owner alone, outside the study, and in the audit log."""

from pathlib import Path

import pytest
from pympi.Elan import Eaf

from pipelines.audit import read_audit, verify
from pipelines.elan_export import Choice, export_all, export_recording
from pipelines.errors import RunInProgressError, UserError
from pipelines.vault import Vault
from pipelines.warehouse import current_file, open_warehouse
from tests.pipelines.lake_factory import recording_name
from tests.pipelines.release_factory import TWICE, PublishedStudy, published_study

ONE = recording_name(1, 1)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedStudy:
    return published_study(tmp_path_factory.mktemp("elan") / "study")


def test_a_recording_becomes_a_file_that_elan_reads(published: PublishedStudy, tmp_path: Path) -> None:
    (file,) = export_recording(published.study, ONE, tmp_path / "one.eaf", Choice())
    eaf = Eaf(str(file))
    assert sorted(eaf.get_annotation_data_for_tier("task")) == [(0, 3000, "reading"), (3000, 8000, "free_speech")]
    assert list(eaf.get_tier_names())[:3] == ["task", "speech", "PSPI >= 2"]
    assert ("PainLake dataset version", "v0001") in eaf.get_properties()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def everything(published: PublishedStudy, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return export_all(published.study, tmp_path_factory.mktemp("exported") / "all", Choice())


def test_it_holds_no_identity_and_no_path(published: PublishedStudy, everything: list[Path]) -> None:
    for file in everything:
        content = file.read_text(encoding="utf-8")
        assert not [known for known in published.hospital_ids if known in content]
        assert str(file.parent) not in content
        assert str(published.study.root) not in content


def test_all_are_the_current_recordings_each_under_its_pseudonym(
    published: PublishedStudy, everything: list[Path]
) -> None:
    with open_warehouse(current_file(published.study.warehouse)) as warehouse:
        names = warehouse.execute("SELECT recording FROM recordings WHERE status = 'current'").fetchall()
        superseded = warehouse.execute("SELECT recording FROM recordings WHERE status <> 'current'").fetchall()
    assert {file.name for file in everything} == {f"{name}.eaf" for (name,) in names}
    assert superseded
    assert {name.partition("-")[0] for (name,) in superseded} == {f"P{TWICE:09d}"}
    assert everything[0].parent.stat().st_mode & 0o777 == 0o700


def test_an_earlier_version_is_exported_as_it_was(
    published: PublishedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A study of this test has no repository to look versions up in.
    monkeypatch.setattr("pipelines.elan_export.find_version", lambda _, text: {"v0001": 1}[text])
    (file,) = export_recording(published.study, ONE, tmp_path / "one.eaf", Choice(version="v0001"))
    assert ("PainLake dataset version", "v0001") in Eaf(str(file)).get_properties()


def test_the_same_recording_gives_the_same_bytes(published: PublishedStudy, tmp_path: Path) -> None:
    files = [export_recording(published.study, ONE, tmp_path / f"{n}.eaf", Choice())[0] for n in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_is_there_is_replaced_only_by_force(published: PublishedStudy, tmp_path: Path) -> None:
    file = tmp_path / "mine.eaf"
    file.write_text("hours of work")
    with pytest.raises(UserError, match=r"is there already: name a new file, or add --force"):
        export_recording(published.study, ONE, file, Choice())
    assert file.read_text() == "hours of work"
    export_recording(published.study, ONE, file, Choice(force=True))
    assert "ANNOTATION_DOCUMENT" in file.read_text(encoding="utf-8")
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / f"{recording_name(3, 1)}.eaf").write_text("hours of work")
    with pytest.raises(UserError, match="already"):
        export_all(published.study, folder, Choice())
    assert len(list(folder.iterdir())) == 1


def test_a_link_is_followed_nowhere(published: PublishedStudy, tmp_path: Path) -> None:
    link = tmp_path / "link.eaf"
    link.symlink_to(tmp_path / "target.eaf")
    with pytest.raises(UserError, match="already"):
        export_recording(published.study, ONE, link, Choice(force=True))
    assert not (tmp_path / "target.eaf").exists()


@pytest.mark.parametrize("place", ["out.eaf", "lake/out.eaf", "vault/out.eaf", "landing/out.eaf"])
def test_nothing_is_written_inside_the_study(published: PublishedStudy, place: str) -> None:
    with pytest.raises(UserError, match=r"is inside the study|is no folder"):
        export_recording(published.study, ONE, published.study.root / place, Choice(force=True))
    with pytest.raises(UserError, match="is inside the study"):
        export_all(published.study, published.study.root / place, Choice())


def test_what_does_not_exist_is_named(published: PublishedStudy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no recording P999999999-99999999 in this version"):
        export_recording(published.study, "P999999999-99999999", tmp_path / "x.eaf", Choice())
    with pytest.raises(UserError, match=r"nowhere is no folder: make it first"):
        export_recording(published.study, ONE, tmp_path / "nowhere" / "x.eaf", Choice())
    assert list(tmp_path.iterdir()) == []


def test_each_export_is_in_the_audit_log(published: PublishedStudy, tmp_path: Path) -> None:
    export_recording(published.study, ONE, tmp_path / "one.eaf", Choice())
    files = export_all(published.study, tmp_path / "all", Choice())
    one, everything = read_audit(published.study)[-2:]
    assert (one["action"], one["subject"], one["detail"]) == (
        "elan_exported",
        ONE,
        {"version": "v0001", "recordings": 1},
    )
    assert (everything["subject"], everything["detail"]["recordings"]) == ("v0001", len(files))
    assert verify(published.study, Vault.open(published.study.vault)).problem is None


def test_while_a_run_holds_the_study_nothing_is_exported(published: PublishedStudy, tmp_path: Path) -> None:
    with published.study.held(), pytest.raises(RunInProgressError):
        export_recording(published.study, ONE, tmp_path / "one.eaf", Choice())
    assert list(tmp_path.iterdir()) == []
