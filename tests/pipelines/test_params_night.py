"""The block `night`: an address with a secret in it, or half a schedule, is refused before it is ever used."""

import pytest
from pydantic import ValidationError

from pipelines.params import Params
from pipelines.params_night import NightParams, NotifyParams


@pytest.mark.parametrize("value", ["https://hooks.example/secret", "mailto://me:secret@example.org", "", "A B"])
def test_an_address_itself_is_no_name_of_a_variable(value: str) -> None:
    with pytest.raises(ValidationError):
        NotifyParams(webhook_variable=value)
    with pytest.raises(ValidationError):
        NotifyParams(apprise_variable=value)


@pytest.mark.parametrize("cron", ["0 2 * *", "daily", "0 2 * * * *"])
def test_a_schedule_has_five_fields(cron: str) -> None:
    with pytest.raises(ValidationError):
        NightParams(cron=cron)


def test_a_study_of_before_takes_the_defaults() -> None:
    assert Params().night == NightParams()
    assert NightParams().notify.webhook_variable is None
