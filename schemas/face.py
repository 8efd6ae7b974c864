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

_UNMEASURED = "NULL where no face was found, or the engine could not measure it or measures each n-th frame alone"


def _intensity(unit: str) -> Column:
    return Column(
        f"{unit}_r", "FLOAT", f"Intensity of {unit} ({AU_NAMES[unit]}); how it is measured stands in au_support. {_UNMEASURED}.",
        unit="{0-5}", minimum=0, maximum=5,
    )  # fmt: skip


def _presence(unit: str) -> Column:
    return Column(
        f"{unit}_c", "SMALLINT", f"Presence of {unit} ({AU_NAMES[unit]}): as the engine's own classifier has it, else 1 where {unit}_r "
        f"reaches publish.presence; set at publication. {_UNMEASURED}.",
        unit="{0,1}", minimum=0, maximum=1,
    )  # fmt: skip


def _angle(axis: str, meaning: str) -> Column:
    return Column(f"pose_R{axis}", "FLOAT", meaning, unit="rad", minimum=-3.1416, maximum=3.1416)


def _gaze(axis: str, sign: str) -> Column:
    return Column(
        f"gaze_{axis}", "FLOAT", f"Direction of the eyes within the head, {sign}; mean of both eyes: arc sine of the iris centre's offset "
        "from the middle of the eye corners over an eyeball's radius (0.4 of the eye's width); of openface, its gaze vectors turned into the "
        "head's axes by its pose. Not OpenFace's gaze_angle, which adds the head's pose. A rough measure with an offset between persons: compare within a person. NULL where the lids are "
        "half closed or the head is turned away.",
        unit="rad", minimum=-1.5709, maximum=1.5709,
    )  # fmt: skip


_FRAME_QUALITY = (
    Column("face_size", "FLOAT", "Height of the landmarks' bounding box as a share of the frame's height.", unit="1", minimum=0),
    Column("face_brightness", "FLOAT", "Mean luma of the face's region, 0 black and 255 white.", unit="{0-255}", minimum=0, maximum=255),
    Column("face_sharpness", "FLOAT", "Variance of the Laplacian of the face's region at 64 x 64 px over the variance of its luma, so that "
           "light and contrast cancel; the less, the more blurred (Pech-Pacheco et al., ICPR 2000, doi:10.1109/ICPR.2000.903548). "
           "NULL where the region is evenly bright.", unit="1", minimum=0),
    Column("face_speed", "FLOAT", "Displacement of the face's centre since the frame before, in widths of the face a second. NULL where "
           "that frame shows no face.", unit="{face widths}/s", minimum=0),
    Column("face_outside", "FLOAT", "Hint of occlusion: share of the engine's landmarks that lie outside the picture. A hand or a mask "
           "before the face does not show in it.", unit="1", minimum=0, maximum=1),
)  # fmt: skip


AU_FRAMES = Table(
    "au_frames", "video frame", "Action units, head pose, frame quality and pain score of every decoded frame.",
    (
        RECORDING,
        Column("frame", "INTEGER", "Number of the frame among those decoded, from 0.", unit="{frame}", nullable=False, minimum=0),
        Column("timestamp_s", "DOUBLE", "Presentation time from the start of the recording, as the container has it.", unit="s", nullable=False),
        Column("face_found", "BOOLEAN", "Whether the engine found a face; where not, all measurements are NULL.", nullable=False),
        Column("face_count", "SMALLINT", "Faces in the frame that are at least a given share of the largest one's height; "
               "counted about once a second, NULL in the frames between; by MediaPipe where the engine follows one face alone.", unit="{face}", minimum=0),
        Column("face_x", "FLOAT", "Left edge of the landmarks' bounding box, from the left of the frame as shown.", unit="px"),
        Column("face_y", "FLOAT", "Upper edge of the landmarks' bounding box, from the top of the frame as shown.", unit="px"),
        Column("face_w", "FLOAT", "Width of the landmarks' bounding box.", unit="px", minimum=0),
        Column("face_h", "FLOAT", "Height of the landmarks' bounding box.", unit="px", minimum=0),
        _angle("x", "Head pitch; positive with the chin down (OpenFace's sign)."),
        _angle("y", "Head yaw; positive when turned to the person's own right, the left of the picture (OpenFace's sign)."),
        _angle("z", "Head roll; positive when tilted clockwise in the picture (OpenFace's sign)."),
        *_FRAME_QUALITY,
        Column("mouth_open", "FLOAT", "Mouth openness: gap between the inner lips (landmarks 13-14) over the distance between the outer "
               "eye corners (33-263; of openface 62-66 and 36-45, in the picture). NULL where no face was found or the head is turned away.", unit="1", minimum=0),
        _gaze("x", "positive to the right of the picture"),
        _gaze("y", "positive downwards"),
        *(_intensity(unit) for unit in AU_NAMES if unit not in PRESENCE_ONLY),
        *(_presence(unit) for unit in AU_NAMES),
        Column("pspi", "FLOAT", "Prkachin and Solomon Pain Intensity (Pain 2008, 139:267-274): AU04 + max(AU06, AU07) + "
               "max(AU09, AU10) + AU43. An approximation: the intensities come from an engine and no human coder, and AU43, "
               "0 or 1 in the original, is AU43_r / 5 (of openface, which has no AU43, AU45_r / 5). NULL where any part is.",
               unit="{0-16}", minimum=0, maximum=16),
    ),
    key=("recording", "frame"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip

METHODS = ("blendshape", "geometry", "blendshape and geometry", "model", "none")

AU_SUPPORT = Table(
    "au_support", "engine and action unit", "How each engine measures each action unit, and what to beware of.",
    (
        Column("engine", "VARCHAR", "The engine's name, as in meta.provenance.", nullable=False),
        Column("action_unit", "VARCHAR", "The action unit, as its columns in au_frames begin.", nullable=False, pattern=r"AU\d{2}"),
        Column("method", "VARCHAR", "'blendshape': from the engine's expression scores; 'geometry': from distances between landmarks; 'blendshape and geometry': the greater of both; "
               "'model': a model trained on this action unit; 'none': not measured, so NULL.", nullable=False, allowed=METHODS),
        Column("source", "VARCHAR", "The formula of the intensity (0-5), by the engine's own names, or the paper of the model.", nullable=False),
        Column("caveat", "VARCHAR", "What to beware of when using it.", nullable=False),
    ),
    key=("engine", "action_unit"),
    tier=Tier.AGGREGATE,
)  # fmt: skip
