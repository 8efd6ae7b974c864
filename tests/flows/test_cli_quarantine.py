"""The quarantine's commands, as a person at the keyboard sees them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.pipelines.landing_factory import ID, NAME, Hospital, LightStudy, small_mp4


@pytest.fixture
def filled(study: LightStudy, hospital: Hospital) -> LightStudy:
    """A study with an empty film, an unregistered person's film, a table with two refused rows and one without columns."""
    (study.study.root / "dvc.yaml").touch()
    hospital.admit()
    hospital.film(b"", f"{NAME}.mp4")
    hospital.film(small_mp4(), participant_id="MRN-unknown")
    hospital.score("eleven")
    hospital.score("5", participant_id="MRN-unknown")
    hospital.write("medications.csv", b"participant_id;administered_at;atc;drug\n")
    study.land()
    return study


def said(study: LightStudy, *arguments: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(app, ["quarantine", *arguments, "--study", str(study.study.root)])
    assert done.exit_code == exit_code, done.output
    return done.output


def documents(study: LightStudy, *arguments: str) -> Any:
    return json.loads(said(study, *arguments, "--json"))


def test_the_list_has_delivery_kind_code_age_and_meaning_and_counts_the_codes(filled: LightStudy) -> None:
    lines = said(filled, "list").splitlines()
    assert lines[0].split() == ["delivery", "kind", "code", "age", "meaning"]
    (sums,) = [" ".join(line.split()) for line in lines if line.startswith("UNKNOWN_ID")]
    assert sums == "UNKNOWN_ID 2 have the person registered, then release"
    assert len(documents(filled, "list")) == 5


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--code", "UNKNOWN_ID"], 2),
        (["--kind", "row"], 2),
        (["--kind", "media"], 2),
        (["--kind", "row", "--code", "UNKNOWN_ID"], 1),
        (["--older-than", "1000w"], 0),
        (["--newer-than", "1000w"], 5),
    ],
)
def test_the_list_is_narrowed(filled: LightStudy, options: list[str], count: int) -> None:
    assert len(documents(filled, "list", *options)) == count
    text = said(filled, "list", *options)
    assert (text == "nothing is in quarantine\n") == (count == 0)


def test_a_delivery_and_its_rows_are_listed_by_its_id(filled: LightStudy) -> None:
    clinical = filled.entry("clinical.csv").delivery
    found = documents(filled, "list", "--delivery", clinical)
    assert [entry["delivery"] for entry in found] == [f"{clinical}:2", f"{clinical}:3"]


def test_what_is_shown_names_nobody(filled: LightStudy) -> None:
    for entry in documents(filled, "list"):
        text = said(filled, "show", entry["delivery"]) + json.dumps(documents(filled, "show", entry["delivery"]))
        assert entry["code"] in text
        assert entry["next_step"] in text
        for secret in (ID, NAME, "MRN-unknown", "eleven"):
            assert secret not in text


def test_documents_keep_the_keys_that_scripts_rely_on(filled: LightStudy) -> None:
    keys = {"delivery", "kind", "code", "found", "meaning", "next_step", "bytes", "sha256", "participant", "since"}
    (entry, *_) = documents(filled, "list")
    assert keys <= entry.keys()
    assert keys <= documents(filled, "show", entry["delivery"]).keys()


def test_a_tables_refused_rows_and_missing_columns_are_shown(filled: LightStudy) -> None:
    text = said(filled, "show", filled.entry("clinical.csv").delivery)
    assert "line 2: nrs_now: no number" in text
    assert "UNKNOWN_ID" in text
    assert "atc_code, dose_mg, route" in said(filled, "show", filled.entry("medications.csv").delivery)


def test_release_takes_several_ids_or_a_code_and_wants_a_reason(filled: LightStudy) -> None:
    assert "say why with --reason" in said(filled, "release", "--code", "UNKNOWN_ID", exit_code=2)
    assert "name deliveries" in said(filled, "release", "--reason", "why", exit_code=2)
    assert "nothing in quarantine is called XYZ" in said(filled, "release", "XYZ", "--reason", "why", exit_code=2)
    assert "there is no code NOPE" in said(filled, "release", "--code", "NOPE", "--reason", "why", exit_code=2)
    assert len(documents(filled, "list")) == 5
    text = said(filled, "release", "--code", "UNKNOWN_ID", "--reason", "registered by now")
    assert text.count("is tried again") == 2
    ids = [filled.entry("medications.csv").delivery, filled.entry(f"recordings/{ID}/V1/{NAME}.mp4").delivery]
    assert said(filled, "release", *ids, "--reason", "delivered anew").count("is tried again") == 2
    assert documents(filled, "list", "--kind", "media") == []


def test_the_nurses_file_is_written_outside_alone(filled: LightStudy, tmp_path: Path) -> None:
    text = said(filled, "export", str(tmp_path / "nurse.csv"), "--delimiter", "comma")
    assert "5 lines" in text
    assert ID not in text
    assert (tmp_path / "nurse.csv").stat().st_mode & 0o777 == 0o600
    assert ID in (tmp_path / "nurse.csv").read_text(encoding="utf-8-sig")
    assert "inside the study" in said(filled, "export", str(filled.study.root / "nurse.csv"), exit_code=2)


def test_an_age_that_is_none_is_one_line(filled: LightStudy) -> None:
    assert said(filled, "list", "--older-than", "soon", exit_code=2) == (
        "painlake: 'soon' is no age: say 7d for seven days, 12h for twelve hours\n"
    )
