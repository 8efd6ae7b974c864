"""What OpenFace 2.x measures of each action unit, and what its makers say of it: its rows of `au_support`.

Sources: Baltrusaitis, Mahmoud and Robinson, Cross-dataset learning and person-specific normalisation for automatic
Action Unit detection, FG 2015, doi:10.1109/FG.2015.7284869; Baltrusaitis, Zadeh, Lim and Morency, OpenFace 2.0: Facial
Behavior Analysis Toolkit, FG 2018, 59-66, doi:10.1109/FG.2018.00019; OpenFace's wiki, Action-Units and Datasets.
"""

from typing import Final

import polars as pl

from schemas.face import AU_NAMES, AU_SUPPORT, PRESENCE_ONLY

OPENFACE: Final = "openface"
"""The engine's name."""

_PAPERS = (
    "Baltrusaitis et al., FG 2015, doi:10.1109/FG.2015.7284869; Baltrusaitis et al., FG 2018, doi:10.1109/FG.2018.00019"
)
_FEATURES = "on HOG of the aligned face (after PCA) and landmark shape"
_GRADED = (
    f"Intensity: linear support vector regression, presence: linear support vector machine, {_FEATURES}; {_PAPERS}."
)
_PRESENT = f"Presence alone: linear support vector machine {_FEATURES}; {_PAPERS}."
_NONE = "OpenFace has no model of this action unit."

_DATA = (
    "Trained across Bosphorus, BP4D, CK+, DISFA, FERA 2011, SEMAINE and UNBC-McMaster, each unit on those in which it "
    "is coded: results on these sets are no test on unseen data."
)
_NEUTRAL = (
    "In videos OpenFace takes a person's neutral face off over that video (its dynamic models): a face that is never "
    "neutral reads low, and au_neutral takes off what is left."
)
_APART = "Presence and intensity are separate models and may contradict each other."
_COMMON = f"{_DATA} {_NEUTRAL} {_APART}"

_ALSO = {
    "AU02": "Rises with AU01, with which it seldom comes alone in the training data.",
    "AU06": "Rises with AU12: most of its training examples are smiles.",
    "AU07": "Hard to tell from AU06 and from narrow eyes at rest.",
    "AU09": "Rare in spontaneous data, so learnt from few examples.",
    "AU10": "Hard to tell from AU12 where a smile lifts the upper lip.",
    "AU14": "Coded in few of the training sets.",
    "AU15": "Weak on spontaneous data.",
    "AU20": "The weakest of OpenFace's intensities in its own evaluation on DISFA (FG 2018).",
    "AU23": "Coded in few of the training sets, and weak.",
    "AU25": "Rises in speech.",
    "AU26": "Rises in speech; AU26 and AU27 are not told apart.",
    "AU45": "Trained on blinks. OpenFace has no AU43, so this stands for it in PSPI.",
}  # fmt: skip


def openface_support() -> pl.DataFrame:
    """OpenFace's rows of `au_support`: one for each action unit, in their order."""
    return AU_SUPPORT.frame([_row(unit) for unit in AU_NAMES])


def _row(unit: str) -> dict[str, object]:
    if unit == "AU43":
        caveat = (
            "NULL. PSPI takes AU45_r / 5 in its place, as users of OpenFace do: the same movement of the lids, whose "
            "model was trained on blinks, so eyes that stay closed may read low."
        )
        return {"engine": OPENFACE, "action_unit": unit, "method": "none", "source": _NONE, "caveat": caveat}
    source = _PRESENT if unit in PRESENCE_ONLY else _GRADED
    caveat = f"{_ALSO[unit]} {_COMMON}" if unit in _ALSO else _COMMON
    return {"engine": OPENFACE, "action_unit": unit, "method": "model", "source": source, "caveat": caveat}
