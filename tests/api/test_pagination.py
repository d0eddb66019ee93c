"""A range of sessions is read page by page, by keyset: none is skipped, none is returned twice."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import (
    Cursor,
    JouloClient,
    JouloResponseError,
    JouloServerError,
    JouloTooEarlyError,
    SessionPaginator,
)
from tests.simulator import GARAGE_ID, Fault, SimulatedAccount, SimulatedCloud, SimulatedSession

from . import client_of, client_of_server, client_receiving, error_of

pytestmark = pytest.mark.usefixtures("socket_enabled")

NIGHT = datetime(2026, 3, 1, 22, tzinfo=UTC)
MAX_PAGES = 12
"""More pages than any range here has. A paginator that exceeds them never ends."""

type Row = dict[str, Any]


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with client_of(url) as client:
        yield client


async def fetch_all(
    paginator: SessionPaginator,
    freezer: FrozenDateTimeFactory,
    between: Callable[[], object] = lambda: None,
) -> list[str]:
    """Fetch all pages and return the ids in their order. `between` is called after each page."""
    ids: list[str] = []
    for _ in range(MAX_PAGES):
        ids += [session.id for session in await paginator.fetch_page()]
        if paginator.complete:
            return ids
        between()
        freezer.tick(5)
    pytest.fail("The paginator never ends")


def recorded(account: SimulatedAccount) -> list[str]:
    """Return the ids of an account's sessions, newest first."""
    return [session.id for session in account.sessions]


def record(account: SimulatedAccount, start: datetime) -> SimulatedSession:
    """Record a session of half an hour."""
    end = start + timedelta(minutes=30)
    return account.record_session(
        SimulatedSession(charger_id=GARAGE_ID, started_at=start, ends_at=end)
    )


# An account with two years of sessions


