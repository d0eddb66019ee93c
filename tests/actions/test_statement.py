"""The statement of `get_sessions`: a CSV file that a spreadsheet opens and does not run."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.actions.calls import (
    HOUR,
    Answer,
    booked,
    device_id,
    get,
)
from tests.conftest import NOW
from tests.simulator import (
    SimulatedAccount,
)


def parsed(answer: Answer, delimiter: str) -> list[list[str]]:
    """Return the lines of a statement."""
    return list(csv.reader(StringIO(answer["csv"], newline=""), delimiter=delimiter, strict=True))


HEADINGS = {
    "en": "Start,End,Duration (minutes),Charger,Vehicle,RFID tag,Energy (kWh),Cost (EUR),ERE credits,"
    "ERE value (EUR),Net cost (EUR),Session,Cost is estimated",
    "nl": "Begin;Einde;Duur (minuten);Laadpaal;Voertuig;RFID-tag;Energie (kWh);Kosten (EUR);ERE-credits;"
    "ERE-waarde (EUR);Nettokosten (EUR);Sessie;Kosten zijn geschat",
}


@pytest.mark.parametrize(
    ("language", "delimiter", "mark", "total"),
    [("en", ",", ".", "Total"), ("nl", ";", ",", "Totaal")],
)
@pytest.mark.long_account
async def test_a_statement_holds_the_books_in_the_users_language(
    hass: HomeAssistant,
    account: SimulatedAccount,
    known: MockConfigEntry,
    language: str,
    delimiter: str,
    mark: str,
    total: str,
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    hass.config.language = language

    def number(text: str) -> Decimal:
        whole, fraction = text.split(mark)
        return Decimal(f"{whole}.{fraction}")

    answer = await get(hass, format="csv", price_per_kwh=0.245)
    assert answer["csv"].splitlines()[0] == HEADINGS[language]
    _, *lines, last = parsed(answer, delimiter)
    for line, session in zip(lines, booked(account), strict=True):
        start, end, minutes, charger, vehicle, tag, energy, _, ere, _, _, session_id, estimated = (
            line
        )
        zone = dt_util.get_default_time_zone()
        assert datetime.fromisoformat(start).replace(tzinfo=zone).astimezone(UTC) in {
            session.started_at,
            session.started_at - HOUR,
        }, "of the two hours that share a name in October, the first"
        assert session.ends_at is not None
        assert end == f"{dt_util.as_local(session.ends_at):%Y-%m-%d %H:%M:%S}"
        lasted = (session.ends_at - session.started_at).total_seconds() / 60
        assert float(number(minutes)) == pytest.approx(lasted, abs=0.051)
        assert charger == account.charger(session.charger_id).nickname
        assert (vehicle, tag) == ("", session.tag or "")
        assert number(energy) == session.kwh_at(NOW)
        assert number(ere) == (session.ere_at(NOW) or 0)
        assert (session_id, estimated) == (session.id, "")
    assert last[:6] == [total, "", "", "", "", ""]
    assert number(last[6]) == Decimal(str(account.energy_total()))
    for column in (6, 7, 8, 9, 10):
        assert sum(number(line[column]) for line in lines) == number(last[column])


async def test_without_a_price_a_statement_has_no_costs(
    hass: HomeAssistant, known: MockConfigEntry
) -> None:
    _, *lines = parsed(await get(hass, format="csv"), ",")
    assert {(line[7], line[10], line[12]) for line in lines} == {("", "", "")}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),  # noqa: RUF001
        ("＋1", "'＋1"),  # noqa: RUF001
        ("－1", "'－1"),  # noqa: RUF001
        ("＠A1", "'＠A1"),  # noqa: RUF001
        ("\u200b=1+1", "\u200b'=1+1"),
        ("\ufeff\u2060=1+1", "\ufeff\u2060'=1+1"),
        ("\x00=1+1", "\x00'=1+1"),
        ("+31 6", "'+31 6"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "\t'=1+1"),
        ("\r=1+1", "\r'=1+1"),
        ("Garage;=1+1", "Garage;'=1+1"),
        ('Garage;"=1+1', "Garage;\"'=1+1"),
        ("Garage, @SUM(A1)", "Garage, '@SUM(A1)"),
        ('Garage, "links"; 1+1', 'Garage, "links"; 1+1'),
        ("Garage", "Garage"),
    ],
)
@pytest.mark.parametrize(("language", "delimiter"), [("en", ","), ("nl", ";")])
async def test_a_spreadsheet_runs_nothing(
    hass: HomeAssistant,
    known: MockConfigEntry,
    name: str,
    cell: str,
    language: str,
    delimiter: str,
) -> None:
    hass.config.language = language
    garage = device_id(hass, known)
    dr.async_get(hass).async_update_device(garage, name_by_user=name)
    answer = await get(hass, format="csv", device_id=garage)
    assert {row["charger_name"] for row in answer["sessions"]} == {name}
    _, *lines, _ = parsed(answer, delimiter)
    assert {line[3] for line in lines} == {cell}
