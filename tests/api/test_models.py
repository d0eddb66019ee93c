"""Joulo's documents become frozen models, in the documented and in the observed form."""

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime
from typing import Any

import pytest

from custom_components.joulo.api import (
    AccountProfile,
    Charger,
    ChargerStatus,
    ChargingSession,
    ConnectionType,
    CurrentSession,
    Energy,
    Month,
    SessionStatus,
)
from custom_components.joulo.api.parsing import UnknownValue
from tests.api import payload
from tests.simulator import GARAGE_ID, OPRIT_ID, SCHUUR_ID

RUNNING_ID = "f0e1d2c3-b4a5-6789-0abc-def123456789"
TAG = "DEADBEEF12345678"

BROKEN: list[object] = [None, True, 0, "", "none", [], ["one"], {}]


def chargers(name: str) -> list[Charger]:
    return [Charger.from_dict(row) for row in payload(name)["chargers"]]


def sessions(name: str) -> list[ChargingSession]:
    return [ChargingSession.from_dict(row) for row in payload(name)["sessions"]]


def a_charger(**changes: object) -> Charger:
    """Return the documented charger with changed fields."""
    row: dict[str, Any] = payload("chargers_documented")["chargers"][0]
    return Charger.from_dict(row | changes)


def a_session(**changes: object) -> ChargingSession:
    """Return the documented session with changed fields."""
    row: dict[str, Any] = payload("sessions_documented")["sessions"][0]
    return ChargingSession.from_dict(row | changes)


# Chargers


def test_the_documented_charger() -> None:
    assert chargers("chargers_documented") == [
        Charger(
            id=GARAGE_ID,
            nickname="Garage",
            connection_type=ConnectionType.EASEE,
            status=ChargerStatus.ONLINE,
            mid_certified=True,
            is_charging=True,
            current_session=CurrentSession(
                id=RUNNING_ID,
                started_at=datetime(2026, 4, 9, 8, 15, tzinfo=UTC),
                kwh_so_far=12.45,
            ),
            latest_meter_wh=5432100,
            meter_updated_at=datetime(2026, 4, 9, 10, 30, tzinfo=UTC),
        )
    ]


def test_chargers_in_the_wild() -> None:
    garage, oprit, schuur = chargers("chargers_in_the_wild")
    assert garage == Charger(
        id=GARAGE_ID,
        nickname="Garage",
        connection_type=ConnectionType.CLOUD_API,
        status=ChargerStatus.ACTIVE,
        mid_certified=True,
        is_charging=True,
        current_session=CurrentSession(
            id=RUNNING_ID,
            started_at=datetime(2026, 4, 9, 8, 15, 0, 123456, tzinfo=UTC),
            kwh_so_far=12.45,
            id_tag=TAG,
        ),
    )
    assert oprit == Charger(
        id=OPRIT_ID,
        nickname="Oprit",
        connection_type=ConnectionType.OCPP,
        status=ChargerStatus.UNAVAILABLE,
        mid_certified=False,
        is_charging=False,
        latest_meter_wh=1_250_000,
        meter_updated_at=datetime(2026, 4, 9, 10, 30, tzinfo=UTC),
    )
    assert schuur == Charger(
        id=SCHUUR_ID,
        nickname="Schuur",
        connection_type=ConnectionType.WALLBOX,
        status=ChargerStatus.UNKNOWN,
        is_charging=True,
        current_session=CurrentSession(
            id="0a1b2c3d-4e5f-4607-8899-aabbccddeeff",
            started_at=datetime(2026, 4, 9, 10, 0, tzinfo=UTC),
        ),
    )


def test_a_newly_registered_charger_is_one_without_its_password() -> None:
    row = payload("registered_charger_documented")
    charger = Charger.from_dict(row)
    assert charger == Charger(
        id=OPRIT_ID,
        nickname="Oprit",
        connection_type=ConnectionType.OCPP,
        status=ChargerStatus.OFFLINE,
    )
    assert row["ocpp"]["password"] not in repr(charger)


def test_a_charger_needs_nothing_but_its_id() -> None:
    assert Charger.from_dict({"id": GARAGE_ID}) == Charger(id=GARAGE_ID)


