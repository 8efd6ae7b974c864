"""Telling people how a night went: a webhook, or whatever Apprise speaks (e-mail, chat, SMS).

Nothing but counts, codes and versions is sent. A message that cannot be delivered is logged and changes nothing: what
a night came to stands in the study.
"""

import json
import logging
import os
import urllib.error
import urllib.request
from typing import Any

from pipelines.errors import PainLakeError
from pipelines.night_summary import NightSummary
from pipelines.params_night import NotifyParams

log = logging.getLogger("painlake")


def is_wanted(summary: NightSummary, params: NotifyParams) -> bool:
    """Whether the end of a night, or of what else is scheduled, is to be told; only nights are compared with the last."""
    return (
        "always" in params.when
        or ("failure" in params.when and not summary.good)
        or ("attention" in params.when and summary.event == "night" and summary.needs_a_person_anew)
    )


def notify(summary: NightSummary, params: NotifyParams) -> int:
    """Tell whoever is to be told; returns to how many ways of telling it was handed over.

    Args:
        summary: of what ended.
        params: whom to tell, and when.
    """
    if not is_wanted(summary, params):
        return 0
    told = 0
    for variable, send in ((params.webhook_variable, _post), (params.apprise_variable, _apprise)):
        if variable is None:
            continue
        address = os.environ.get(variable, "").strip()
        if not address:
            log.warning("nobody was told: the environment variable %s is not set", variable)
            continue
        try:
            send(address, summary, params.timeout_s)
            told += 1
        except Exception as error:  # noqa: BLE001 - a message never fails the night, whatever the network does
            # Of other errors the kind alone: their text may hold the address, and with it a secret.
            what = str(error) if isinstance(error, PainLakeError) else type(error).__name__
            log.warning("the message to %s was not delivered: %s", variable, what)
    return told


def document_of(summary: NightSummary) -> dict[str, Any]:
    """What a webhook gets: `text` for chats that show it, the rest for programs."""
    return {"source": "painlake", "text": f"{title_of(summary)}\n{text_of(summary)}", **summary.document}


def title_of(summary: NightSummary) -> str:
    """One line: what ended, and how."""
    return f"PainLake {summary.event}: {summary.outcome}" + ("" if summary.good else " (FAILED)")


def text_of(summary: NightSummary) -> str:
    """A few lines for people."""
    fates = summary.fates or {}
    lines = [
        f"version: {summary.version or 'none yet'}{' (new)' if summary.new_version else ''}",
        ", ".join(f"{fate} {count}" for fate, count in fates.items()) or "the ledger could not be read",
    ]
    if summary.failures:
        lines.append(f"could not be done: {summary.failures}")
    lines.extend(
        f"{each.code} {each.count}{' (more than before)' if each.grew else ''}: {each.next_step}"
        for each in summary.attention
    )
    return "\n".join(lines)


def _post(url: str, summary: NightSummary, timeout_s: float) -> None:
    if not url.startswith(("https://", "http://")):
        raise PainLakeError("it holds no http or https address")
    request = urllib.request.Request(  # noqa: S310 - its scheme was looked at
        url,
        data=json.dumps(document_of(summary)).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "painlake"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310 - as above
            pass
    except urllib.error.HTTPError as error:
        raise PainLakeError(f"the receiver answered {error.code}") from None


def _apprise(urls: str, summary: NightSummary, timeout_s: float) -> None:
    import apprise  # noqa: PLC0415 - only who is to be told by it needs it

    # What Apprise itself logs names its addresses, and so their passwords.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    sender = apprise.Apprise()
    for url in urls.split():
        joint = "&" if "?" in url else "?"
        if not sender.add(f"{url}{joint}cto={timeout_s:g}&rto={timeout_s:g}"):
            raise PainLakeError("it holds an address that Apprise does not know")
    kind = apprise.NotifyType.INFO if summary.good else apprise.NotifyType.FAILURE
    if not sender.notify(title=title_of(summary), body=text_of(summary), notify_type=kind):
        raise PainLakeError("a receiver did not take it")
