"""DVC's records as PainLake enters them, held against what DVC itself makes of the same lake."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines import dvc_objects, known
from pipelines.dvc_objects import ENTERING, LakeHashes, enter_folder, hash_of_file, in_folder
from pipelines.dvc_records import enter
from pipelines.errors import PainLakeError
from pipelines.interrupted import remove_locks
from pipelines.known import store_of
from pipelines.repository import Repository
from pipelines.stores import FolderStore, md5_of, stores_of
from pipelines.study import Study, make_study
from pipelines.validate import ValidationOutcome, report_bytes
from pipelines.version import write_index, write_summary
from tests.pipelines.lake_factory import feature_file, pseudonym, recording_name, write_lake, write_recording

PEOPLE = [pseudonym(1), pseudonym(2)]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_SETTLED_NS", -1)


@dataclass(frozen=True)
class Made:
    study: Study

    @property
    def repository(self) -> Repository:
        return Repository(self.study.root)

    @property
    def cache(self) -> FolderStore:
        return stores_of(self.study).cache

    def records(self) -> dict[str, str]:
        """What stands in git of the lake."""
        root = self.study.root
        paths = [root / "dvc.lock", *root.glob("lake/*/*.dvc"), *root.glob("lake/*/.gitignore")]
        return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(paths)}

    def enter(self, *changed: str) -> None:
        indexed = write_index(self.study.lake, self.study.index)
        write_summary(self.study.lake, self.study.reports / "dataset.json")
        enter(self.study, self.repository, changed, indexed)


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A study whose lake was entered."""
    made = Made(make_study(tmp_path_factory.mktemp("records") / "study", None, None))
    write_lake(made.study.lake, people=2)
    (made.study.reports / "validation.json").write_bytes(report_bytes(ValidationOutcome(())))
    made.enter(*PEOPLE)
    return made


@pytest.fixture
def made(entered: Made, tmp_path: Path) -> Made:
    """A copy of it, with the cache that DVC's own settings name."""
    shutil.copytree(entered.study.root, tmp_path / "study", symlinks=True)
    return Made(Study(tmp_path / "study"))


def test_dvc_finds_everything_as_it_is(made: Made) -> None:
    assert "up to date" in made.repository.dvc("status")


def test_dvc_would_have_written_the_same_byte_for_byte(made: Made) -> None:
    ours, objects = made.records(), made.cache.objects()
    for path in ours:
        (made.study.root / path).unlink()
    shutil.rmtree(made.cache.root)
    for person in PEOPLE:
        made.repository.dvc("add", f"lake/{person}/recordings", f"lake/{person}/clinical")
    made.repository.dvc("commit", "--force")
    assert made.records() == ours
    # Besides, it keeps the two reports for its run cache, which no version needs: they are in git.
    reports = {hash_of_file(path).oid for path in made.study.reports.glob("*.json")}
    assert made.cache.objects() == objects | reports


def test_all_objects_have_the_bytes_that_they_are_named_after_and_cannot_be_written(made: Made) -> None:
    for oid in made.cache.objects():
        assert made.cache.md5(oid) == oid.removesuffix(".dir")
        assert made.cache.path(oid).stat().st_mode & 0o777 == 0o444


def test_one_persons_new_recording_changes_that_persons_records_alone(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made.records()
    LakeHashes(made.study.lake, store_of(made.study.state)).whole()
    hashed: list[Path] = []

    def spy(path: Path) -> str:
        hashed.append(path)
        return md5_of(path)

    monkeypatch.setattr(dvc_objects, "md5_of", spy)
    name = write_recording(made.study.lake, 2, 4)
    made.enter(pseudonym(2))
    after = made.records()
    assert {path for path in after if after[path] != before[path]} == {
        "dvc.lock", f"lake/{pseudonym(2)}/recordings.dvc"
    }  # fmt: skip
    old = [path for path in hashed if "lake" in path.parts and pseudonym(1) in path.parts]
    assert old == []
    assert any(name in path.name for path in hashed)
    assert "up to date" in made.repository.dvc("status")


def test_the_records_are_the_same_whatever_was_known_and_in_whatever_order(made: Made) -> None:
    write_recording(made.study.lake, 1, 3)
    made.enter(PEOPLE[0])
    known_first = made.records()
    store_of(made.study.state).unlink()
    (made.study.root / "dvc.lock").unlink()
    made.enter(*reversed(PEOPLE))
    assert made.records() == known_first


def test_dvc_itself_enters_the_lake_of_a_study_whose_stages_are_its_own(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(Repository, "add", lambda _, paths: asked.append(("add", [path.name for path in paths])))
    monkeypatch.setattr(Repository, "accept", lambda _, stages: asked.append(("accept", list(stages))))
    pipeline = made.study.root / "dvc.yaml"
    pipeline.write_text(pipeline.read_text(encoding="utf-8") + "# changed by its users\n", encoding="utf-8")
    made.enter(PEOPLE[0])
    stages = [f"{name}@{PEOPLE[0]}" for name in ("quality", "face", "voice", "align")]
    assert asked == [("add", ["recordings", "clinical"]), ("accept", [*stages, "validate", "publish"])]


def test_a_stage_without_its_output_is_not_entered(made: Made) -> None:
    before = made.records()
    shutil.rmtree(feature_file(made.study.lake, recording_name(2, 1), "au_frames").parent)
    with pytest.raises(PainLakeError, match=f"lake/{pseudonym(2)}/face is not there"):
        made.enter(pseudonym(2))
    assert made.records() == before


def test_half_an_object_that_a_power_cut_left_is_made_whole(made: Made) -> None:
    files = in_folder(LakeHashes(made.study.lake, None).of_person(PEOPLE[0]), "face")
    oid = next(iter(files.values())).md5
    path = made.cache.path(oid)
    path.chmod(0o600)
    path.write_bytes(b"")
    enter_folder(made.cache, made.study.lake / PEOPLE[0] / "face", files)
    assert made.cache.md5(oid) == oid


def test_what_a_killed_run_left_in_the_cache_is_removed_by_the_next(made: Made) -> None:
    (made.cache.root / ENTERING).write_bytes(b"half")
    assert remove_locks(made.study.root) == [f".dvc/cache/{ENTERING}"]


def test_half_written_files_are_no_part_of_the_lake(made: Made) -> None:
    before = LakeHashes(made.study.lake, None).whole()
    (made.study.lake / PEOPLE[0] / "face" / ".x.parquet.abc.partial").write_bytes(b"half")
    assert LakeHashes(made.study.lake, None).whole() == before
    assert hash_of_file(made.study.index).nfiles is None
