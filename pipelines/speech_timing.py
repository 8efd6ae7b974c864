"""How speech and silence alternate in a stretch of time, from where voice activity was found.

Sources: Goldman-Eisler 1968, Psycholinguistics: Experiments in Spontaneous Speech (pauses from 250 ms on); de Jong and
Wempe 2009, Behavior Research Methods 41(2), doi:10.3758/BRM.41.2.385 (phonation time, rates a second of speech).
"""

from collections.abc import Sequence

from pipelines.spans import Span, Stretch, within
from schemas.speech import NO_SPEECH

_DECIMALS = 6
"""Microseconds: finer differences are those of the arithmetic."""


def timing(speech: Sequence[Stretch], span: Span, min_pause_s: float) -> dict[str, object]:
    """One row of `schemas.speech.SPEECH_TIMING`, without its proxies of the rate of syllables.

    A pause is a silence of at least `min_pause_s` between two stretches of speech; what comes before the first and
    after the last is none, for there the task's borders decide. Shorter silences belong to a run of speech.

    Args:
        speech: stretches of the whole recording, in order, without overlap.
        span: the task.
        min_pause_s: the shortest pause.

    >>> row = timing([(1.0, 2.0), (2.5, 4.0)], Span("reading", 0.5, 0.5, 5.0), 0.25)
    >>> row["response_latency_s"], row["pauses"], row["pause_mean_s"], row["pauses_per_min"]
    (0.5, 1, 0.5, 20.0)
    """
    if span.cause is not None or span.start_s is None or span.end_s is None:
        return span.where()
    inside = within(speech, span)
    length_s = span.end_s - span.start_s
    speech_s = sum(end - start for start, end in inside)
    edges = [span.start_s, *(edge for stretch in inside for edge in stretch), span.end_s]
    silences = [after - before for before, after in zip(edges[0::2], edges[1::2], strict=True)]
    row: dict[str, object] = {
        **span.where(),
        "speech_s": _rounded(speech_s),
        "phonation_share": _rounded(min(speech_s / length_s, 1.0)),
        "longest_silence_s": _rounded(max(silences)),
    }
    if not inside:
        return {**row, "cause": NO_SPEECH}
    pauses = [silence for silence in silences[1:-1] if round(silence, _DECIMALS) >= min_pause_s]
    runs = _runs(inside, min_pause_s)
    speaking_s = inside[-1][1] - inside[0][0]
    under_way = any(start < span.start_s < end for start, end in speech)
    late = span.start_s - span.planned_start_s > min_pause_s
    return {
        **row,
        # Somebody may have spoken before the sound began; a sound track that starts a moment late hides no words. Speech that
        # is under way as the task begins answers nothing.
        "response_latency_s": None if under_way or late else _rounded(inside[0][0] - span.planned_start_s),
        "pauses": len(pauses),
        "pauses_per_min": _rounded(60 * len(pauses) / speaking_s),
        "pause_mean_s": _rounded(sum(pauses) / len(pauses)) if pauses else None,
        "pause_longest_s": _rounded(max(pauses)) if pauses else None,
        "runs": len(runs),
        "run_mean_s": _rounded(sum(runs) / len(runs)),
        "run_longest_s": _rounded(max(runs)),
    }


def _runs(stretches: Sequence[Stretch], min_pause_s: float) -> list[float]:
    """Lengths of the runs of speech that pauses part."""
    runs = [list(stretches[0])]
    for start, end in stretches[1:]:
        if round(start - runs[-1][1], _DECIMALS) >= min_pause_s:
            runs.append([start, end])
        else:
            runs[-1][1] = end
    return [end - start for start, end in runs]


def _rounded(value: float) -> float:
    return round(value, _DECIMALS)
