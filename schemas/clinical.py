"""The tables of clinical observations, as delivered but for dates (study days) and names (pseudonyms)."""

from schemas.core import Column, Table, Tier
from schemas.people import OF_PARTICIPANT, PARTICIPANT, STUDY_DAY, STUDY_MINUTE, TIME_OF_DAY

_WHEN = (STUDY_DAY, TIME_OF_DAY, STUDY_MINUTE)


def _nrs(name: str, when: str) -> Column:
    return Column(name, "DOUBLE", f"Numeric rating scale of pain {when}: 0 none, 10 the worst imaginable.",
                  unit="{0-10}", minimum=0, maximum=10)  # fmt: skip


CLINICAL_OBSERVATIONS = Table(
    "clinical_observations", "observation", "Pain scores and clinical status.",
    (
        PARTICIPANT,
        *_WHEN,
        _nrs("nrs_now", "now"),
        _nrs("nrs_worst_24h", "at its worst in 24 h"),
        _nrs("nrs_mean_24h", "on average over 24 h"),
        Column("ecog", "SMALLINT", "ECOG performance status: 0 fully active, 5 dead.", unit="{0-5}", minimum=0, maximum=5),
        Column("clinical_status", "VARCHAR", "Clinical status as coded by the hospital.", suppress_rare=True),
    ),
    key=("participant", "study_minute"),
    references=(OF_PARTICIPANT,),
    tier=Tier.AGGREGATE,
)  # fmt: skip

MEDICATIONS = Table(
    "medications", "administration", "Medicines as administered; analgesics are those of ATC group N02.",
    (
        PARTICIPANT,
        *_WHEN,
        Column("atc_code", "VARCHAR", "WHO ATC code.", nullable=False, pattern=r"[A-Z]\d{2}([A-Z]([A-Z](\d{2})?)?)?", suppress_rare=True),
        Column("drug", "VARCHAR", "Generic name.", suppress_rare=True),
        Column("dose_mg", "DOUBLE", "Dose given.", unit="mg", minimum=0, maximum=100000),
        Column("route", "VARCHAR", "Route of administration as coded by the hospital.", suppress_rare=True),
    ),
    key=("participant", "study_minute", "atc_code", "route"),
    references=(OF_PARTICIPANT,),
    tier=Tier.AGGREGATE,
)  # fmt: skip

QUESTIONNAIRE_ITEMS = Table(
    "questionnaire_items", "answered item", "Answers to questionnaires.",
    (
        PARTICIPANT,
        *_WHEN,
        Column("instrument", "VARCHAR", "The questionnaire's short name.", nullable=False, suppress_rare=True),
        Column("item", "VARCHAR", "The item's short name.", nullable=False, suppress_rare=True),
        Column("value", "DOUBLE", "The answer's number in the instrument's own coding.", unit="{score}"),
    ),
    key=("participant", "study_minute", "instrument", "item"),
    references=(OF_PARTICIPANT,),
    tier=Tier.AGGREGATE,
)  # fmt: skip
