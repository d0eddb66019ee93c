"""What the history remembers of the charging sessions, and how it survives a restart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

from homeassistant.core import HomeAssistant
import pytest

from custom_components.joulo.api import Charger, ChargingSession, CurrentSession, Me
from custom_components.joulo.history import SessionHistory

START = datetime(2026, 6, 15, 8, 0, tzinfo=UTC)
NOW = START + timedelta(hours=1)
TERMS = Me(ere_price_mid=0.5, effective_fee_pct=20)


def charger(
    *, kwh: float | None = None, tag: str | None = None, session: str | None = None
) -> Charger:
    """Return a charger on which the given session runs, or none."""
    current = session and CurrentSession(id=session, started_at=START, kwh_so_far=kwh, id_tag=tag)
    return Charger(
        id="c", mid_certified=True, is_charging=bool(session), current_session=current or None
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


@pytest.fixture
def history(hass: HomeAssistant) -> SessionHistory:
    """Return an empty history."""
    return SessionHistory(hass, "entry")


def test_a_running_session_is_the_newest(history: SessionHistory) -> None:
    history.merge([completed("earlier")])
    history.observe(charger(session="s", kwh=1.5), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert (newest.id, newest.kwh) == ("s", 1.5)
    assert "c" in history.running


def test_a_session_that_has_just_ended_keeps_its_last_figure(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9), NOW)
    history.observe(charger(), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert newest.kwh == 9.9
    assert history.running == {}


def test_an_older_figure_of_the_same_session_does_not_win(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9), NOW)
    history.observe(charger(), NOW)
    history.merge([replace(completed(kwh=5), ended_at=None)])
    newest = history.newest("c")
    assert newest is not None
    assert newest.kwh == 9.9


def test_the_final_figure_wins(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9), NOW)
    history.observe(charger(), NOW)
    history.merge([completed(kwh=10.2)])
    newest = history.newest("c")
    assert newest is not None
    assert newest.kwh == 10.2


def test_charging_without_a_session_is_no_news(history: SessionHistory) -> None:
    history.observe(charger(session="s", kwh=9.9, tag="T"), NOW)
    history.observe(replace(charger(), is_charging=True), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert newest.id_tag == "T"
    assert "c" in history.running


def test_the_next_session_does_not_inherit_a_tag(history: SessionHistory) -> None:
    history.observe(charger(session="s", tag="T"), NOW)
    history.observe(charger(session="next"), NOW)
    newest = history.newest("c")
    assert newest is not None
    assert newest.id_tag is None


def test_a_tag_that_was_seen_live_stays_with_its_session(history: SessionHistory) -> None:
    history.observe(charger(session="s", tag="T"), NOW)
    history.merge([completed()])
    history.merge([completed(kwh=11)])
    assert history.sessions["s"].id_tag == "T"


def test_only_what_is_new_counts_as_a_change(history: SessionHistory) -> None:
    heard = Mock()
    history.async_listen(heard)
    history.merge([completed()])
    history.merge([completed()])
    assert heard.call_count == 1
    history.merge([completed(kwh=10.5)])
    assert heard.call_count == 2


def test_an_unknown_charger_has_no_sessions(history: SessionHistory) -> None:
    assert history.newest("c") is None
    assert history.last_completed("c") is None


def test_a_session_is_valued_once(history: SessionHistory) -> None:
    history.merge([completed()])
    history.appraise([charger()], None)
    assert history.values == {}, "no price yet"
    history.appraise([charger()], TERMS)
    history.appraise([charger()], Me(ere_price_mid=9, effective_fee_pct=0))
    assert history.values == {"s": pytest.approx(4 * 0.5 * 0.8)}


def test_a_running_session_has_no_value_yet(history: SessionHistory) -> None:
    history.merge([replace(completed(), ended_at=None)])
    history.appraise([charger()], TERMS)
    assert history.values == {}


async def test_a_restart_finds_everything_again(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any]
) -> None:
    history.merge([replace(completed("earlier"), started_at=START - timedelta(days=1))])
    history.appraise([charger()], TERMS)
    history.observe(charger(session="s2", kwh=3.3, tag="U"), NOW)
    history.observe(charger(), NOW)
    history.last_read = START
    await history.async_close()

    again = SessionHistory(hass, "entry")
    await again.async_load()
    assert again.sessions == history.sessions
    assert again.values == history.values
    assert again.last_read == START
    assert again.newest("c") == history.newest("c")
    assert again.running == {}, "only a fresh answer tells what runs"


async def test_nothing_is_written_after_closing(
    hass: HomeAssistant, history: SessionHistory, hass_storage: dict[str, Any]
) -> None:
    await history.async_close()
    written = hass_storage["joulo.entry.history"]["data"]
    history.merge([completed()])
    await hass.async_stop()
    assert hass_storage["joulo.entry.history"]["data"] == written
    assert written["completed"] == []
