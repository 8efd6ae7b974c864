"""The tables of the face: one row a frame, and what the engine can and cannot measure."""

from collections.abc import Mapping

from schemas.core import Column, Table, Tier
from schemas.people import OF_RECORDING, RECORDING

AU_NAMES: Mapping[str, str] = {
    "AU01": "inner brow raiser",
    "AU02": "outer brow raiser",
    "AU04": "brow lowerer",
    "AU05": "upper lid raiser",
    "AU06": "cheek raiser",
    "AU07": "lid tightener",
    "AU09": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU12": "lip corner puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU17": "chin raiser",
    "AU20": "lip stretcher",
    "AU23": "lip tightener",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU28": "lip suck",
    "AU43": "eyes closed",
    "AU45": "blink",
}
"""OpenFace's action units and AU43, which the pain score needs, with their names in the Facial Action Coding System."""

PRESENCE_ONLY = frozenset({"AU28"})
"""OpenFace gives no intensity for these."""

_UNMEASURED = "NULL where no face was found or the engine could not measure it"


def _intensity(unit: str) -> Column:
    return Column(
        f"{unit}_r", "FLOAT", f"Intensity of {unit} ({AU_NAMES[unit]}); how it is measured stands in au_support. {_UNMEASURED}.",
        unit="{0-5}", minimum=0, maximum=5,
    )  # fmt: skip


def _presence(unit: str) -> Column:
    return Column(
        f"{unit}_c", "SMALLINT", f"Presence of {unit} ({AU_NAMES[unit]}): 1 from the threshold of the face stage on. {_UNMEASURED}.",
        unit="{0,1}", minimum=0, maximum=1,
    )  # fmt: skip


def _angle(axis: str, meaning: str) -> Column:
    return Column(f"pose_R{axis}", "FLOAT", meaning, unit="rad", minimum=-3.1416, maximum=3.1416)


AU_FRAMES = Table(
    "au_frames", "video frame", "Action units, head pose and pain score of every decoded frame.",
    (
        RECORDING,
        Column("frame", "INTEGER", "Number of the frame among those decoded, from 0.", unit="{frame}", nullable=False, minimum=0),
        Column("timestamp_s", "DOUBLE", "Presentation time from the start of the recording, as the container has it.", unit="s", nullable=False),
        Column("face_found", "BOOLEAN", "Whether the engine found a face; where not, all measurements are NULL.", nullable=False),
        Column("face_count", "SMALLINT", "Faces in the frame that are at least a given share of the largest one's height; "
               "counted about once a second, NULL in the frames between.", unit="{face}", minimum=0),
        Column("face_x", "FLOAT", "Left edge of the landmarks' bounding box, from the left of the frame as shown.", unit="px"),
        Column("face_y", "FLOAT", "Upper edge of the landmarks' bounding box, from the top of the frame as shown.", unit="px"),
        Column("face_w", "FLOAT", "Width of the landmarks' bounding box.", unit="px", minimum=0),
        Column("face_h", "FLOAT", "Height of the landmarks' bounding box.", unit="px", minimum=0),
        _angle("x", "Head pitch; positive with the chin down (OpenFace's sign)."),
        _angle("y", "Head yaw; positive when turned to the person's own right, the left of the picture (OpenFace's sign)."),
        _angle("z", "Head roll; positive when tilted clockwise in the picture (OpenFace's sign)."),
        *(_intensity(unit) for unit in AU_NAMES if unit not in PRESENCE_ONLY),
        *(_presence(unit) for unit in AU_NAMES),
        Column("pspi", "FLOAT", "Prkachin and Solomon Pain Intensity (Pain 2008, 139:267-274): AU04 + max(AU06, AU07) + "
               "max(AU09, AU10) + AU43. An approximation: the intensities come from an engine and no human coder, and AU43, "
               "0 or 1 in the original, is AU43_r / 5. NULL where any part is.",
               unit="{0-16}", minimum=0, maximum=16),
    ),
    key=("recording", "frame"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip

METHODS = ("blendshape", "geometry", "model", "none")

AU_SUPPORT = Table(
    "au_support", "engine and action unit", "How each engine measures each action unit, and what to beware of.",
    (
        Column("engine", "VARCHAR", "The engine's name on the package index.", nullable=False),
        Column("action_unit", "VARCHAR", "The action unit, as its columns in au_frames begin.", nullable=False, pattern=r"AU\d{2}"),
        Column("method", "VARCHAR", "'blendshape': from the engine's expression scores; 'geometry': from distances between landmarks; "
               "'model': a model trained on this action unit; 'none': not measured, so NULL.", nullable=False, allowed=METHODS),
        Column("source", "VARCHAR", "The formula of the intensity (0-5), by the engine's own names.", nullable=False),
        Column("caveat", "VARCHAR", "What to beware of when using it.", nullable=False),
    ),
    key=("engine", "action_unit"),
    tier=Tier.AGGREGATE,
)  # fmt: skip
