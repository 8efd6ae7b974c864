"""The block `night` of `params.yaml`: when the night runs by itself, and whom it tells how it went."""

from typing import Literal

from pydantic import Field, field_validator

from pipelines.params_block import Block

_VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"


class NotifyParams(Block):
    """Whom a night's end is told: counts, codes and versions alone, never a pseudonym."""

    when: tuple[Literal["failure", "attention", "always"], ...] = ("failure", "attention")
    """A night that failed; one that left more for a person to do than the one before; every one."""
    webhook_variable: str | None = Field(default=None, pattern=_VARIABLE)
    """The environment variable that holds the URL which gets a JSON document by POST; URLs may hold secrets."""
    apprise_variable: str | None = Field(default=None, pattern=_VARIABLE)
    """The environment variable that holds Apprise's URLs, such as `mailtos://…`, with spaces between them."""
    timeout_s: float = Field(default=10.0, gt=0, le=300)
    """How long the receiver may take; a message that cannot be delivered is logged and changes nothing."""


class NightParams(Block):
    """The night by itself."""

    cron: str = "0 2 * * *"
    """When it runs: five fields, in the hospital's time zone (`study.timezone`)."""
    look_every_min: float = Field(default=5.0, ge=0)
    """How often the landing zone is looked into between nights; 0 for never."""
    wait_h: float = Field(default=12.0, ge=0)
    """How long a scheduled run waits for another one that holds the study, before it is skipped."""
    metrics_file: str | None = None
    """Where each night leaves its counts for Prometheus, such as state/metrics.prom; relative ones stand in the study."""
    notify: NotifyParams = NotifyParams()

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        if len(value.split()) != 5:
            raise ValueError("a schedule has five fields: minute, hour, day of month, month, day of week")
        return value
