"""A release gives what its profile may give of whom may be given, under names that lead nowhere."""

import json
import random
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines import release as release_module
from pipelines.audit import read_audit
from pipelines.errors import PainLakeError, RunInProgressError, UserError
from pipelines.lake import recordings
from pipelines.release import choose, release
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.vault_key import KEY_FILE_VARIABLE
from pipelines.vault_records import ConsentEvent
from schemas.releases import PROFILES, Profile, released_tables
from tests.pipelines.lake_factory import RECORDED_AT_MIN, pseudonym, recording_name
from tests.pipelines.release_factory import (
    FIRST_DAY,
    PEOPLE,
    TUMOURS,
    TWICE,
    UNSHARED,
    WITHDRAWN,
    PublishedStudy,
    marker,
    published_study,
)

OLD_NAMES = re.compile(r"P0000000\d\d")
HASHES = re.compile(r"\b[0-9a-f]{40,64}\b")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedStudy:
    return published_study(tmp_path_factory.mktemp("release") / "study")


@pytest.fixture(scope="module")
def made(published: PublishedStudy, tmp_path_factory: pytest.TempPathFactory) -> dict[Profile, Path]:
    """A release of each profile."""
    folder = tmp_path_factory.mktemp("out")
    for profile in PROFILES:
        release(published.study, profile, folder / profile)
    return {profile: folder / profile for profile in PROFILES}


@pytest.fixture
def copy(published: PublishedStudy, tmp_path: Path) -> Study:
    """A study to spoil."""
    return Study(shutil.copytree(published.study.root, tmp_path / "study", symlinks=True))


def database(folder: Path) -> Path:
    (file,) = folder.glob("*.duckdb")
    return file


def tables(folder: Path) -> dict[str, pl.DataFrame]:
    """Every table of a release's DuckDB file, as parquet names it."""
    with duckdb.connect(str(database(folder)), read_only=True) as db:
        names = db.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        return {
            (name if schema == "main" else f"{schema}.{name}"): db.execute(f'FROM "{schema}"."{name}"').pl()
            for schema, name in names
        }


