"""CSV files as OpenFace 2.2's FeatureExtraction writes them: its columns, order, spaces and precision."""

from collections.abc import Iterable, Sequence

UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "28", "45")
EYE_LANDMARKS, LANDMARKS, MODES = 56, 68, 34
HEADER = (
    "frame", "face_id", "timestamp", "confidence", "success",
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"), "gaze_angle_x", "gaze_angle_y",
    *(f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(EYE_LANDMARKS)),
    *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    *(f"{axis}_{i}" for axis in "xyXYZ" for i in range(LANDMARKS)),
    "p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(MODES)),
    *(f"AU{unit}_r" for unit in UNITS if unit != "28"),
    *(f"AU{unit}_c" for unit in UNITS),
)  # fmt: skip

Row = dict[str, float]


def face(
    frame: float, face_id: float = 0, *, x: float = 40.0, y: float = 30.0, size: float = 60.0, **values: float
) -> Row:
    """A row in which a face is found: landmarks on a circle in a square, looking ahead, its mouth a tenth open."""
    row = dict.fromkeys(HEADER, 0.0) | {"frame": frame, "face_id": face_id, "confidence": 0.98, "success": 1}
    row |= {"timestamp": (frame - 1) / 25, "gaze_0_z": -1.0, "gaze_1_z": -1.0}
    corners = [(x, y), (x + size, y), (x, y + size), (x + size, y + size)]
    for point in range(LANDMARKS):
        row[f"x_{point}"], row[f"y_{point}"] = corners[point % 4]
    row |= {"x_36": x, "y_36": y + size / 6, "x_45": x + size, "y_45": y + size / 6}
    row |= {"x_62": x + size / 2, "y_62": y + size * 2 / 3, "x_66": x + size / 2, "y_66": y + size * 23 / 30}
    return row | values


def lost(frame: int, face_id: int = 0) -> Row:
    """A row in which the face was lost: OpenFace writes zeros."""
    return dict.fromkeys(HEADER, 0.0) | {"frame": frame, "face_id": face_id, "timestamp": (frame - 1) / 25}


def csv_of(rows: Iterable[Row], header: Sequence[str] = HEADER) -> bytes:
    """The file."""
    lines = [", ".join(header)]
    lines += [", ".join(f"{row[name]:.6g}" for name in header) for row in rows]
    return ("\n".join(lines) + "\n").encode()