def test_null_is_the_same_as_absent() -> None:
    whole: dict[str, Any] = payload("chargers_documented")["chargers"][0]
    nothing = dict.fromkeys(whole, None) | {"id": GARAGE_ID}
    assert Charger.from_dict(nothing) == Charger(id=GARAGE_ID)


@pytest.mark.parametrize("broken", [None, True, "", 1.5, [], {}])
def test_a_charger_without_an_id_is_an_error(broken: object) -> None:
    with pytest.raises((ValueError, LookupError)):
        a_charger(id=broken)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_current_session_that_cannot_be_parsed_is_absent(broken: object) -> None:
    charger = a_charger(current_session=broken)
    assert charger.current_session is None
    assert charger.is_charging is True


@pytest.mark.parametrize("lacking", ["id", "started_at"])
def test_a_current_session_needs_an_id_and_a_start(lacking: str) -> None:
    whole: dict[str, Any] = payload("chargers_documented")["chargers"][0]["current_session"]
    assert a_charger(current_session=whole | {lacking: None}).current_session is None
    del whole[lacking]
    assert a_charger(current_session=whole).current_session is None


@pytest.mark.parametrize("status", ChargerStatus)
def test_every_status_that_was_seen_is_known(status: ChargerStatus) -> None:
    assert a_charger(status=status.value).status is status


@pytest.mark.parametrize("connection_type", ConnectionType)
def test_every_connection_type_is_known(connection_type: ConnectionType) -> None:
    assert a_charger(connection_type=connection_type.value).connection_type is connection_type


def test_unknown_values_are_kept_apart_and_stop_nothing() -> None:
    charger = a_charger(status="Preparing", connection_type="tesla")
    assert (charger.status, charger.connection_type) == ("Preparing", "tesla")
    assert isinstance(charger.status, UnknownValue)
    assert isinstance(charger.connection_type, UnknownValue)
    assert charger.nickname == "Garage"


@pytest.mark.parametrize("broken", [None, True, [], {}, float("nan"), float("inf"), "1e999"])
def test_a_meter_reading_that_is_not_a_number_is_absent(broken: object) -> None:
    charger = a_charger(latest_meter_wh=broken)
    assert charger.latest_meter_wh is None
    assert charger.meter_updated_at is not None


# Sessions


def test_the_documented_session() -> None:
    assert sessions("sessions_documented") == [
        ChargingSession(
            id="c3d4e5f6-a7b8-9012-cdef-123456789012",
            charger_id=GARAGE_ID,
            charger_nickname="Garage",
            started_at=datetime(2026, 4, 8, 18, 30, tzinfo=UTC),
            ended_at=datetime(2026, 4, 9, 6, 45, tzinfo=UTC),
            kwh=42.37,
            ere_credits=14.10,
            status=SessionStatus.COMPLETED,
        )
    ]


def test_sessions_in_the_wild() -> None:
    running, stopped, empty = sessions("sessions_in_the_wild")
    assert running == ChargingSession(
        id=RUNNING_ID,
        charger_id=GARAGE_ID,
        charger_nickname="Garage",
        started_at=datetime(2026, 4, 9, 8, 15, 0, 123456, tzinfo=UTC),
        kwh=12.45,
        ere_credits=4.14,
        status=SessionStatus.CHARGING,
        id_tag=TAG,
        counts_for_ere=True,
    )
    assert stopped == ChargingSession(
        id="c3d4e5f6-a7b8-9012-cdef-123456789012",
        charger_id=OPRIT_ID,
        charger_nickname="Oprit",
        started_at=datetime(2026, 4, 8, 18, 30, tzinfo=UTC),
        ended_at=datetime(2026, 4, 9, 6, 45, tzinfo=UTC),
        kwh=42.37,
        ere_credits=14.10,
        status=SessionStatus.STOPPED,
        counts_for_ere=False,
    )
    assert (empty.kwh, empty.ere_credits, empty.id_tag) == (0, None, None)


@pytest.mark.parametrize("lacking", ["id", "charger_id", "started_at"])
def test_a_session_needs_its_id_its_charger_and_its_start(lacking: str) -> None:
    with pytest.raises(ValueError, match=f"no {lacking}"):
        a_session(**{lacking: None})


