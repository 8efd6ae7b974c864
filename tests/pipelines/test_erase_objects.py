from collections.abc import Mapping
from typing import cast

import pytest

from pipelines.erase_dataset import without_stages
from pipelines.erase_objects import Output, outputs_in, owners
from pipelines.errors import PainLakeError
from pipelines.stores import Stores

LOCK = """\
schema: '2.0'
stages:
  quality@P1:
    cmd: painlake stage quality P1 --study .
    params:
      lake/index.yaml:
        code.quality:
          abc
    outs:
    - path: lake/P1/quality
      hash: md5
      md5: 11.dir
  quality@P12:
    cmd: x
    outs:
    - path: lake/P12/quality
      hash: md5
      md5: 12.dir
  validate:
    cmd: y
    outs:
    - path: reports/validation.json
      hash: md5
      md5: '99'
"""


class Lists:
    """Stores of which only the folders' lists are asked."""

    def __init__(self, folders: Mapping[str, dict[str, str]]) -> None:
        self._folders = folders

    def files_of(self, folder: str) -> dict[str, str] | None:
        return self._folders.get(folder)


def test_outputs_have_their_person_and_a_report_has_none() -> None:
    assert outputs_in("dvc.lock", LOCK) == {
        Output("lake/P1/quality", "11.dir", "P1"),
        Output("lake/P12/quality", "12.dir", "P12"),
        Output("reports/validation.json", "99", None),
    }


def test_a_dvc_files_outputs_stand_beside_it() -> None:
    text = "outs:\n- md5: 13.dir\n  path: recordings\n"
    assert outputs_in("lake/P1/recordings.dvc", text) == {Output("lake/P1/recordings", "13.dir", "P1")}


def test_a_hash_belongs_to_everyone_whose_folder_lists_it() -> None:
    stores = cast("Stores", Lists({"11.dir": {"a": "x", "b": "y"}, "12.dir": {"a": "x"}}))
    outputs = {
        Output("lake/P1/q", "11.dir", "P1"),
        Output("lake/P2/q", "12.dir", "P2"),
        Output("lake/P2/f", "13.dir", "P2"),
    }
    owned, unread = owners(outputs, stores)
    assert owned == {"11.dir": {"P1"}, "12.dir": {"P2"}, "13.dir": {"P2"}, "x": {"P1", "P2"}, "y": {"P1"}}
    assert unread == {"13.dir": {"P2"}}


def test_a_persons_stages_leave_the_lock_and_all_others_stay_byte_for_byte() -> None:
    begin, end = LOCK.index("  quality@P1:"), LOCK.index("  quality@P12:")
    assert without_stages(LOCK, "P1") == LOCK[:begin] + LOCK[end:]
    assert without_stages(LOCK, "P3") == LOCK


def test_a_lock_of_another_layout_is_not_touched() -> None:
    with pytest.raises(PainLakeError, match="unknown way"):
        without_stages('{"stages": {"quality@P1": {"cmd": "x"}}}', "P1")
