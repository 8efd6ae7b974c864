import pytest

from pipelines import landmarker
from pipelines.errors import PainLakeError
from pipelines.params_face import FaceParams
from pipelines.selftest import check_engines


def test_working_engines_are_left_in_peace() -> None:
    check_engines(FaceParams())


def test_an_engine_that_cannot_be_loaded_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(landmarker, "open_networks", broken)
    with pytest.raises(PainLakeError, match=r"libEGL\.so\.1"):
        check_engines(FaceParams())
