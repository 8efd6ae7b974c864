from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from pipelines.errors import UserError
from pipelines.params import Params, read_params
from pipelines.stages import STAGES

OURS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "params.yaml"


def complaint(path: Path, text: str, *, complete: bool = False) -> str:
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        read_params(path, complete=complete)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value).removeprefix(str(path))


def test_our_own_file_is_complete_and_equals_the_defaults() -> None:
    assert read_params(OURS, complete=True) == Params()


def test_our_own_file_shows_every_key_of_every_block() -> None:
    shown = yaml.safe_load(OURS.read_text())
    known = {name: set(block) for name, block in Params().model_dump(by_alias=True).items()}
    assert {name: set(block) for name, block in shown.items()} == known


def test_every_stage_but_those_without_settings_has_a_block() -> None:
    blocks = Params().model_dump(by_alias=True)
    assert set(STAGES) <= set(blocks)


def test_what_is_left_out_takes_its_default(path: Path) -> None:
    path.write_text("face:\n  max_width_px: 320\nvoice:\n")
    params = read_params(path)
    assert params.face.max_width_px == 320
    assert params.face.min_coverage == Params().face.min_coverage
    assert params.voice == Params().voice
    path.write_text("")
    assert read_params(path) == Params()


@pytest.mark.parametrize("instead", ["", "voice:\n"])
def test_a_study_must_show_every_block_since_dvc_wants_it(path: Path, instead: str) -> None:
    text = OURS.read_text()
    without = text[: text.index("voice:\n")] + instead + text[text.index("# The common grid.") :]
    assert complaint(path, without, complete=True) == (
        ": the block 'voice' is missing; `voice: {}` takes all its defaults"
    )


def test_a_block_may_be_shown_empty(path: Path) -> None:
    path.write_text("\n".join(f"{block}: {{}}" for block in Params().model_dump(by_alias=True)))
    assert read_params(path, complete=True) == Params()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("face:\n  max_widht_px: 320", ": unknown key 'face.max_widht_px'; did you mean 'max_width_px'?"),
        ("fase:\n  max_width_px: 320", ": unknown key 'fase'; did you mean 'face'?"),
        (
            "validate:\n  control_nrs_max: 1",
            ": unknown key 'validate.control_nrs_max'; did you mean 'control_max_nrs'?",
        ),
        ("validation:\n  control_max_nrs: 1", ": unknown key 'validation'; did you mean 'validate'?"),
        ("version:\n  qqq: 1", ": unknown key 'version.qqq'; known keys: push"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one(path: Path, text: str, said: str) -> None:
    assert complaint(path, text) == said


@pytest.mark.parametrize(
    ("text", "where", "given_value"),
    [
        ("face:\n  min_coverage: 1.5", "face.min_coverage", "1.5"),
        ("quality:\n  image_every: 0", "quality.image_every", "0"),
        ("study:\n  timezone: Europe/Amsterdan", "study.timezone", "'Europe/Amsterdan'"),
        ("study:\n  workers: -1", "study.workers", "-1"),
        ("study:\n  landing: 3", "study.landing", "3"),
        ("face:\n  model_sha256: abc", "face.model_sha256", "'abc'"),
        ("land:\n  consent_scopes: []", "land.consent_scopes", "[]"),
        ("land:\n  consent_scopes: [everything]", "land.consent_scopes.0", "'everything'"),
        ("voice: loud", "voice", "'loud'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(path: Path, text: str, where: str, given_value: str) -> None:
    said = complaint(path, text)
    assert said.startswith(f": {where}: ")
    assert said.endswith(f"(given: {given_value})")


@pytest.mark.parametrize(
    ("text", "said"),
    [("face: {", "is no YAML"), ("- face", "holds no blocks of parameters"), ("just words", "holds no blocks")],
)
def test_what_is_no_file_of_parameters_says_so(path: Path, text: str, said: str) -> None:
    assert said in complaint(path, text)


def test_bytes_that_are_no_text_say_so(path: Path) -> None:
    path.write_bytes(b"face:\n  \xff\xfe: 1")
    with pytest.raises(UserError, match="is no YAML"):
        read_params(path)


def test_a_missing_file_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml is missing: `painlake init` makes one"):
        read_params(path)


def test_parameters_never_change() -> None:
    with pytest.raises(ValidationError):
        Params().face.max_width_px = 320


@pytest.mark.parametrize(("block", "keys"), [(b, list(k)) for b, k in Params().model_dump(by_alias=True).items()])
def test_every_key_is_found_again_when_its_last_letter_is_lost(path: Path, block: str, keys: list[str]) -> None:
    for key in keys:
        assert complaint(path, f"{block}:\n  {key[:-1]}: 1").endswith(f"did you mean {key!r}?")


def test_a_study_made_before_releases_takes_their_defaults(path: Path) -> None:
    text = OURS.read_text()
    path.write_text(text[: text.index("# What a release must keep to")])
    assert read_params(path, complete=True).release == Params().release


@pytest.mark.parametrize("named", ["[]", "[age]", "[sex, sex]", "[participant]"])
def test_quasi_identifiers_are_columns_of_participants(path: Path, named: str) -> None:
    assert "name some of group, sex, age_band" in complaint(path, f"release:\n  quasi_identifiers: {named}")


def test_a_key_of_kms_goes_with_kms(path: Path) -> None:
    assert "sse_kms_key_id goes with `sse: aws:kms`" in complaint(path, "s3: {sse: AES256, sse_kms_key_id: ours}\n")
    path.write_text("s3: {sse: 'aws:kms', sse_kms_key_id: ours}\n")
    assert read_params(path).s3.sse_kms_key_id == "ours"


def test_a_study_made_before_there_were_buckets_to_write_to_takes_their_defaults(path: Path) -> None:
    text = OURS.read_text()
    path.write_text(text[: text.index("# How a release is written")])
    assert read_params(path, complete=True).s3 == Params().s3
