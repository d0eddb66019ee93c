"""What a page of charging sessions is read as: units, odd rows, and parts that are not there."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from datetime import UTC, datetime
import json
from math import isfinite
from random import Random
from typing import Any

import pytest

from custom_components.joulo.api import JouloResponseError
from custom_components.joulo.der_connect import CarSession
from custom_components.joulo.der_connect.documents import PageParser, parse_reason, parse_token
from tests.api import payload
from tests.nonsense import garbled, places

PAGE: dict[str, Any] = payload("der_connect_documented")
DOCUMENTED = CarSession(
    id="3c90c3cc-0d44-4b50-8888-8dd25736052a",
    created_at=datetime(2024, 6, 10, 1, 31, 56, tzinfo=UTC),
    started_at=datetime(2024, 6, 9, 14, 35, 21, 384000, tzinfo=UTC),
    ended_at=datetime(2024, 6, 9, 15, 15, 25, 685000, tzinfo=UTC),
    energy_kwh=49.245,
    average_power_kw=85.7777,
    soc_start=23,
    soc_end=90,
    range_start_km=104.3498,
    range_end_km=405.3132,
    label="Home",
)


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Start no Home Assistant."""


def parsed(change: Callable[[dict[str, Any]], Any]) -> CarSession:
    """Return the documented session after a change of its row."""
    page = deepcopy(PAGE)
    change(page["data"][0])
    (session,) = PageParser().parse_page(json.dumps(page).encode()).sessions
    return session


def test_the_documented_session_has_all_its_figures() -> None:
    page = PageParser().parse_page(json.dumps(PAGE).encode())
    assert page.sessions == (DOCUMENTED,)
    assert page.continuation_token == ""


CHARGE = ("data", "charge")
PARTS: dict[tuple[str, ...], dict[str, Any]] = {
    ("data", "charge", "total"): {"energy_kwh": None},
    ("data", "charge", "averagePower"): {"average_power_kw": None},
    ("data", "charge", "start"): {"soc_start": None},
    ("data", "charge", "end"): {"soc_end": None},
    ("data", "range", "start"): {"range_start_km": None},
    ("data", "range", "end"): {"range_end_km": None},
    ("data", "range"): {"range_start_km": None, "range_end_km": None},
    ("data", "locationMatches"): {"label": None},
    ("created",): {"created_at": None},
}


@pytest.mark.parametrize("path", PARTS, ids="/".join)
@pytest.mark.parametrize("value", [None, [], "", 7], ids=repr)
def test_a_part_that_is_not_there_costs_only_its_own_figure(
    path: tuple[str, ...], value: object
) -> None:
    def remove(row: dict[str, Any]) -> None:
        for key in path[:-1]:
            row = row[key]
        row[path[-1]] = value

    assert parsed(remove) == replace(DOCUMENTED, **PARTS[path])