def report(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return read


def texts(folder: Path) -> Iterator[str]:
    """Everything that a release says: each text in each table, each text file, each name of a file."""
    for frame in tables(folder).values():
        for name in frame.columns:
            yield name
            if frame.schema[name].is_nested():
                # Lists are of numbers alone.
                assert frame.schema[name] == pl.List(pl.Float32)
                continue
            yield from frame[name].cast(pl.String).drop_nulls().unique()
    for path in folder.rglob("*"):
        yield path.name
        if path.suffix in {".json", ".md", ".txt", ".csv"}:
            yield path.read_text(encoding="utf-8")


def people_by_marker(folder: Path) -> dict[float, str]:
    """New pseudonyms by the score that only one person has."""
    observed = tables(folder)["clinical_observations"]
    return dict(observed.select("nrs_now", "participant").unique().iter_rows())


# --- names ---


@pytest.mark.parametrize("profile", PROFILES)
def test_no_old_name_no_hash_and_no_id_is_anywhere_in_it(
    made: dict[Profile, Path], published: PublishedStudy, profile: Profile
) -> None:
    said = list(texts(made[profile]))
    assert [text for text in said if OLD_NAMES.search(text) or HASHES.search(text)] == []
    raw = b"".join(path.read_bytes() for path in made[profile].rglob("*") if path.is_file())
    for secret in (*published.hospital_ids, *(recording_name(n, 1) for n in range(1, PEOPLE + 1)), "ab" * 20):
        assert secret.encode() not in raw
    for one in recordings(published.study.lake):
        assert one.media_sha256.encode() not in raw


def test_two_releases_have_no_name_in_common(made: dict[Profile, Path]) -> None:
    for name in ("participant", "recording"):
        seen = [set(tables(made[profile])["recordings"][name]) for profile in PROFILES]
        assert len(set.union(*seen)) == sum(map(len, seen))


def test_a_person_is_the_same_person_in_every_table(made: dict[Profile, Path]) -> None:
    found = tables(made["partner"])
    people = set(found["participants"]["participant"])
    for name, frame in found.items():
        if "participant" in frame.columns:
            assert set(frame["participant"]) <= people, name
        if "recording" in frame.columns:
            assert set(frame["recording"]) <= set(found["recordings"]["recording"]), name
            assert frame["recording"].null_count() == 0
    per_person = found["clinical_observations"].group_by("participant").agg(pl.col("nrs_now").n_unique())
    assert set(per_person["nrs_now"]) == {1}
    features = found["recording_features"].filter(task="whole").select("participant", "nrs_now").unique()
    assert dict(features.select("nrs_now", "participant").iter_rows()) == people_by_marker(made["partner"])


@pytest.mark.parametrize("profile", PROFILES)
def test_rows_stand_in_the_order_of_the_new_names(made: dict[Profile, Path], profile: Profile) -> None:
    for name, frame in tables(made[profile]).items():
        for column in ("participant", "recording"):
            if frame.columns[0] == column:
                assert frame[column].is_sorted(), name
    order = tables(made[profile])["participants"]["participant"].to_list()
    scores = people_by_marker(made[profile])
    assert [scores[score] for score in sorted(scores)] != order


def test_the_same_seed_gives_the_same_tables(published: PublishedStudy, tmp_path: Path) -> None:
    for name in "ab":
        source = random.Random(7)  # noqa: S311 - a test's names need not be secret
        release(published.study, "open", tmp_path / name, source=source)
    one, other = (tables(tmp_path / name) for name in "ab")
    assert all(frame.equals(other[name]) for name, frame in one.items())


# --- what is in it ---


@pytest.mark.parametrize("profile", PROFILES)
def test_it_has_exactly_the_declared_tables_columns_and_types(made: dict[Profile, Path], profile: Profile) -> None:
    found = {name.rpartition(".")[2]: frame.schema for name, frame in tables(made[profile]).items()}
    assert found == {name: pl.Schema(table.polars_schema()) for name, table in released_tables(profile).items()}


def test_frames_are_whole_for_partners_and_absent_for_everyone(made: dict[Profile, Path]) -> None:
    found = tables(made["partner"])
    per_film = found["au_frames"].group_by("recording").agg(pl.col("frame").is_sorted(), pl.len())
    assert per_film["frame"].all()
    assert set(per_film["len"]) == {200}
    assert per_film.height == found["recordings"].height
    assert not {"au_frames", "voice_frames", "aligned_frames"} & set(tables(made["open"]))


def test_no_recording_itself_is_in_any(made: dict[Profile, Path]) -> None:
    for folder in made.values():
        assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {
            ".duckdb", ".parquet", ".csv", ".txt", ".json", ".md",
        }  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_parquet_has_the_rows_of_the_database(made: dict[Profile, Path], profile: Profile) -> None:
    found = tables(made[profile])
    assert {path.stem for path in (made[profile] / "parquet").iterdir()} == set(found)
    for name, frame in found.items():
        assert pl.read_parquet(made[profile] / "parquet" / f"{name}.parquet").equals(frame), name
    assert report(made[profile])["tables"] == {name: frame.height for name, frame in found.items()}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_column_is_in_the_dictionary_and_commented(made: dict[Profile, Path], profile: Profile) -> None:
    with duckdb.connect(str(database(made[profile])), read_only=True) as db:
        commented = db.execute("SELECT schema_name, table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal").fetchall()  # fmt: skip
        listed = db.execute("SELECT table_schema, table_name, column_name, meaning FROM meta.columns").fetchall()
    meanings = {tuple(row[:3]): row[3] for row in listed}
    assert {tuple(row[:3]) for row in commented} == set(meanings)
    assert all(str(comment).startswith(meanings[tuple(name)]) for *name, comment in commented)
    written = pl.read_csv(made[profile] / "dictionary.csv")
    assert written.height == len(meanings)


def test_it_says_what_to_cite(made: dict[Profile, Path]) -> None:
    said = (made["open"] / "CITATION.txt").read_text(encoding="utf-8")
    about = tables(made["open"])["meta.release"].row(0, named=True)
    for part in (
        about["release"],
        "v0001",
        "open release",
        f"{about['recordings']} recordings of {about['people']} people",
    ):
        assert part in said
    assert (about["k"], about["people"]) == (report(made["open"])["k"]["reached"], PEOPLE - 2)


# --- who is in it ---


@pytest.mark.parametrize("profile", PROFILES)
def test_only_who_consented_is_in_it(made: dict[Profile, Path], profile: Profile) -> None:
    left_out = {WITHDRAWN} if profile == "internal" else {WITHDRAWN, UNSHARED}
    expected = {marker(number) for number in range(1, PEOPLE + 1) if number not in left_out}
    assert set(people_by_marker(made[profile])) == expected
    assert report(made[profile])["people"] == {
        "in_version": PEOPLE, "without_consent": len(left_out), "left_out_for_k": 0, "released": PEOPLE - len(left_out),
    }  # fmt: skip


@pytest.mark.parametrize(("status", "chosen"), [("given", True), ("withdrawn", False), ("expired", False)])
def test_consent_to_sharing_must_stand_now(published: PublishedStudy, status: str, *, chosen: bool) -> None:
    vault, now = Vault.open(published.study.vault), datetime.now(tz=UTC)
    person = vault.of_pseudonym(pseudonym(1))
    person.consent.append(ConsentEvent((now - timedelta(days=1)).isoformat(), status, "sharing"))
    people = pl.DataFrame({"participant": [pseudonym(1)]})
    params = published.study.params()
    assert choose(people, vault, params, "partner", now).people == ({pseudonym(1)} if chosen else set())
    assert choose(people, vault, params, "internal", now).people == {pseudonym(1)}


def test_who_is_not_in_the_vault_any_more_is_in_no_release(published: PublishedStudy) -> None:
    vault = Vault.open(published.study.vault)
    found = choose(
        pl.DataFrame({"participant": ["PERASED000"]}), vault, published.study.params(), "internal", datetime.now(tz=UTC)
    )
    assert (found.people, found.without_consent) == (frozenset(), 1)


def test_what_a_later_delivery_replaced_is_left_out(made: dict[Profile, Path]) -> None:
    found = tables(made["internal"])
    person = people_by_marker(made["internal"])[marker(TWICE)]
    assert found["recordings"].filter(participant=person).height == 1
    assert set(found["recordings"]["status"]) == {"current"}
    assert found["meta.dataset_version"]["recordings"].to_list() == [PEOPLE - 1]


# --- what is suppressed ---


@pytest.mark.parametrize("profile", PROFILES)
def test_nobody_stands_alone(made: dict[Profile, Path], profile: Profile) -> None:
    people = tables(made[profile])["participants"]
    asked = report(made[profile])["k"]
    assert people.group_by(asked["quasi_identifiers"]).len()["len"].min() == asked["reached"] >= asked["asked"] == 5
    view = (
        tables(made[profile])["recording_features"]
        .filter(task="whole")
        .select("participant", *asked["quasi_identifiers"])
    )
    assert view.unique().sort("participant").equals(people.select("participant", *asked["quasi_identifiers"]))


@pytest.mark.parametrize("profile", PROFILES)
def test_what_only_one_person_has_is_nowhere(made: dict[Profile, Path], profile: Profile) -> None:
    said = " ".join(texts(made[profile]))
    for word in (*TUMOURS.values(), "a reason of one", "dying", "N02AB03"):
        assert word not in said
    told = report(made[profile])
    assert told["tumour_types_merged"] == {"types": 5, "people": 5}
    assert told["cells_suppressed"]["clinical_observations.clinical_status"] == 2
    assert told["rows_dropped"] == {"medications": 1}
    assert tables(made[profile])["participants"]["admission_reason"].null_count() == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_left_out_of_the_persons_is_not_told_by_their_recordings(
    made: dict[Profile, Path], profile: Profile
) -> None:
    assert report(made[profile])["generalised"] == {"language": "left out"}
    found = tables(made[profile])
    for name in ("participants", "recordings", "recording_features"):
        assert found[name]["language"].null_count() == found[name].height


def test_days_are_exact_for_partners_and_weeks_for_everyone(made: dict[Profile, Path]) -> None:
    days = {profile: sorted(set(tables(made[profile])["clinical_observations"]["study_day"])) for profile in PROFILES}
    assert days == {"internal": [FIRST_DAY, FIRST_DAY + 8], "partner": [FIRST_DAY, FIRST_DAY + 8], "open": [0, 7]}
    assert set(tables(made["open"])["recordings"]["study_day"]) == {(RECORDED_AT_MIN // 1440 - FIRST_DAY) // 7 * 7}


def test_lags_are_whole_hours_for_everyone(made: dict[Profile, Path]) -> None:
    exact = tables(made["partner"])["recording_features"]["analgesic_lag_min"].drop_nulls().unique().to_list()
    coarse = tables(made["open"])["recording_features"]["analgesic_lag_min"].drop_nulls().unique().to_list()
    assert {lag // 60 * 60 for lag in exact} == set(coarse) != set(exact)


def test_the_report_names_columns_and_counts_and_the_one_for_people_agrees(made: dict[Profile, Path]) -> None:
    told = report(made["open"])
    assert told["left_out"]["au_frames"] == "all"
    assert "device" in told["left_out"]["recordings"]
    said = (made["open"] / "report.md").read_text(encoding="utf-8")
    assert f"People: {PEOPLE - 2} of {PEOPLE}; 2 without the consent" in said
    assert "medications: 1 rows for such values were dropped" in said


# --- what is kept of it ---


def test_the_vault_knows_who_was_in_which_release_and_nobody_the_new_names(
    published: PublishedStudy, made: dict[Profile, Path]
) -> None:
    vault = Vault.open(published.study.vault)
    names = {profile: report(made[profile])["release"] for profile in PROFILES}
    assert {names["partner"], names["internal"]} <= {each.release for each in vault.releases_with(pseudonym(1))}
    shared = {each.release for each in vault.releases_with(pseudonym(UNSHARED))}
    assert names["internal"] in shared
    assert names["partner"] not in shared
    assert vault.releases_with(pseudonym(WITHDRAWN)) == []
    kept = json.dumps(vault._content()) + published.study.audit.read_text()
    for profile in PROFILES:
        assert [name for name in tables(made[profile])["participants"]["participant"] if name in kept] == []


def test_an_erased_person_can_be_taken_out_of_the_record(copy: Study, made: dict[Profile, Path]) -> None:
    vault = Vault.open(copy.vault)
    vault.forget_in_releases(pseudonym(1))
    vault.save()
    again = Vault.open(copy.vault)
    assert again.releases_with(pseudonym(1)) == []
    assert again.releases_with(pseudonym(2)) == vault.releases_with(pseudonym(2)) != []


def test_the_audit_log_has_every_release(published: PublishedStudy, made: dict[Profile, Path]) -> None:
    entries = {entry["subject"]: entry for entry in read_audit(published.study) if entry["action"] == "release_made"}
    entry = entries[report(made["partner"])["release"]]
    assert entry["detail"] == {"profile": "partner", "version": "v0001", "people": PEOPLE - 2, "k": 5}


def test_only_its_maker_may_look_into_the_folder(made: dict[Profile, Path]) -> None:
    assert made["partner"].stat().st_mode & 0o777 == 0o700


# --- refusals ---


def refused(study: Study, out: Path, profile: Profile = "partner") -> str:
    """The line that a refused release says; nothing is written."""
    vault = Vault.open(study.vault)._content() if (study.vault / "vault.age").is_file() else None
    beside = sorted(out.parent.rglob("*"))
    with pytest.raises(UserError) as error:
        release(study, profile, out)
    # The lock that keeps runs apart may have been made.
    assert [path for path in sorted(out.parent.rglob("*")) if path.name not in {"lock", "state"}] == [
        path for path in beside if path.name not in {"lock", "state"}
    ]
    if vault is not None:
        assert Vault.open(study.vault)._content() == vault
    assert "\n" not in str(error.value)
    return str(error.value)


def test_k_cannot_be_met(copy: Study, tmp_path: Path) -> None:
    copy.params_file.write_text(copy.params_file.read_text().replace("  k_anonymity: 5", "  k_anonymity: 15"))
    assert "k = 15 cannot be met: 22 of 22 people" in refused(copy, tmp_path / "out")


def test_a_folder_that_holds_something(copy: Study, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").touch()
    assert "is not empty" in refused(copy, tmp_path / "out")
    assert "is not empty" in refused(copy, tmp_path / "out" / "file")


def test_a_folder_inside_the_study(copy: Study) -> None:
    assert "inside the study, whose git would keep it" in refused(copy, copy.root / "out")


@pytest.mark.parametrize("profile", PROFILES)
def test_no_vault(copy: Study, tmp_path: Path, profile: Profile) -> None:
    (copy.vault / "vault.age").unlink()
    assert "vault.age is missing" in refused(copy, tmp_path / "out", profile)


def test_no_key(copy: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere"):
        release(copy, "partner", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_published(copy: Study, tmp_path: Path) -> None:
    (copy.warehouse / "current").unlink()
    assert "nothing has been published" in refused(copy, tmp_path / "out")


def test_another_run_holds_the_study(copy: Study, tmp_path: Path) -> None:
    with copy.held(), pytest.raises(RunInProgressError):
        release(copy, "partner", tmp_path / "out")


# --- failures ---


def test_an_empty_folder_is_filled(copy: Study, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    release(copy, "open", tmp_path / "out")
    assert database(tmp_path / "out").is_file()


def test_a_failure_while_writing_leaves_nothing_and_the_vault_knows_no_release(
    copy: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = Vault.open(copy.vault)._content()
    monkeypatch.setattr(release_module, "write_texts", full)
    with pytest.raises(PainLakeError, match="cannot be written: No space left on device"):
        release(copy, "open", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
    assert Vault.open(copy.vault)._content() == before


def test_what_a_killed_run_left_is_removed_by_the_next(copy: Study, tmp_path: Path) -> None:
    left = tmp_path / ".out.abc.partial"
    left.mkdir()
    (left / "half").touch()
    release(copy, "open", tmp_path / "out")
    assert not left.exists()


def test_a_warehouse_of_another_version_of_painlake_says_so(copy: Study, tmp_path: Path) -> None:
    file = (copy.warehouse / "current").resolve()
    file.chmod(0o644)
    with duckdb.connect(str(file)) as db:
        db.execute("DROP VIEW recording_features")
    with pytest.raises(PainLakeError, match="is of another version of PainLake"):
        release(copy, "open", tmp_path / "out")
