"""Tests of the pure core. They share a history that is changed by transitions, and sessions to put in it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Concatenate

from custom_components.joulo.api import AccountProfile, Charger, ChargingSession, CurrentSession
from custom_components.joulo.sessions import queries, transitions
from custom_components.joulo.sessions.model import Change, HistoryState, SessionRecord
from custom_components.joulo.sessions.transitions import CompleteRead, Transition

START = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
NOW = START + timedelta(hours=1)
LATER = START + timedelta(days=100)
READ_AGAIN = timedelta(seconds=601)
"""Time after which a second read confirms what the first one missed."""
PROFILE = AccountProfile(ere_price_mid=0.5, effective_fee_pct=20)
VALUE = 4 * 0.5 * 0.8
"""EUR of a session of `completed` by `PROFILE`."""


def charger(
    *,
    session: str | None = None,
    kwh: float | None = None,
    tag: str | None = None,
    charger_id: str = "c",
    started_at: datetime = START,
    mid_certified: bool | None = True,
) -> Charger:
    """Return a charger on which the given session is active, or none."""
    current = (
        CurrentSession(id=session, started_at=started_at, kwh_so_far=kwh, id_tag=tag)
        if session
        else None
    )
    return Charger(
        id=charger_id,
        mid_certified=mid_certified,
        is_charging=current is not None,
        current_session=current,
    )


def completed(session: str = "s", *, kwh: float = 10, tag: str | None = None) -> ChargingSession:
    """Return a session that has ended after an hour."""
    return ChargingSession(
        id=session,
        charger_id="c",
        started_at=START,
        ended_at=START + timedelta(hours=1),
        kwh=kwh,
        ere_credits=4,
        id_tag=tag,
    )


def opened(session: str = "s", started_at: datetime = START) -> ChargingSession:
    """Return a session whose end Joulo has not sent."""
    return replace(completed(session), started_at=started_at, ended_at=None)


@dataclass
class History:
    """The state of a history, and what the last transition has changed in it."""

    state: HistoryState = field(default_factory=HistoryState)
    change: Change = Change.NONE

    def update[**P](
        self,
        transition: Callable[Concatenate[HistoryState, P], Transition],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Change:
        """Apply a transition, as the shell does."""
        self.state, self.change = transition(self.state, *args, **kwargs)
        return self.change

    def report(self, *chargers: Charger, at: datetime = NOW) -> Change:
        """Take over what `/chargers` shows; without chargers, one that is idle."""
        return self.update(transitions.apply_report, chargers or (charger(),), at)

    def list(self, *sessions: ChargingSession) -> Change:
        """Take over what `/sessions` lists."""
        return self.update(transitions.upsert_listed, sessions)

    def read(
        self,
        *seen: str,
        at: datetime = NOW,
        since: datetime | None = None,
        charger_ids: Collection[str] = ("c",),
    ) -> Change:
        """Conclude a complete read that listed the given sessions."""
        complete = CompleteRead(seen=seen, since=since, until=at, charger_ids=charger_ids)
        return self.update(transitions.remove_missing, complete, at)

    @property
    def records(self) -> dict[str, SessionRecord]:
        """The records of all chargers by session id."""
        return {
            session_id: record
            for history in self.state.chargers.values()
            for session_id, record in history.records.items()
        }

    @property
    def values(self) -> dict[str, float]:
        """The EUR of all sessions that have been valued."""
        return {key: each.value for key, each in self.records.items() if each.value is not None}

    @property
    def active(self) -> dict[str, str]:
        """The id of the active session by charger."""
        return {key: each.active for key, each in self.state.chargers.items() if each.active}

    def newest(self, charger_id: str = "c", now: datetime = LATER) -> ChargingSession:
        """Return the newest session of a charger, which has one, at a moment after all others."""
        newest = queries.newest(self.state, charger_id, now)
        assert newest is not None
        return newest