async def test_pages_are_joined_without_gaps_or_doubles(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    assert len(account.sessions) > 300
    assert await fetch_all(SessionPaginator(client), freezer) == recorded(account)
    assert cloud.refused() == []


async def test_a_range_ends_with_its_first_session(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    first = account.sessions[249]
    ids = await fetch_all(SessionPaginator(client, since=first.started_at), freezer)
    assert ids == recorded(account)[:250]


async def test_a_range_without_sessions_is_complete_at_once(client: JouloClient) -> None:
    paginator = SessionPaginator(client, since=datetime(2026, 6, 15, tzinfo=UTC))
    assert await paginator.fetch_page() == ()
    assert paginator.complete


async def test_exactly_one_page_is_read_without_doubles(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    since = account.sessions[99].started_at
    ids = await fetch_all(SessionPaginator(client, since=since), freezer)
    assert ids == recorded(account)[:100]


async def test_a_session_removed_between_two_pages_hides_no_other(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    before = recorded(account)
    ids = await fetch_all(
        SessionPaginator(client), freezer, lambda: account.remove_session(account.sessions[0].id)
    )
    assert ids == before


async def test_a_session_removed_before_its_page_is_not_read(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    paginator = SessionPaginator(client)
    ids = [session.id for session in await paginator.fetch_page()]
    account.remove_session(account.sessions[150].id)
    assert ids + await fetch_all(paginator, freezer) == recorded(account)


async def test_a_session_added_between_two_pages_doubles_no_other(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    before = recorded(account)
    ids = await fetch_all(
        SessionPaginator(client),
        freezer,
        lambda: record(account, account.sessions[0].started_at + timedelta(hours=1)),
    )
    assert ids == before


async def test_a_session_added_ahead_of_the_cursor_is_read_too(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    paginator = SessionPaginator(client)
    ids = [session.id for session in await paginator.fetch_page()]
    record(account, account.sessions[99].started_at)
    record(account, account.sessions[200].started_at)
    ids += await fetch_all(paginator, freezer)
    assert sorted(ids) == sorted(recorded(account))


@pytest.mark.parametrize("many", [99, 100, 101, 200, 250])
async def test_more_sessions_at_one_moment_than_fit_on_a_page_are_all_read(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory, many: int
) -> None:
    for _ in range(many):
        record(account, NIGHT)
    assert await fetch_all(SessionPaginator(client), freezer) == recorded(account)


async def test_a_range_of_one_crowded_moment_is_read_to_its_end(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    crowd = {record(account, NIGHT).id for _ in range(200)}
    paginator = SessionPaginator(client, since=NIGHT, until=Cursor(NIGHT, "2026-03-01T22:00:00Z"))
    ids = await fetch_all(paginator, freezer)
    assert len(ids) == 200
    assert set(ids) == crowd


# Interruptions


async def test_another_paginator_continues_at_the_cursor(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    paginator = SessionPaginator(client)
    ids = [session.id for _ in range(2) for session in await paginator.fetch_page()]
    freezer.tick(5)
    rest = await fetch_all(SessionPaginator(client, until=paginator.until), freezer)
    assert list(dict.fromkeys(ids + rest)) == recorded(account)


async def test_an_error_does_not_move_the_cursor(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    paginator = SessionPaginator(client)
    ids = [session.id for session in await paginator.fetch_page()]
    cloud.fail("/sessions", Fault.SERVER_ERROR, times=1)
    assert isinstance(await error_of(paginator.fetch_page()), JouloServerError)
    freezer.tick(5)
    assert ids + await fetch_all(paginator, freezer) == recorded(account)


async def test_too_early_the_cursor_does_not_move(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    paginator = SessionPaginator(client)
    ids = [session.id for _ in range(2) for session in await paginator.fetch_page()]
    assert isinstance(await error_of(paginator.fetch_page()), JouloTooEarlyError)
    assert cloud.count("/sessions") == 2
    freezer.tick(5)
    assert ids + await fetch_all(paginator, freezer) == recorded(account)


# Other servers


def rows(count: int) -> list[Row]:
    """Return sessions an hour apart, newest first."""
    return [
        {
            "id": str(number),
            "charger_id": GARAGE_ID,
            "started_at": (NIGHT - timedelta(hours=number)).strftime(
                "%Y-%m-%dT%H:%M:%S.123456+00:00"
            ),
        }
        for number in range(count)
    ]


class Listing:
    """A server of sessions that heeds only some query parameters."""

    def __init__(
        self,
        listed: list[Row],
        *,
        heeds: str,
        limit: object = 100,
        most: int = 100,
        default_limit: int = 20,
    ) -> None:
        self.queries: list[dict[str, str]] = []
        self._rows = listed
        self._heeds = heeds.split()
        self._limit = limit
        self._most = most
        self._default_limit = default_limit

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Respond to `/sessions`. Its texts of moments sort as the moments do."""
        self.queries.append(dict(request.query))
        query = {name: value for name, value in request.query.items() if name in self._heeds}
        found = [row for row in self._rows if row["started_at"] <= query.get("to", "9")]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", self._default_limit))
        page = found[offset : offset + min(limit, self._most)]
        return web.json_response({"sessions": page, "limit": self._limit, "offset": offset})


async def test_the_next_page_ends_exactly_as_joulo_wrote_it(
    freezer: FrozenDateTimeFactory,
) -> None:
    listing = Listing(rows(150), heeds="limit offset to")
    async with client_of_server(listing) as client:
        assert len(await fetch_all(SessionPaginator(client), freezer)) == 150
    assert listing.queries == [
        {"limit": "100"},
        {"limit": "100", "to": "2026-02-25T19:00:00.123456+00:00"},
        {"limit": "100", "to": "2026-02-23T17:00:00.123456+00:00"},
    ]


async def test_smaller_pages_than_requested_are_joined_too(
    freezer: FrozenDateTimeFactory,
) -> None:
    async with client_of_server(Listing(rows(150), heeds="offset to", limit=20)) as client:
        assert len(await fetch_all(SessionPaginator(client), freezer)) == 150


async def test_of_a_page_of_any_length_a_thousand_sessions_are_read_and_the_rest_afterwards(
    freezer: FrozenDateTimeFactory,
) -> None:
    """More would keep Home Assistant busy for too long at once."""
    listing = Listing(rows(2500), heeds="offset to", most=9999, default_limit=9999)
    async with client_of_server(listing) as client:
        paginator = SessionPaginator(client)
        assert len(await paginator.fetch_page()) == 1000
        freezer.tick(5)
        assert len(await fetch_all(paginator, freezer)) == 1500


async def test_a_crowded_moment_is_read_in_smaller_pages_too(
    freezer: FrozenDateTimeFactory,
) -> None:
    listed = [row | {"started_at": "2026-03-01T22:00:00Z"} for row in rows(70)]
    async with client_of_server(Listing(listed, heeds="offset to", limit=20)) as client:
        assert len(await fetch_all(SessionPaginator(client), freezer)) == 70


async def test_a_broken_session_at_the_end_of_a_page_hides_no_other(
    freezer: FrozenDateTimeFactory,
) -> None:
    listed = rows(150)
    listed[99] |= {"id": None}
    listed[100] |= {"started_at": "2026-02-25T18:00:00.123456+00:00", "charger_id": None}
    async with client_of_server(Listing(listed, heeds="limit offset to")) as client:
        assert len(await fetch_all(SessionPaginator(client), freezer)) == 148


async def test_a_page_of_broken_sessions_is_not_the_end(freezer: FrozenDateTimeFactory) -> None:
    listed = rows(350)
    for row in listed[100:200]:
        row["charger_id"] = None
    async with client_of_server(Listing(listed, heeds="limit offset to")) as client:
        paginator = SessionPaginator(client)
        assert len(await fetch_all(paginator, freezer)) == 250
    assert paginator.seen == {row["id"] for row in listed}, (
        "a broken session is listed all the same"
    )


async def test_a_session_that_only_one_page_has_broken_is_read(
    freezer: FrozenDateTimeFactory,
) -> None:
    listed = rows(150)
    sound, listed[99] = listed[99], listed[99] | {"charger_id": None}
    async with client_of_server(Listing(listed, heeds="limit offset to")) as client:
        paginator = SessionPaginator(client)
        ids = [session.id for session in await paginator.fetch_page()]
        listed[99] = sound
        freezer.tick(5)
        assert len(ids + await fetch_all(paginator, freezer)) == 150


async def test_a_server_that_ignores_range_and_offset_is_not_read_without_end(
    freezer: FrozenDateTimeFactory,
) -> None:
    async with client_of_server(Listing(rows(350), heeds="limit")) as client:
        with pytest.raises(JouloResponseError, match="repeat"):
            await fetch_all(SessionPaginator(client), freezer)


async def test_a_server_that_ignores_the_cursor_is_read_by_offset_and_proves_nothing(
    freezer: FrozenDateTimeFactory,
) -> None:
    async with client_of_server(Listing(rows(350), heeds="limit offset")) as client:
        paginator = SessionPaginator(client)
        assert len(set(await fetch_all(paginator, freezer))) == 350
    assert not paginator.proves_absence


@pytest.mark.parametrize("heeds", ["limit offset to", "limit offset"])
async def test_a_list_that_begins_with_the_oldest_is_read_by_offset_and_proves_nothing(
    freezer: FrozenDateTimeFactory, heeds: str
) -> None:
    async with client_of_server(Listing(rows(393)[::-1], heeds=heeds)) as client:
        paginator = SessionPaginator(client)
        assert len(set(await fetch_all(paginator, freezer))) == 393
    assert not paginator.proves_absence


@pytest.mark.parametrize(("most", "limit"), [(99, 100), (50, 100), (50, None)])
async def test_pages_that_are_shorter_than_they_say_do_not_end_the_range(
    freezer: FrozenDateTimeFactory, most: int, limit: object
) -> None:
    """A server may filter its pages, or cap them, and still repeat the limit that it was asked for."""
    listing = Listing(rows(393), heeds="limit offset to", limit=limit, most=most)
    async with client_of_server(listing) as client:
        paginator = SessionPaginator(client)
        assert len(await fetch_all(paginator, freezer)) == 393
    assert paginator.proves_absence


@pytest.mark.parametrize("limit", [None, "100", 0, -1, 1000, 1e300, "many", [], True])
async def test_a_nonsensical_limit_neither_ends_the_range_early_nor_extends_it(
    freezer: FrozenDateTimeFactory, limit: object
) -> None:
    async with client_of_server(Listing(rows(250), heeds="limit offset to", limit=limit)) as client:
        assert len(await fetch_all(SessionPaginator(client), freezer)) == 250


@pytest.mark.parametrize("limit", [0, -1])
async def test_an_empty_page_ends_the_range_whatever_its_limit(limit: int) -> None:
    async with client_receiving({"sessions": [], "limit": limit}) as client:
        paginator = SessionPaginator(client)
        assert await paginator.fetch_page() == ()
    assert paginator.complete
