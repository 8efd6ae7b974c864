"""What synthetic movements did to each action unit of the engine `mediapipe`, for `au_support` to say.

The figures are those of docs/accuracy.md, which `python -m benchmarks.accuracy` measures; a test holds both together.
They change no measurement, so this module is in no result's key.
"""

_MOVES = {
    "AU01": "AU01 +2.3",
    "AU02": "AU02 +3.4",
    "AU04": "AU04 +2.0",
    "AU05": "AU02 +0.6",
    "AU06": "AU10 +0.9, AU12 +1.1, AU43 +0.5",
    "AU07": "AU01 -1.9, AU02 -2.2, AU04 +1.5, AU05 -1.9, AU06 +2.1, AU07 +1.8, AU15 +0.5, AU20 +0.9, AU43 +0.7",
    "AU09": "AU09 +0.8, AU10 +0.6",
    "AU10": "AU10 +1.2",
    "AU12": "AU06 -0.6, AU10 +0.7, AU12 +2.9, AU15 -1.5, AU20 +1.4, AU25 +0.6, AU26 +1.6, AU43 +0.6",
    "AU14": "AU09 +0.8, AU26 +0.7",
    "AU15": "",
    "AU17": "AU15 +1.0, AU17 +3.1, AU20 +0.7",
    "AU20": "AU20 +0.8",
    "AU23": "AU15 +0.7",
    "AU25": "AU10 +1.5, AU25 +1.2, AU26 +3.4",
    "AU26": "AU26 +2.4",
    "AU43": "AU43 +2.2",
    "AU45": "AU43 +2.2",
}
"""By action unit: the synthetic movements that change it by 0.5 or more at the full, and by how much."""


def told(unit: str) -> str:
    """What to say of an action unit; nothing of one that was not measured.

    >>> told("AU15")
    'Synthetic movements of a face change it by less than 0.5, its own too.'
    """
    if unit not in _MOVES:
        return ""
    if not _MOVES[unit]:
        return "Synthetic movements of a face change it by less than 0.5, its own too."
    return f"Synthetic movements of a face, made to the full, change it by: {_MOVES[unit]}; others by less than 0.5."
