"""Imports go one way, and only named modules may speak to a heavy library or see an identity."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("flows", "pipelines", "expectations", "schemas")
"""Each may import itself and those that follow."""

MODULES = {str(path.relative_to(ROOT)): path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}

ONLY = {
    "prefect": {"flows/"},
    "great_expectations": {"expectations/"},
    "boto3": {"pipelines/storage.py", "pipelines/s3_client.py"},
    "botocore": {"pipelines/storage.py", "pipelines/s3_client.py", "pipelines/s3_read.py", "pipelines/s3_write.py"},
    "dvc": {"pipelines/checkout.py"},
    "pyrage": {"pipelines/vault.py", "pipelines/vault_key.py", "pipelines/vault_records.py", "pipelines/pseudonymise.py", "pipelines/worker_key.py", "pipelines/parcel.py"},
    "ai_edge_litert": {"pipelines/face_networks.py"},
    "cv2": {"pipelines/face_crop.py", "pipelines/face_detector.py", "pipelines/face_networks.py", "pipelines/frame_quality.py", "pipelines/quality_picture.py", "pipelines/synthetic/"},
    "opensmile": {"pipelines/smile.py", "pipelines/smile_long.py"},
    "parselmouth": {"pipelines/synthetic/", "pipelines/praat.py"},
    "skimage": {"pipelines/synthetic/"},
    "pympi": {"pipelines/elan.py"},
    "apprise": {"pipelines/notify.py"},
    "feat": {"pipelines/pyfeat_model.py"},
    "torch": {"pipelines/pyfeat_model.py"},
    "skops": {"pipelines/pyfeat_model.py"},
    "dask": {"flows/cluster_dask.py"},
    "distributed": {"flows/cluster_dask.py"},
    "prefect_dask": {"flows/cluster_dask.py"},
    "ray": {"flows/cluster_ray.py"},
    "prefect_ray": {"flows/cluster_ray.py"},
}  # fmt: skip

SEES_IDS = {
    "pipelines/vault.py",
    "pipelines/vault_records.py",
    "pipelines/tables.py",
    "pipelines/land.py",
    "pipelines/sidecar.py",
    "pipelines/erase_inventory.py",
    "pipelines/quarantine_export.py",
    "pipelines/synthetic/",
    "schemas/landing.py",
}
"""Where the hospital's ID of a person may be handled; everywhere else a person is a pseudonym."""

AT_START_UP = (
    "mediapipe",
    "ai_edge_litert",
    "cv2",
    "opensmile",
    "great_expectations",
    "pandas",
    "duckdb",
    "prefect",
    "skimage",
    "parselmouth",
    "boto3",
    "dvc",
    "av",
    "apprise",
    "feat",
    "torch",
    "skops",
    "dask",
    "distributed",
    "prefect_dask",
    "ray",
    "prefect_ray",
)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute: a stage's key follows them by name"
            yield str(node.module)


def parsed(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_bytes())


def allowed(name: str, places: set[str]) -> bool:
    return any(name == place or (place.endswith("/") and name.startswith(place)) for place in places)


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_one_way(layer: str) -> None:
    above = LAYERS[: LAYERS.index(layer)]
    wrong = [
        (name, module)
        for name in MODULES
        if name.startswith(f"{layer}/")
        for module in imported(parsed(name))
        if module.split(".")[0] in {*above, "tests", "benchmarks"}
    ]
    assert wrong == []


@pytest.mark.parametrize("library", ONLY)
def test_a_library_is_spoken_to_where_it_belongs(library: str) -> None:
    users = {name for name in MODULES if library in {module.split(".")[0] for module in imported(parsed(name))}}
    assert {name for name in users if not allowed(name, ONLY[library])} == set()
    assert users, f"nothing imports {library}: drop it here"


def names(tree: ast.AST) -> Iterator[str]:
    """Identifiers, attributes, arguments and keyword names, and texts that are one."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.Constant(value=str(name)) if name.isidentifier():
                yield name


def test_the_hospitals_id_is_handled_in_few_modules() -> None:
    seeing = {name for name in MODULES if "participant_id" in set(names(parsed(name)))}
    assert {name for name in seeing if not allowed(name, SEES_IDS)} == set()
    assert all(any(allowed(name, {place}) for name in seeing) for place in SEES_IDS)


def test_no_module_logs_a_name_or_an_id() -> None:
    told = []
    for name in MODULES:
        for node in ast.walk(parsed(name)):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and isinstance(node.func.value, ast.Name) and node.func.value.id in {"log", "logger"}:  # type: ignore[attr-defined]  # mypy does not see through is_call
                said = {each for argument in node.args for each in names(argument)}  # type: ignore[attr-defined]  # as above
                told += [
                    (name, each) for each in said & {"participant_id", "path", "register", "identity", "birth_date"}
                ]
    assert told == []


def test_the_command_line_starts_without_heavy_libraries() -> None:
    reached: set[str] = set()
    todo = ["flows/cli.py"]
    heavy = []
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        reached.add(name)
        for module in at_module_level(parsed(name)):
            if module.split(".")[0] in AT_START_UP:
                heavy.append((name, module))
            own = module.replace(".", "/")
            todo += [each for each in (f"{own}.py", f"{own}/__init__.py") if each in MODULES]
    assert heavy == []
    assert len(reached) >= 3


def at_module_level(tree: ast.Module) -> Iterator[str]:
    """What importing a module imports: not what stands in functions or is for type checkers."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)
