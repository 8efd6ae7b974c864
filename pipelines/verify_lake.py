"""Verify: every file of the lake, hashed and held against the last version, the ledger's units and the index."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipelines.erase_objects import Output
from pipelines.errors import PainLakeError
from pipelines.findings import Findings
from pipelines.in_parallel import in_parallel
from pipelines.lake import people
from pipelines.recording import Recording
from pipelines.stages import MEDIA_STAGES, MediaStage
from pipelines.stores import Stores
from pipelines.study import Study
from pipelines.verify_objects import reading_threads

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class LakeAsKnown:
    """What is known of the lake from elsewhere.

    Args:
        outputs: of the last version.
        dirty: persons whose folders wait for a version.
        erased: persons who were erased.
        tracked: paths of the files that git has.
        changed: those that are not as git has them.
        units: the output digest of each stage of each recording that the ledger has done.
    """

    outputs: Iterable[Output]
    dirty: set[str]
    erased: set[str]
    tracked: set[str]
    changed: frozenset[str]
    units: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class LakeAsFound:
    """What is in the lake.

    Args:
        whole: hashes of files that are what the last version has.
        recordings: those with a sidecar that can be read.
        spoilt: whether files are missing, damaged or unknown, so that a count of them tells nothing new.
    """

    whole: set[str]
    recordings: dict[str, Recording]
    spoilt: bool


def check_lake(findings: Findings, study: Study, stores: Stores, known: LakeAsKnown) -> LakeAsFound:
    """Hash every file in the lake, each once, and name those that are damaged, missing, or known to nobody."""
    before = len(findings.wrong)
    present = set(people(study.lake)) if study.lake.is_dir() else set()
    for person in sorted(present & known.erased):
        findings.add(f"lake/{person}", "is there, though the person was erased", "run `painlake erase --resume`")
    expected = _expected(findings, stores, known)
    files = {path.relative_to(study.root).as_posix(): path for path in _files(study.lake, present - known.erased)}
    digests = {} if findings.quick else _digests(findings, files)
    findings.count("files in the lake", len(files))
    whole = _against_version(findings, files, digests, expected, known)
    bad = {finding.name for finding in findings.wrong[before:]}
    found = _sidecars(findings, files, bad)
    _against_units(findings, study, found, digests, known, bad)
    _features_alone(findings, files, found, known, bad)
    _against_index(findings, study, found, known)
    return LakeAsFound(whole, found, len(findings.wrong) > before)


def _expected(findings: Findings, stores: Stores, known: LakeAsKnown) -> dict[str, tuple[str, Output]]:
    """The hash that the last version has for each file, by path, with the output that it is in."""
    expected = {}
    for output in known.outputs:
        if output.person is None or output.person in known.dirty | known.erased:
            continue
        listed = stores.files_of(output.oid)
        if listed is None:
            remedy = "`dvc fetch --all-tags`, or `dvc commit --force` where the lake is as it should be"
            findings.add(output.path, "is listed in no store, so it is not known what should be there", remedy)
        expected.update({f"{output.path}/{name}": (md5, output) for name, md5 in (listed or {}).items()})
    return expected


def _files(lake: Path, of: Iterable[str]) -> list[Path]:
    found = (path for person in sorted(of) for path in sorted((lake / person).rglob("*")) if path.is_file())
    return [path for path in found if not path.name.endswith(".partial")]


def _digests(findings: Findings, files: Mapping[str, Path]) -> dict[str, tuple[str, str] | None]:
    """MD5, as DVC has it, and SHA-256, as the ledger has it, of each file; None where it cannot be read."""
    findings.progress.phase("hashing the lake", len(files))
    digests = {}
    for name, both in in_parallel(lambda name: _both(files[name]), files, reading_threads()):
        digests[name] = both
        findings.progress.advance()
    return digests


def _both(path: Path) -> tuple[str, str] | None:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                md5.update(piece)
                sha256.update(piece)
    except OSError:
        return None
    return md5.hexdigest(), sha256.hexdigest()


def _against_version(
    findings: Findings,
    files: Mapping[str, Path],
    digests: Mapping[str, tuple[str, str] | None],
    expected: Mapping[str, tuple[str, Output]],
    known: LakeAsKnown,
) -> set[str]:
    """Hold the files against the last version; gives the hashes of those that are as they should be."""
    whole = set()
    for name, (md5, output) in sorted(expected.items()):
        person = output.person or ""
        if name not in files:
            findings.add(name, "is missing from the lake", f"run `dvc checkout {output.path}`", person)
        elif name in digests and (digests[name] or ("",))[0] != md5:
            remedy = f"remove it, then run `dvc checkout {output.path}`"
            findings.add(name, "is not what the last version has", remedy, person)
        else:
            whole.add(md5)
    left_out = known.dirty | known.erased
    for name in sorted(files.keys() - expected.keys() - known.tracked):
        person = name.split("/")[1]
        if person not in left_out:
            findings.add(name, "is in no version, and nobody knows it", "look at it, then move it away", person)
    return whole


def _sidecars(findings: Findings, files: Mapping[str, Path], bad: set[str]) -> dict[str, Recording]:
    found = {}
    for name, path in files.items():
        if not (path.parent.name == "recordings" and path.suffix == ".json") or name in bad:
            continue
        try:
            found[path.stem] = Recording.read(path)
        except (OSError, ValueError, KeyError, TypeError):
            findings.add(name, "is no sidecar of a recording", "run `painlake ingest`", name.split("/")[1])
    return found


def _against_units(  # noqa: PLR0913, PLR0917 - what a file's digest is looked up by
    findings: Findings,
    study: Study,
    found: Mapping[str, Recording],
    digests: Mapping[str, tuple[str, str] | None],
    known: LakeAsKnown,
    bad: set[str],
) -> None:
    """Hold the features against what the ledger says that the stages left."""
    for recording in found.values():
        for stage in MEDIA_STAGES:
            sha256 = known.units.get((recording.recording, stage.name))
            names = [path.relative_to(study.root).as_posix() for path in stage.files(study.lake, recording)]
            # What is not what the last version has is named already.
            if sha256 is None or bad & set(names) or not all(name in digests for name in names):
                continue
            if _of_unit([digests[name] for name in names]) != sha256:
                _not_as_left(findings, stage, recording, names)


def _not_as_left(findings: Findings, stage: MediaStage, recording: Recording, names: list[str]) -> None:
    problem = f"is not what the ledger says that {stage.name} left of {recording.recording}"
    findings.add(" and ".join(names), problem, "remove it, then run `painlake ingest`", recording.participant)


def _of_unit(digests: Iterable[tuple[str, str] | None]) -> str:
    """As `pipelines.work` makes it of a unit's files."""
    return hashlib.sha256(b"".join(bytes.fromhex(both[1]) for both in digests if both is not None)).hexdigest()


