from flows.report_agreement import agreed
from pipelines.agreement import Agreement


def test_what_could_not_be_said_is_a_dash_and_no_zero() -> None:
    *_, row = agreed([Agreement("hnr_db", "dB", "praat", 2)]).splitlines()
    assert row.split() == ["hnr_db", "dB", "praat", "2", "-", "-", "-", "-", "-"]
