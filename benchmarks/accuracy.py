"""`python -m benchmarks.accuracy`: how far the measurements can be trusted, as tables.

The synthetic movements against the action units they should raise; repeatability over encodings, of action units and
of voice features; identity of all outputs from run to run and from worker count to worker count. It exits with 1 where
outputs are not identical.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import identity, pictures, voices, warps
from benchmarks.machine import describe
from benchmarks.report import Part
from pipelines.face_engine import face_engine
from pipelines.params import Params
from pipelines.stages import MEDIA_STAGES

PARTS: Mapping[str, Callable[[], Part]] = {
    "warps": warps.measure,
    "encodings": pictures.measure,
    "voices": voices.measure,
    "identity": identity.measure,
}
"""In the order in which they run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; returns the exit code.

    Args:
        arguments: of the command line; by default the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--part", action="append", choices=tuple(PARTS), help="this part alone; can be repeated")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures as JSON, with the machine's description"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as a document")
    chosen = parser.parse_args(arguments)
    for file in (chosen.json, chosen.markdown):
        # Now, and not when all has been measured.
        if file is not None and not file.resolve().parent.is_dir():
            parser.error(f"{file} cannot be written: there is no folder {file.resolve().parent}")
    names = [name for name in PARTS if chosen.part is None or name in chosen.part]
    begun = time.monotonic()
    found = {}
    for name in names:
        found[name] = PARTS[name]()
        print("\n".join(table.text() for table in found[name].tables))
    about = {"machine": describe(), "seconds": round(time.monotonic() - begun), "made_by": _made_by()}
    print(json.dumps(about, indent=1))
    if chosen.json is not None:
        data = {**about, **{name: {"passed": part.passed, **part.data} for name, part in found.items()}}
        # What is not a number is no JSON either.
        known = json.loads(json.dumps(data), parse_constant=lambda _: None)
        chosen.json.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if chosen.markdown is not None:
        chosen.markdown.write_text(document(found, about), encoding="utf-8")
    failed = [name for name, part in found.items() if not part.passed]
    if failed:
        print(f"accuracy: {', '.join(failed)}: outputs are not identical, see the table", file=sys.stderr)
    return 1 if failed else 0


def _made_by() -> dict[str, str]:
    """What computed the figures: under other versions they may differ."""
    params = Params()
    face = face_engine(params.face.engine).identity(params.face)
    libraries = sorted({library for stage in MEDIA_STAGES for library in stage.libraries})
    return {
        "PainLake": version("painlake"),
        "face engine": f"{face.name} {face.version}, model {str(face.model_sha256)[:12]}",
        **{library: version(library) for library in libraries},
    }


_TITLES = {
    "warps": "Movements and action units",
    "encodings": "Repeatability of the face",
    "voices": "Repeatability of the voice",
    "identity": "Identity",
}
_INTRODUCTION = """# How far the measurements can be trusted

Written by `python -m benchmarks.accuracy --markdown docs/accuracy.md`; never edited by hand. `make bench` prints the same
tables.

What is measured here is made by PainLake itself: faces warped from one photograph of one woman, whose every movement is
known, and speech of a synthesiser. That tells which measure answers to which movement, what else it answers to, and what
an encoder, a camera or a microphone changes. It is no validation against coders of faces: nobody graded these pictures,
the strengths of the movements are no FACS intensities, and constants that fit this face may fit yours less. For that,
hold the action units against FACS-coded recordings of your own.

How each action unit is computed, and its known weaknesses, stand in the table `au_support`.
"""


def document(found: Mapping[str, Part], about: Mapping[str, object]) -> str:
    """The tables as a Markdown document.

    Args:
        found: the parts by their names.
        about: the machine, how long it took, and what computed the figures.
    """
    made_by = about["made_by"]
    versions = ", ".join(f"{name} {number}" for name, number in made_by.items()) if isinstance(made_by, dict) else ""
    lines = [
        _INTRODUCTION,
        f"This run took {about['seconds']} s on {describe_machine(about['machine'])}, with {versions}.",
    ]
    for name, part in found.items():
        lines += ["", f"## {_TITLES[name]}", "", *(table.markdown() for table in part.tables)]
    return "\n".join(lines).rstrip() + "\n"


def describe_machine(machine: object) -> str:
    """A machine in one line."""
    if not isinstance(machine, dict):
        return "an unknown machine"
    return f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, Python {machine['python']}"


if __name__ == "__main__":
    sys.exit(main())