def _features_alone(
    findings: Findings, files: Mapping[str, Path], found: Mapping[str, Recording], known: LakeAsKnown, bad: set[str]
) -> None:
    """Name features of recordings that have no sidecar; a killed run leaves such of persons that wait for a version."""
    folders = {stage.folder for stage in MEDIA_STAGES}
    alone = defaultdict(list)
    for name, path in files.items():
        recording = path.name.partition(".")[0]
        if path.parent.name in folders and recording not in found:
            alone[recording].append(name)
    for recording, names in sorted(alone.items()):
        person = names[0].split("/")[1]
        sidecar = f"lake/{person}/recordings/{recording}.json"
        if person not in known.dirty and sidecar not in bad and not bad & set(names):
            findings.add(", ".join(names), "is of a recording without a sidecar", "move it away", person)


def _against_index(findings: Findings, study: Study, found: Mapping[str, Recording], known: LakeAsKnown) -> None:
    """Hold the index against the recordings; what the last version has of the index is git's to tell."""
    if not study.index.is_file() or study.index.relative_to(study.root).as_posix() in known.changed:
        return
    try:
        indexed = set(yaml.safe_load(study.index.read_bytes())["people"])
    except (yaml.YAMLError, PainLakeError, TypeError, KeyError, UnicodeDecodeError):
        return
    with_sidecar = {path.parent.parent.name for path in study.lake.glob("*/recordings/*.json")}
    with_recordings = {each.participant for each in found.values()} | with_sidecar
    for person in sorted((indexed ^ with_recordings) - known.dirty - known.erased):
        findings.add(
            person, "is in only one of lake/index.yaml and the lake's recordings", "run `git status` and `dvc status`"
        )
