"""Single values are parsed tolerantly: an absent, null or unusable value is None."""

from datetime import UTC, date, datetime
from math import inf, nan

from hypothesis import given, strategies as st
import pytest

from custom_components.joulo.api.models import ChargerStatus
from custom_components.joulo.api.parsing import (
    UnknownValue,
    parse_bool,
    parse_datetime,
    parse_enum,
    parse_identifier,
    parse_integer,
    parse_month,
    parse_number,
    parse_text,
)
from tests.api import FROZEN_GARBAGE, TRIALS

CONTAINERS: list[object] = [[], {}, ["12"], {"value": 12}]
HALF_PAST_SIX = datetime(2026, 4, 8, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "parsed"),
    [(42.37, 42.37), (42, 42.0), (0, 0.0), (-1.5, -1.5), ("42.37", 42.37), (" 42 ", 42.0)],
)
def test_a_number_may_come_as_a_string(sent: object, parsed: float) -> None:
    assert parse_number(sent) == parsed


@pytest.mark.parametrize(
    "sent",
    [
        None,
        True,
        False,
        nan,
        inf,
        -inf,
        "NaN",
        "Infinity",
        "1e400",
        1.1e12,
        pytest.param(10**400, id="huge"),
        "",
        "12 kWh",
        "\ud800",
        *CONTAINERS,
    ],
)
def test_an_unusable_number_is_absent(sent: object) -> None:
    assert parse_number(sent) is None


@pytest.mark.parametrize(("sent", "parsed"), [(7, 7), (7.0, 7), ("7", 7), ("7.0", 7), (0, 0)])
def test_a_count_is_a_whole_number(sent: object, parsed: int) -> None:
    count = parse_integer(sent)
    assert count == parsed
    assert isinstance(count, int)


@pytest.mark.parametrize("sent", [None, 7.5, "7.5", True, nan, *CONTAINERS])
def test_a_count_that_is_not_whole_is_absent(sent: object) -> None:
    assert parse_integer(sent) is None


@pytest.mark.parametrize("sent", [True, False])
def test_a_boolean_is_kept(sent: object) -> None:
    assert parse_bool(sent) is sent


@pytest.mark.parametrize("sent", [None, 0, 1, "true", "false", "", *CONTAINERS])
def test_nothing_else_is_taken_for_a_boolean(sent: object) -> None:
    assert parse_bool(sent) is None


@pytest.mark.parametrize(
    ("sent", "parsed"),
    [
        ("Garage", "Garage"),
        ("  Garage\n", "Garage"),
        pytest.param("é" * 255, "é" * 255, id="255"),
    ],
)
def test_a_text_is_stripped(sent: object, parsed: str) -> None:
    assert parse_text(sent) == parsed


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        " \t",
        True,
        3.6,
        pytest.param("x" * 256, id="256"),
        36,
        *CONTAINERS,
    ],
)
def test_an_unusable_text_is_absent(sent: object) -> None:
    assert parse_text(sent) is None


@pytest.mark.parametrize(
    ("sent", "parsed"), [(" 36 ", "36"), (36, "36"), (36.0, "36"), ("a1", "a1")]
)
def test_an_id_may_also_come_as_a_whole_number(sent: object, parsed: str) -> None:
    assert parse_identifier(sent) == parsed


@pytest.mark.parametrize("sent", [None, True, 0, 3.6, "", pytest.param(10**5000, id="endless")])
def test_an_unusable_id_is_absent(sent: object) -> None:
    assert parse_identifier(sent) is None


def test_a_text_with_half_a_surrogate_pair_can_still_be_stored() -> None:
    text = parse_text("Garage \ud83d")
    assert text == "Garage ?"
    assert text.encode()


@pytest.mark.parametrize(
    "sent",
    [
        "2026-04-08T18:30:00Z",
        "2026-04-08T18:30:00+00:00",
        "2026-04-08T20:30:00+02:00",
        "2026-04-08T18:30:00",
        "2026-04-08 18:30:00Z",
        " 2026-04-08T18:30:00.000Z ",
    ],
)
def test_a_moment_is_in_utc_whatever_its_zone(sent: str) -> None:
    moment = parse_datetime(sent)
    assert moment == HALF_PAST_SIX
    assert moment.tzinfo is UTC


def test_a_moment_keeps_its_fraction() -> None:
    moment = parse_datetime("2026-04-08T18:30:00.123456+00:00")
    assert moment == HALF_PAST_SIX.replace(microsecond=123456)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "yesterday",
        "2026-13-45T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1999-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "\ud800",
        1775673000,
        True,
        nan,
        *CONTAINERS,
    ],
)
def test_an_unusable_moment_is_absent(sent: object) -> None:
    assert parse_datetime(sent) is None


@pytest.mark.parametrize("sent", ["2026-04", "2026-04-01", "2026-04-30", " 2026-04 ", "2026-4"])
def test_a_month_is_its_first_day_in_both_forms(sent: str) -> None:
    assert parse_month(sent) == date(2026, 4, 1)


@pytest.mark.parametrize(
    "sent",
    [None, "", "2026", "2026-13", "April", "1999-12", "2200-01", 202604, *CONTAINERS],
)
def test_an_unusable_month_is_absent(sent: object) -> None:
    assert parse_month(sent) is None


@given(st.text(alphabet="0123456789-W", max_size=10))
@TRIALS
@FROZEN_GARBAGE
def test_a_month_is_never_another_than_was_sent(sent: str) -> None:
    month = parse_month(sent)
    assert month is None or f"{month:%Y-%m}" == sent[:7]


@pytest.mark.parametrize("sent", ["charging", "Charging", " CHARGING "])
def test_a_listed_value_is_known_in_any_case(sent: str) -> None:
    assert parse_enum(ChargerStatus)(sent) is ChargerStatus.CHARGING


def test_an_unknown_value_is_kept_as_joulo_sent_it() -> None:
    value = parse_enum(ChargerStatus)("Suspended by EV")
    assert isinstance(value, UnknownValue)
    assert value == "Suspended by EV"


@pytest.mark.parametrize("sent", [None, "", True, 1.5, *CONTAINERS])
def test_an_unusable_value_of_an_enumeration_is_absent(sent: object) -> None:
    assert parse_enum(ChargerStatus)(sent) is None
