"""A Joulo account: its chargers, its charging sessions, its settings, and its books."""

from collections.abc import Iterator
from dataclasses import dataclass, field
import datetime as dt
from decimal import Decimal
from enum import StrEnum
import secrets

from .charging import SimulatedCharger, SimulatedSession, new_id
from .clock import Clock, system_clock
from .figures import hundredths, total

DEMO_TOKEN = "joulo_demo0000000000000000000000000000"


class Availability(StrEnum):
    """Whether the service answers an endpoint that it may also not have."""

    PRESENT = "present"
    MISSING = "missing"
    FORBIDDEN = "forbidden"


class Reboot(StrEnum):
    """What a reboot of an online charger that has cooled down comes to."""

    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"


@dataclass(slots=True)
class Dialect:
    """How the service words what its documents leave open or say differently from practice."""

    idle_session_is_null: bool = False  # `current_session` of an idle charger: null, else absent
    month_with_day: bool = False  # `2026-04-01` instead of `2026-04`
    all_charger_fields: bool = True  # `total_kwh_all` and its like beside MID-only plain fields
    session_extras: bool = True  # `id_tag` and `counts_for_ere` in the list of sessions


@dataclass(slots=True, kw_only=True)
class SimulatedAccount:
    """An account in a world whose time `clock` tells; a new one has no chargers.

    Sessions of a charger that was removed stay in the list and in the totals.
    """

    token: str = DEMO_TOKEN
    clock: Clock = system_clock
    id: str = field(default_factory=new_id)
    dialect: Dialect = field(default_factory=Dialect)
    ere_price_mid: float = 0.495
    effective_fee_pct: float = 20
    ere_position: Availability = Availability.PRESENT
    reboot_outcome: Reboot = Reboot.CONFIRMED
    _chargers: dict[str, SimulatedCharger] = field(default_factory=dict, init=False)
    _sessions: dict[str, SimulatedSession] = field(default_factory=dict, init=False)

    # Chargers

    @property
    def chargers(self) -> list[SimulatedCharger]:
        """The linked chargers, in the order in which they were added."""
        return [charger for charger in self._chargers.values() if charger.linked]

    def charger(self, charger_id: str) -> SimulatedCharger:
        """Return a charger, also one that was removed; KeyError for one that never was."""
        return self._chargers[charger_id]

    def add_charger(self, charger: SimulatedCharger) -> SimulatedCharger:
        """Link a charger, or link a removed one again."""
        charger.linked = True
        self._chargers[charger.id] = charger
        return charger

    def remove_charger(self, charger_id: str) -> SimulatedCharger:
        """Unlink a charger and return it."""
        charger = self.charger(charger_id)
        charger.linked = False
        return charger

    def rename_charger(self, charger_id: str, nickname: str) -> None:
        """Give a charger another nickname, in its past sessions too."""
        self.charger(charger_id).nickname = nickname

    def empty(self) -> None:
        """Unlink every charger."""
        for charger in self.chargers:
            charger.linked = False

    def meter_wh(self, charger: SimulatedCharger, at: dt.datetime) -> int | None:
        """Return the meter reading in Wh at a moment; None for a charger without a meter."""
        if charger.meter_start_wh is None:
            return None
        charged = total(
            session.kwh_at(at)
            for session in self._sessions.values()
            if session.charger_id == charger.id
        )
        return charger.meter_start_wh + _wh(charged)

    # Sessions

    @property
    def sessions(self) -> list[SimulatedSession]:
        """Every session that has started, newest first."""
        now = self.clock()
        started = (s for s in self._sessions.values() if s.has_started(now))
        return sorted(started, key=_by_start, reverse=True)

    def session(self, session_id: str) -> SimulatedSession:
        """Return a session, planned ones included; KeyError for an unknown id."""
        return self._sessions[session_id]

    def sessions_of(self, charger_id: str) -> list[SimulatedSession]:
        """Return the sessions of one charger that have started, newest first."""
        return [session for session in self.sessions if session.charger_id == charger_id]

    def running_session(self, charger_id: str) -> SimulatedSession | None:
        """Return the session in progress on a charger, the newest if there are several."""
        now = self.clock()
        running = (
            session
            for session in self._sessions.values()
            if session.charger_id == charger_id and session.is_running(now)
        )
        return max(running, key=_by_start, default=None)

    def start_session(
        self,
        charger_id: str,
        *,
        power_kw: float = 11.0,
        tag: str | None = None,
        at: dt.datetime | None = None,
    ) -> SimulatedSession:
        """Start a session now, or some time ago; ValueError while the charger is taken."""
        start = self.clock() if at is None else at
        return self._book(
            SimulatedSession(charger_id=charger_id, started_at=start, power_kw=power_kw, tag=tag)
        )

    def plan_session(
        self,
        charger_id: str,
        start: dt.datetime,
        end: dt.datetime,
        power_kw: float = 11.0,
        tag: str | None = None,
    ) -> SimulatedSession:
        """Plan a session that starts, grows and ends by itself; ValueError if it overlaps."""
        return self._book(
            SimulatedSession(
                charger_id=charger_id, started_at=start, ends_at=end, power_kw=power_kw, tag=tag
            )
        )

    def end_session(
        self, session_id_or_charger: str, at: dt.datetime | None = None
    ) -> SimulatedSession:
        """End a session, or the one that runs on a charger; ValueError if none is running."""
        session = self._sessions.get(session_id_or_charger) or self.running_session(
            session_id_or_charger
        )
        end = self.clock() if at is None else at
        if session is None or not session.is_running(self.clock()) or end < session.started_at:
            raise ValueError(f"No session of {session_id_or_charger} is running at {end}")
        session.end(end)
        return session

    def record_session(self, session: SimulatedSession) -> SimulatedSession:
        """Enter a session as it is, without the check that it overlaps no other."""
        self._sessions[session.id] = session
        return session

    def correct_session(
        self,
        session_id: str,
        *,
        kwh: float | None = None,
        ended_at: dt.datetime | None = None,
    ) -> SimulatedSession:
        """Revise a completed session; ValueError for another. A charger's meter keeps its reading.

        The energy stays what it was unless `kwh` is given.
        """
        session = self.session(session_id)
        now = self.clock()
        if not session.has_ended(now):
            raise ValueError(f"Session {session_id} is not completed")
        before = session.kwh_at(now)
        session.final_kwh = before if kwh is None else hundredths(kwh)
        if ended_at is not None:
            session.end(ended_at)
        self._keep_meter(session.charger_id, before - session.final_kwh)
        return session

    def remove_session(self, session_id: str) -> SimulatedSession:
        """Take a session out of the records and return it; the meter keeps its reading."""
        session = self._sessions.pop(session_id)
        self._keep_meter(session.charger_id, session.kwh_at(self.clock()))
        return session

    def put_back_session(self, session: SimulatedSession) -> None:
        """Enter a removed session again; the meter keeps its reading."""
        self._keep_meter(session.charger_id, -session.kwh_at(self.clock()))
        self.record_session(session)

    def move_session(self, session_id: str, charger_id: str) -> None:
        """Give a session to another charger; the meters keep their readings."""
        session = self.remove_session(session_id)
        session.charger_id = charger_id
        self.put_back_session(session)

    # The books, which tests compare with. They hold completed sessions only.

    def completed(
        self, charger_id: str | None = None, *, mid_only: bool = False
    ) -> Iterator[SimulatedSession]:
        """Yield the completed sessions, newest first, of one charger or of all."""
        now = self.clock()
        for session in self.sessions:
            if (
                session.has_ended(now)
                and charger_id in (None, session.charger_id)
                and (not mid_only or self.charger(session.charger_id).mid_certified)
            ):
                yield session

    def energy_total(self, charger_id: str | None = None, *, mid_only: bool = False) -> float:
        """Return the energy of the completed sessions in kWh."""
        now = self.clock()
        return float(total(s.kwh_at(now) for s in self.completed(charger_id, mid_only=mid_only)))

    def ere_total(self, charger_id: str | None = None, *, mid_only: bool = False) -> float:
        """Return the ERE credits of the completed sessions."""
        now = self.clock()
        return float(total(s.ere_at(now) for s in self.completed(charger_id, mid_only=mid_only)))

    def session_total(self, charger_id: str | None = None, *, mid_only: bool = False) -> int:
        """Return the number of completed sessions."""
        return sum(1 for _ in self.completed(charger_id, mid_only=mid_only))

    # The token

    def rotate_token(self) -> str:
        """Replace the token and return the new one; the old one is dead at once."""
        self.token = f"joulo_{secrets.token_hex(16)}"
        return self.token

    def _book(self, session: SimulatedSession) -> SimulatedSession:
        self.charger(session.charger_id)
        if any(session.overlaps(other) for other in self._sessions.values()):
            raise ValueError(f"Charger {session.charger_id} is taken from {session.started_at}")
        return self.record_session(session)

    def _keep_meter(self, charger_id: str, taken: Decimal) -> None:
        charger = self.charger(charger_id)
        if charger.meter_start_wh is not None:
            charger.meter_start_wh += _wh(taken)


def _by_start(session: SimulatedSession) -> tuple[dt.datetime, str]:
    return session.started_at, session.id


def _wh(kwh: Decimal) -> int:
    return int(kwh * 1000)
