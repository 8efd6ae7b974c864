import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from pipelines.ledger import Ledger
from pipelines.study import Study
from pipelines.vault import FOLDER_VARIABLE, Vault
from pipelines.vault_key import KEY_FILE_VARIABLE, KEY_VARIABLE, SECRET_VARIABLE
from tests.pipelines.landing_factory import Hospital, LightStudy

ROOT = Path(__file__).parents[1]

# Those of the extra `pyfeat` (torch and 7 GB) run where it is installed: `make test-pyfeat`.
collect_ignore = [] if find_spec("feat") else ["pyfeat"]

# The same examples on every machine, however busy it is.
settings.register_profile("painlake", derandomize=True, deadline=None, database=None)
settings.load_profile("painlake")


@pytest.fixture(autouse=True)
def _no_settings_of_the_person_at_the_keyboard(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (KEY_VARIABLE, KEY_FILE_VARIABLE, SECRET_VARIABLE, FOLDER_VARIABLE, "PAINLAKE_STUDY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def study(tmp_path: Path) -> Iterator[LightStudy]:
    """A study without a git and DVC repository, which takes seconds to make."""
    paths = Study(tmp_path / "study")
    for folder in (paths.root / "landing", paths.lake, paths.quarantine, paths.warehouse, paths.reports):
        folder.mkdir(parents=True)
    shutil.copyfile(ROOT / "params.yaml", paths.params_file)
    ledger = Ledger(paths.ledger)
    yield LightStudy(paths, Vault.create(paths.vault), ledger, paths.params())
    ledger.close()


@pytest.fixture
def hospital(study: LightStudy) -> Hospital:
    """Who delivers to `study`."""
    return Hospital(study.study.root / "landing")