@pytest.mark.parametrize("status", SessionStatus)
def test_every_session_status_is_known(status: SessionStatus) -> None:
    assert a_session(status=status.value).status is status


def test_missing_energy_is_not_zero() -> None:
    session = a_session(kwh=None, ere_credits=None)
    assert (session.kwh, session.ere_credits) == (None, None)


# Energy


def test_the_documented_energy() -> None:
    assert Energy.from_dict(payload("energy_documented")) == Energy(
        total_kwh=482.15,
        total_ere_credits=160.41,
        total_sessions=17,
        months=(
            Month(month=date(2026, 4, 1), kwh=212.40, ere_credits=70.66, sessions=7),
            Month(month=date(2026, 3, 1), kwh=269.75, ere_credits=89.75, sessions=10),
        ),
    )


def test_energy_in_the_wild_is_the_same_and_the_sum_of_every_charger() -> None:
    documented = Energy.from_dict(payload("energy_documented"))
    energy = Energy.from_dict(payload("energy_in_the_wild"))
    assert energy.total_kwh == documented.total_kwh
    assert energy.total_kwh_all == 530.15
    assert energy.total_ere_credits == documented.total_ere_credits
    assert energy.total_sessions == documented.total_sessions
    assert set(energy.months) == set(documented.months)


def test_the_first_of_equal_months_wins() -> None:
    months = [{"month": "2026-04", "kwh": 1}, {"month": "2026-04-01", "kwh": 2}]
    energy = Energy.from_dict({"months": months})
    assert energy.months == (Month(month=date(2026, 4, 1), kwh=1),)


@pytest.mark.parametrize("broken", [*BROKEN, {"month": None}, {"kwh": 1}])
def test_a_month_that_cannot_be_parsed_is_left_out_and_the_others_remain(broken: object) -> None:
    energy = Energy.from_dict({"months": [broken, {"month": "2026-04"}]})
    assert energy.months == (Month(month=date(2026, 4, 1)),)


@pytest.mark.parametrize("broken", [None, True, 0, "none", {}, {"2026-04": 1}])
def test_months_that_are_not_a_list_are_empty(broken: object) -> None:
    assert Energy.from_dict({"total_kwh": 1, "months": broken}) == Energy(total_kwh=1)


# Account profile


def test_the_documented_account_profile() -> None:
    assert AccountProfile.from_dict(payload("me_documented")) == AccountProfile(
        ere_price_mid=0.495, effective_fee_pct=20
    )


def test_an_account_profile_in_the_wild() -> None:
    assert AccountProfile.from_dict(payload("me_in_the_wild")) == AccountProfile(
        id="e5f6a7b8-c9d0-4123-8ef0-23456789abcd", ere_price_mid=0.495, effective_fee_pct=20
    )


@pytest.mark.parametrize("price", [0, -0.5, "0"])
def test_a_price_of_nothing_is_no_price(price: object) -> None:
    assert AccountProfile.from_dict({"ere_price_mid": price}).ere_price_mid is None


@pytest.mark.parametrize(("fee", "read"), [(0, 0), (100, 100), (-1, None), (100.5, None)])
def test_a_fee_is_a_part_of_the_whole(fee: float, read: float | None) -> None:
    assert AccountProfile.from_dict({"effective_fee_pct": fee}).effective_fee_pct == read


def test_a_meter_shows_no_negative_reading() -> None:
    assert Charger.from_dict({"id": "c", "latest_meter_wh": -5}).latest_meter_wh is None


def test_an_id_takes_precedence_over_a_user_id() -> None:
    assert AccountProfile.from_dict({"id": "one", "user_id": "two"}).id == "one"
    assert AccountProfile.from_dict({"id": None, "user_id": "two"}).id == "two"


def test_an_account_may_have_a_number_for_an_id() -> None:
    assert AccountProfile.from_dict({"id": 36}) == AccountProfile.from_dict({"id": "36"})


# All models


def test_models_are_frozen() -> None:
    charger = a_charger()
    with pytest.raises(FrozenInstanceError):
        charger.nickname = "Oprit"  # type: ignore[misc]
    assert charger == a_charger()
    assert len({charger, a_charger()}) == 1
