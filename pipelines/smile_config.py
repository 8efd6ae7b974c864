"""openSMILE's own configurations, taken apart at run time: what describes sound, and what sums it up.

In a shipped configuration all levels that are summed up stay whole until the sound ends: of each frame its values, and
with them, twice, 64 bytes about its time. What is written here makes two runs of one: the first is the shipped file as
it is, where nothing stays but for a moment and nothing is summed up; the second has its functionals and what follows
them, and takes up what the first has handed out. Nothing of the shipped files is copied into this package.
Source: Eyben et al. 2010, doi:10.1145/1873951.1874246, and the configuration language in openSMILE's book.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DESCRIPTORS, FUNCTIONALS = "lld", "func"
"""What all shipped configurations call the levels of their results."""

SOURCE, CLOCK, CLOCK_SINK = "extsource", "clock", "clocksink"

_INCLUDE = re.compile(r"^\\\{([^\\\n]+)\}", re.MULTILINE)
_CHOSEN = re.compile(r"\\\{\\cm\[(\w+)[^\]\n]*\]\}")
_INSTANCE = re.compile(r"^instance\[(\w+)\]\.type\s*=\s*(\w+)", re.MULTILINE)
_SECTION = re.compile(r"(?m)^(?=\[\w+:\w+\])")
_SECTION_NAME = re.compile(r"\[(\w+):")
_LEVELS = re.compile(r"^\s*(reader|writer)\.dmLevel\s*=([^\n]*)", re.MULTILINE)

_RING_S = 10.0
"""Of sound that waits to be described; jitter looks back by 2.5 s."""

_WHOLE = "writer.levelconf.growDyn = 0\nwriter.levelconf.isRb = 0\nwriter.levelconf.nT = {}\n"
_FOR_A_MOMENT = (
    "writer.levelconf.growDyn = 0\nwriter.levelconf.isRb = 1\nwriter.levelconf.nT = 150\nwriter.levelconf.noHang = 2\n"
)
"""As the shipped rings for levels that wait for the pitch; who never reads, as functionals then, holds up nobody."""
_NEVER = "frameMode = var\nframeSize = 0\nframeStep = 0\n"
"""Functionals wait for a message that nobody sends."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A configuration that openSMILE brings.

    Args:
        path: its file.
        summed: the levels that its functionals read.
        summing: type and section of each component from the functionals on, in the order in which they run.
    """

    path: Path
    summed: tuple[str, ...]
    summing: Mapping[str, tuple[str, str]]


@cache
def shipped(path: Path) -> Shipped:
    """Take a configuration apart.

    Args:
        path: its file; what it includes is looked up beside it.
    """
    text = _with_includes(path)
    types = dict(_INSTANCE.findall(text))
    sections: dict[str, str] = {}
    for part in _SECTION.split(text):
        if (found := _SECTION_NAME.match(part)) and found[1] in types:
            sections[found[1]] = _INSTANCE.sub("", part)
    reads: dict[str, list[str]] = {}
    writer_of: dict[str, str] = {}
    for name, section in sections.items():
        levels = {kind: [level.strip() for level in found.split(";")] for kind, found in _LEVELS.findall(section)}
        reads[name] = [level for level in levels.get("reader", []) if level]
        writer_of.update(dict.fromkeys(levels.get("writer", []), name))
    needed: set[str] = set()
    todo = [FUNCTIONALS]
    while todo:
        name = writer_of[todo.pop()]
        needed.add(name)
        todo += [] if types[name] == "cFunctionals" else reads[name]
    summed = {level for name in needed if types[name] == "cFunctionals" for level in reads[name]}
    return Shipped(path, tuple(sorted(summed)), {n: (t, sections[n]) for n, t in types.items() if n in needed})


def _with_includes(path: Path) -> str:
    """A configuration with all that it includes, but for what its caller chooses."""
    return _INCLUDE.sub(lambda found: _with_includes(path.parent / found[1]), path.read_text(encoding="utf-8"))


def describing(config: Shipped, sample_rate_hz: int, folder: Path, rings: Mapping[str, Path]) -> dict[str, Path]:
    """Write what makes the shipped configuration describe sound, hand out all levels, and keep none.

    Functionals are taken once openSMILE has nothing left to do, in the same round in which it begins to flush what
    waits: how far each level had come by then decides over what they are taken. The clock, a level of one frame with a
    functional of its own, tells that round.

    Args:
        config: the configuration.
        sample_rate_hz: of the sound.
        folder: to write into.
        rings: the shipped settings of levels that are rings, by the option that names them.

    Returns:
        The options with which openSMILE is to read it; sinks are called `sink0` for the descriptors, and `sink1` and
        so forth for the levels that are summed up.
    """
    wave = f"writer.dmLevel = wave\n{_RING_OF_SOUND.format(round(_RING_S * sample_rate_hz))}"
    source = _components({SOURCE: "cExternalAudioSource", CLOCK: "cExternalSource"})
    source += f"[{SOURCE}:cExternalAudioSource]\n{wave}sampleRate = {sample_rate_hz}\nnBits = 16\nchannels = 1\n"
    source += (
        f"[{CLOCK}:cExternalSource]\nwriter.dmLevel = clock\n{_WHOLE.format(10)}period = 0.01\nfieldNames[0] = x\n"
    )
    levels = (DESCRIPTORS, *config.summed)
    sinks = {f"sink{at}": level for at, level in enumerate(levels)} | {CLOCK_SINK: "clockfunc"}
    sink = _components({"clockfunc": "cFunctionals"} | dict.fromkeys(sinks, "cExternalSink"))
    sink += "[clockfunc:cFunctionals]\nreader.dmLevel = clock\nwriter.dmLevel = clockfunc\n"
    sink += "frameMode = full\nframeSize = 0\nframeStep = 0\nfunctionalsEnabled = Extremes\n"
    sink += "".join(_sink(name, level) for name, level in sinks.items())
    texts = {
        "source": source,
        "sink": sink,
        "bufferModeConf": _FOR_A_MOMENT,
        "frameModeFunctionalsConf": _NEVER,
    }
    paths = {option: folder / f"{option}.inc" for option in texts}
    for option, text in texts.items():
        paths[option].write_text(text, encoding="utf-8")
    return {**rings, **paths}


_RING_OF_SOUND = "writer.levelconf.growDyn = 0\nwriter.levelconf.isRb = 1\nwriter.levelconf.nT = {}\n"


def summing(
    config: Shipped, names: Mapping[str, Iterable[str]], frames: int, step_s: float, chosen: Mapping[str, Path]
) -> str:
    """A configuration that sums up levels which it is given, as the shipped one does.

    Args:
        config: the shipped one.
        names: of each level's values.
        frames: as many as a level has at most.
        step_s: from one frame to the next.
        chosen: settings that the shipped files leave to their caller, by option.

    Returns:
        Its text; the levels' sources are called `source0` and so forth, the functionals' sink `sink`.
    """
    whole = _WHOLE.format(frames)
    text = _components(
        {"dataMemory": "cDataMemory"} | {f"source{at}": "cExternalSource" for at in range(len(config.summed))}
    )
    for at, level in enumerate(config.summed):
        fields = "".join(f"fieldNames[{index}] = {name}\n" for index, name in enumerate(names[level]))
        text += f"[source{at}:cExternalSource]\nwriter.dmLevel = {level}\n{whole}period = {step_s}\n{fields}"
    text += _components({name: kind for name, (kind, _) in config.summing.items()} | {"sink": "cExternalSink"})
    text += "".join(section for _, section in config.summing.values())
    text = _CHOSEN.sub(lambda found: f"\\{{{chosen[found[1]]}}}" if found[1] in chosen else "", text)
    return text + _sink("sink", FUNCTIONALS)


def _components(types: Mapping[str, str]) -> str:
    lines = "".join(f"instance[{name}].type = {kind}\n" for name, kind in types.items())
    return f"\n[componentInstances:cComponentManager]\n{lines}"


def _sink(name: str, level: str) -> str:
    return f"\n[{name}:cExternalSink]\nreader.dmLevel = {level}\nblocksize = 1\n"
