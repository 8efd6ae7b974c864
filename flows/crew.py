"""A run's worker processes, started ahead: they load their libraries while Prefect is imported and its server starts."""

from collections.abc import Iterator
from contextlib import contextmanager

from flows.cluster import workers_of
from flows.session import Crew, Session
from pipelines.confine import Limits
from pipelines.pool import Workers
from pipelines.selftest import check_engines

_VALIDATION_TIMEOUT_S = 3600.0


@contextmanager
def crew_of(session: Session) -> Iterator[Crew]:
    """The worker processes of a run, ended with the block; inside a block that has them already, those.

    What goes wrong while they load is told by the work that needs it, and not here.

    Args:
        session: the held study.
    """
    if session.crew is not None:
        yield session.crew
        return
    from expectations.engine import warm_up  # noqa: PLC0415 - a night with nothing new checks nothing

    study, params = session.night.study, session.night.params
    with (
        workers_of(study, params.study) as workers,
        Workers(1, Limits(_VALIDATION_TIMEOUT_S)) as validator,
    ):
        if session.discovery.candidates:
            workers.warm(check_engines, params.face)
        # Great Expectations takes seconds to import: that overlaps with the workers here.
        validator.warm(warm_up)
        session.crew = Crew(workers, validator)
        try:
            yield session.crew
        finally:
            session.crew = None


@contextmanager
def crew_ahead(session: Session) -> Iterator[None]:
    """The same before the flow begins; a cluster is joined by the flow itself, which tells what is wrong with it."""
    if session.night.params.study.runner != "process":
        yield
        return
    with crew_of(session):
        yield