def set_in(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    """Return a change of a part of the row."""

    def change(row: dict[str, Any]) -> None:
        for key in path[:-1]:
            row = row[key]
        row[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("total", "kwh"),
    [
        ({"total": 49245, "unit": "Wh"}, 49.245),
        ({"total": 0.049245, "unit": "MWh"}, 49.245),
        ({"total": "49.245", "unit": " kwh "}, 49.245),
        ({"t1": 40, "t3": 9.245, "unit": "kWh"}, 49.245),
        ({"total": None, "t1": 0, "unit": "kWh"}, 0),
        ({"total": 49.245, "unit": "BTU"}, None),
        ({"total": 49.245}, None),
        ({"total": -1, "unit": "kWh"}, None),
        ({"total": True, "unit": "kWh"}, None),
        ({"value": 49.245, "unit": "kWh"}, None),
    ],
)
def test_energy_is_read_in_its_unit(total: dict[str, Any], kwh: float | None) -> None:
    energy = parsed(set_in(*CHARGE, "total", to=total)).energy_kwh
    assert energy == (kwh if kwh is None else pytest.approx(kwh))


@pytest.mark.parametrize(
    ("power", "kw"), [({"value": 11000, "unit": "W"}, 11), ({"value": 11, "unit": "hp"}, None)]
)
def test_power_is_read_in_its_unit(power: dict[str, Any], kw: float | None) -> None:
    assert parsed(set_in(*CHARGE, "averagePower", to=power)).average_power_kw == kw


@pytest.mark.parametrize(
    ("reach", "km"),
    [
        ({"value": 100, "unit": "mi"}, 160.9344),
        ({"value": 104349.8, "unit": "m"}, 104.3498),
        ({"value": 100, "unit": "furlong"}, None),
    ],
)
def test_range_is_read_in_its_unit(reach: dict[str, Any], km: float | None) -> None:
    found = parsed(set_in("data", "range", "start", to=reach)).range_start_km
    assert found == (km if km is None else pytest.approx(km))


@pytest.mark.parametrize("soc", [-1, 100.1, 1e9])
def test_a_state_of_charge_beyond_empty_and_full_is_unknown(soc: float) -> None:
    assert parsed(set_in(*CHARGE, "end", to={"value": soc, "unit": "%"})).soc_end is None


def test_an_end_before_the_start_leaves_the_length_unknown() -> None:
    session = parsed(set_in("data", "end", to="2024-06-09T14:35:20Z"))
    assert session == replace(DOCUMENTED, ended_at=None)


def test_the_label_is_that_of_the_place_that_fits_most_accurately() -> None:
    matches = [
        {"accuracy": 0.5, "location": {"label": "Street"}},
        {"accuracy": 0.8, "location": {"label": "Work"}},
        {"accuracy": "nonsense", "location": {"label": "Nowhere"}},
        {"accuracy": 0.9, "location": {}},
        None,
    ]
    assert parsed(set_in("data", "locationMatches", to=matches)).label == "Work"


def test_an_exact_place_is_kept_nowhere() -> None:
    place = {"address": "Dam 1", "latitude": 52.373, "longitude": 4.893}
    assert parsed(set_in("data", "location", to=place)) == DOCUMENTED


@pytest.mark.parametrize("path", [("id",), ("data",), ("data", "start"), ("data", "end")])
def test_a_row_without_id_start_or_end_is_left_out_and_said_once(
    path: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    page = deepcopy(PAGE)
    broken = deepcopy(PAGE["data"][0])
    set_in(*path, to=None)(broken)
    page["data"] = [broken, *page["data"], broken, None]
    parser = PageParser()
    for _ in range(2):
        assert parser.parse_page(json.dumps(page).encode()).sessions == (DOCUMENTED,)
    assert caplog.text.count("is left out") == 1
    assert "3c90c3cc" not in caplog.text


def test_an_unknown_unit_is_said_once_without_id_or_place(caplog: pytest.LogCaptureFixture) -> None:
    page = deepcopy(PAGE)
    set_in(*CHARGE, "total", to={"total": 1, "unit": "BTU"})(page["data"][0])
    parser = PageParser()
    for _ in range(2):
        parser.parse_page(json.dumps(page).encode())
    assert caplog.text.count("'BTU'") == 1
    assert "Home" not in caplog.text


def test_a_page_on_which_no_row_can_be_read_has_its_ids_and_the_next_token() -> None:
    row = {"id": "one", "data": {"start": "2024-06-09T14:35:21Z", "end": None}}
    document = {"data": [row, {}], "meta": {"continuationToken": "next"}}
    page = PageParser().parse_page(json.dumps(document).encode())
    assert page == ((), frozenset({"one"}), "next")


def test_no_data_is_an_empty_page() -> None:
    assert PageParser().parse_page(b'{"data": null}').sessions == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": {}}', b"<html>"])
def test_another_document_is_no_page(body: bytes) -> None:
    with pytest.raises(JouloResponseError):
        PageParser().parse_page(body)


def test_of_two_records_of_a_session_the_one_calculated_later_counts() -> None:
    later = replace(DOCUMENTED, created_at=datetime(2024, 6, 11, tzinfo=UTC))
    unknown = replace(DOCUMENTED, created_at=None)
    assert later.later_of(DOCUMENTED) is later
    assert DOCUMENTED.later_of(later) is later
    assert unknown.later_of(DOCUMENTED) is DOCUMENTED
    assert unknown.later_of(replace(unknown, energy_kwh=1)) is unknown


def numbers_in(document: Any) -> list[float]:
    """Return what a document holds that can be read as numbers."""
    found = []
    for container, key in places([document]):
        value = container[key]
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                found.append(float(value))
            except ValueError, OverflowError:
                continue
    return found


FACTORS = (1.0, 1e-3, 1e3, 1.609344)


def test_ten_thousand_mutated_pages_raise_nothing_else_and_invent_no_number() -> None:
    chance = Random(20260612)
    parser = PageParser()
    for _ in range(10_000):
        document = garbled(deepcopy(PAGE), chance)
        try:
            page = parser.parse_page(json.dumps(document).encode(errors="replace"))
        except JouloResponseError:
            continue
        sent = [number * factor for number in numbers_in(document) for factor in FACTORS]
        for session in page.sessions:
            for value in asdict(session).values():
                if isinstance(value, float):
                    assert isfinite(value)
                    assert any(value == pytest.approx(number) for number in sent)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"detail": "Set the capacity first."}, "Set the capacity first."),
        ({"errors": [{"code": "X", "message": "Not <b>allowed</b>"}]}, "Not allowed"),
        ({"error": {"title": "No", "description": "Because"}}, "Because"),
        ({"error": "invalid"}, "invalid"),
        ({"errors": ["only words"]}, "only words"),
        ({"errors": 7, "error": []}, ""),
        (
            {"message": "Two errors", "errors": {"a": ["No."], "b": ["No, no."]}},
            "No. No, no. Two errors",
        ),
        ({"title": "Invalid", "errors": [{"name": "a", "reason": "No."}]}, "No. Invalid"),
        ({"error": "Bad Request", "message": "Set the capacity."}, "Bad Request Set the capacity."),
        ({"errors": ["No.", {"message": "No."}], "detail": "No."}, "No."),
        ({"errors": [[[[[["too deep"]]]]]]}, ""),
        ({"message": "x" * 300}, "x" * 200),
        ({"message": "\ud800"}, "?"),
    ],
)
def test_the_reason_of_a_refusal_is_found_in_every_shape(
    document: dict[str, Any], sentence: str
) -> None:
    assert parse_reason(json.dumps(document).encode()) == sentence


def test_a_reason_that_is_cut_ends_with_no_part_of_a_secret() -> None:
    body = json.dumps({"detail": "x" * 196 + " secret"}).encode()
    assert parse_reason(body, ["", "secret"]) == "x" * 196 + " ..."


def test_a_page_of_html_has_no_reason() -> None:
    assert parse_reason(b"<html>502</html>") == ""


@pytest.mark.parametrize(
    "document", [{}, {"access_token": ""}, {"access_token": 7}, {"access_token": "x" * 20_000}]
)
def test_an_answer_without_a_token_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(JouloResponseError):
        parse_token(json.dumps(document).encode())


def test_a_token_without_a_life_is_good_for_two_minutes() -> None:
    assert parse_token(b'{"access_token": "t"}').seconds == 120
