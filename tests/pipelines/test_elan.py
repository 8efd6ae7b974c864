"""EAF files: what ELAN's format 3.0 asks for, and nothing that tells where or who."""

import itertools
import re
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pympi.Elan import Eaf

from pipelines.elan import Document, Interval, Tier, write_eaf

RECORDING = "P000000001-00000002"
SECTIONS = ("HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT")
"""In this order the format's schema wants them."""
STEREOTYPES = {"Time_Subdivision", "Symbolic_Subdivision", "Symbolic_Association", "Included_In"}


def document(*tiers: Tier, has_picture: bool = True) -> Document:
    return Document(
        RECORDING, "PainLake 0.1.0", "2026-11-21T02:00:00Z", has_picture, (("PainLake dataset version", "v0001"),), tiers
    )  # fmt: skip


TASKS = Tier("task", "task", (Interval(0.0, 3.0, "reading"), Interval(3.0, 8.0, "free_speech")))
SPEECH = Tier("speech", "speech", (Interval(3.5, 4.25, "speech"), Interval(0.5, 2.0, "speech")))
BROWS = Tier("AU04 brow lowerer", "action unit", (Interval(1.0, 1.2, "2.5"),))
LIPS = Tier("AU25 lips part", "action unit", ())
WHOLE = document(TASKS, SPEECH, BROWS, LIPS)


def parsed(made: Document) -> ET.Element:
    return ET.fromstring(write_eaf(made))  # noqa: S314 - made a line before


def read_back(made: Document, folder: Path) -> Eaf:
    path = folder / "made.eaf"
    path.write_bytes(write_eaf(made))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return Eaf(str(path))


def test_another_reader_finds_every_annotation_at_its_time(tmp_path: Path) -> None:
    eaf = read_back(WHOLE, tmp_path)
    assert list(eaf.get_tier_names()) == ["task", "speech", "AU04 brow lowerer", "AU25 lips part"]
    assert sorted(eaf.get_annotation_data_for_tier("task")) == [(0, 3000, "reading"), (3000, 8000, "free_speech")]
    assert sorted(eaf.get_annotation_data_for_tier("speech")) == [(500, 2000, "speech"), (3500, 4250, "speech")]
    assert eaf.get_annotation_data_for_tier("AU04 brow lowerer") == [(1000, 1200, "2.5")]
    assert eaf.get_annotation_data_for_tier("AU25 lips part") == []


def test_it_is_built_as_the_format_wants() -> None:
    root = parsed(WHOLE)
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert (root.attrib["FORMAT"], root.attrib["VERSION"]) == ("3.0", "3.0")
    assert root.attrib["{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"].endswith("EAFv3.0.xsd")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", root.attrib["DATE"])
    sections = [child.tag for child in root]
    assert list(dict.fromkeys(sections)) == list(SECTIONS)
    assert sections == sorted(sections, key=SECTIONS.index)
    types = {each.attrib["LINGUISTIC_TYPE_ID"]: each.attrib for each in root.iter("LINGUISTIC_TYPE")}
    assert set(types) == {"task", "speech", "action unit"}
    for attributes in types.values():
        # A type of its own, tied to no other tier: it has no stereotype.
        assert attributes["TIME_ALIGNABLE"] == "true"
        assert "CONSTRAINTS" not in attributes
    assert {tier.attrib["LINGUISTIC_TYPE_REF"] for tier in root.iter("TIER")} == set(types)
    assert {each.attrib["STEREOTYPE"] for each in root.iter("CONSTRAINT")} == STEREOTYPES


def test_time_slots_are_in_order_and_all_in_use() -> None:
    root = parsed(WHOLE)
    slots = [(slot.attrib["TIME_SLOT_ID"], int(slot.attrib["TIME_VALUE"])) for slot in root.iter("TIME_SLOT")]
    assert [name for name, _ in slots] == [f"ts{n}" for n in range(1, len(slots) + 1)]
    assert [ms for _, ms in slots] == sorted(ms for _, ms in slots)
    annotations = [each.attrib for each in root.iter("ALIGNABLE_ANNOTATION")]
    used = [a[end] for a in annotations for end in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")]
    assert sorted(used) == sorted(name for name, _ in slots)
    names = [a["ANNOTATION_ID"] for a in annotations]
    assert len(set(names)) == len(names) == 5


def test_new_annotations_get_numbers_that_are_not_taken() -> None:
    root = parsed(WHOLE)
    (last,) = [each.text for each in root.iter("PROPERTY") if each.attrib["NAME"] == "lastUsedAnnotationId"]
    taken = [int(each.attrib["ANNOTATION_ID"].removeprefix("a")) for each in root.iter("ALIGNABLE_ANNOTATION")]
    assert int(last or 0) >= max(taken)


@pytest.mark.parametrize(("has_picture", "ending", "kind"), [(True, "mp4", "video/mp4"), (False, "wav", "audio/x-wav")])
def test_the_media_are_a_pseudonym_beside_the_file_and_no_path(has_picture: bool, ending: str, kind: str) -> None:  # noqa: FBT001 - a case of the table above
    root = parsed(document(TASKS, has_picture=has_picture))
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    name = f"./{RECORDING}.{ending}"
    assert media.attrib == {"MEDIA_URL": name, "RELATIVE_MEDIA_URL": name, "MIME_TYPE": kind}
    header = root.find("HEADER")
    assert header is not None
    assert header.attrib == {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}


def test_who_it_is_about_is_a_pseudonym() -> None:
    assert {tier.attrib["PARTICIPANT"] for tier in parsed(WHOLE).iter("TIER")} == {"P000000001"}


def test_the_same_document_gives_the_same_bytes() -> None:
    assert write_eaf(WHOLE) == write_eaf(WHOLE)


def test_where_nobody_knows_when_it_was_made_it_still_has_a_date() -> None:
    unknown = Document(RECORDING, "PainLake", None, True, (), (TASKS,))
    assert parsed(unknown).attrib["DATE"] == "1970-01-01T00:00:00+00:00"


TIMES = st.floats(-0.01, 60, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(spans=st.lists(st.tuples(TIMES, TIMES), max_size=15))
def test_no_annotation_overlaps_another_or_lasts_no_time(spans: list[tuple[float, float]]) -> None:
    tier = Tier("AU12 lip corner puller", "action unit", tuple(Interval(min(s), max(s), "1.0") for s in spans))
    root = parsed(document(tier))
    at = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    placed = [
        (at[each.attrib["TIME_SLOT_REF1"]], at[each.attrib["TIME_SLOT_REF2"]])
        for each in root.iter("ALIGNABLE_ANNOTATION")
    ]
    assert len(placed) == len(spans)
    assert all(0 <= start < end for start, end in placed)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(placed))
