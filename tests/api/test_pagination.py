"""A range of sessions is read a page at a time, by keyset: none is skipped, none comes twice."""

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

from . import asking, error_of, handled_by, told

pytestmark = pytest.mark.usefixtures("socket_enabled")

NIGHT = datetime(2026, 3, 1, 22, tzinfo=UTC)
MOST_PAGES = 12
"""More than any walk here takes; one that goes on beyond them goes on for ever."""

type Row = dict[str, Any]


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with asking(url) as client:
        yield client


async def read_all(
    walk: SessionPaginator,
    freezer: FrozenDateTimeFactory,
    between: Callable[[], object] = lambda: None,
) -> list[str]:
    """Walk to the end and return the ids as they came; something may happen after each page."""
    ids: list[str] = []
    for _ in range(MOST_PAGES):
        ids += [session.id for session in await walk.read_page()]
        if walk.complete:
            return ids
        between()
        freezer.tick(5)
    pytest.fail("The walk goes on for ever")


def recorded(account: SimulatedAccount) -> list[str]:
    """Return the ids of an account's sessions, newest first."""
    return [session.id for session in account.sessions]


def record(account: SimulatedAccount, start: datetime) -> SimulatedSession:
    """Enter a session of half an hour."""
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
    assert await read_all(SessionPaginator(client), freezer) == recorded(account)
    assert cloud.refused() == []


async def test_a_walk_ends_with_the_first_session_of_its_range(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    first = account.sessions[249]
    ids = await read_all(SessionPaginator(client, since=first.started_at), freezer)
    assert ids == recorded(account)[:250]


async def test_a_range_without_sessions_is_complete_at_once(client: JouloClient) -> None:
    walk = SessionPaginator(client, since=datetime(2026, 6, 15, tzinfo=UTC))
    assert await walk.read_page() == ()
    assert walk.complete


async def test_exactly_one_page_is_read_without_doubles(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    since = account.sessions[99].started_at
    ids = await read_all(SessionPaginator(client, since=since), freezer)
    assert ids == recorded(account)[:100]


async def test_a_session_removed_between_two_pages_hides_no_other(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    before = recorded(account)
    ids = await read_all(
        SessionPaginator(client), freezer, lambda: account.remove_session(account.sessions[0].id)
    )
    assert ids == before


async def test_a_session_removed_before_its_page_is_not_read(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    walk = SessionPaginator(client)
    ids = [session.id for session in await walk.read_page()]
    account.remove_session(account.sessions[150].id)
    assert ids + await read_all(walk, freezer) == recorded(account)


async def test_a_session_added_between_two_pages_doubles_no_other(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    before = recorded(account)
    ids = await read_all(
        SessionPaginator(client),
        freezer,
        lambda: record(account, account.sessions[0].started_at + timedelta(hours=1)),
    )
    assert ids == before


async def test_a_session_added_ahead_of_the_walk_is_read_too(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    walk = SessionPaginator(client)
    ids = [session.id for session in await walk.read_page()]
    record(account, account.sessions[99].started_at)
    record(account, account.sessions[200].started_at)
    ids += await read_all(walk, freezer)
    assert sorted(ids) == sorted(recorded(account))


@pytest.mark.parametrize("many", [99, 100, 101, 200, 250])
async def test_more_sessions_at_one_moment_than_fit_on_a_page_are_all_read(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory, many: int
) -> None:
    for _ in range(many):
        record(account, NIGHT)
    assert await read_all(SessionPaginator(client), freezer) == recorded(account)


async def test_a_range_of_one_crowded_moment_is_read_to_its_end(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    crowd = {record(account, NIGHT).id for _ in range(200)}
    walk = SessionPaginator(client, since=NIGHT, until=Cursor(NIGHT, "2026-03-01T22:00:00Z"))
    ids = await read_all(walk, freezer)
    assert len(ids) == 200
    assert set(ids) == crowd


# A walk that is interrupted


async def test_a_walk_is_taken_up_again_where_it_was(
    client: JouloClient, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    walk = SessionPaginator(client)
    ids = [session.id for _ in range(2) for session in await walk.read_page()]
    freezer.tick(5)
    rest = await read_all(SessionPaginator(client, until=walk.until), freezer)
    assert list(dict.fromkeys(ids + rest)) == recorded(account)


async def test_an_error_leaves_the_walk_where_it_was(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    walk = SessionPaginator(client)
    ids = [session.id for session in await walk.read_page()]
    cloud.fail("/sessions", Fault.SERVER_ERROR, times=1)
    assert isinstance(await error_of(walk.read_page()), JouloServerError)
    freezer.tick(5)
    assert ids + await read_all(walk, freezer) == recorded(account)


async def test_asked_too_early_the_walk_waits(
    client: JouloClient,
    cloud: SimulatedCloud,
    account: SimulatedAccount,
    freezer: FrozenDateTimeFactory,
) -> None:
    walk = SessionPaginator(client)
    ids = [session.id for _ in range(2) for session in await walk.read_page()]
    assert isinstance(await error_of(walk.read_page()), JouloTooEarlyError)
    assert cloud.count("/sessions") == 2
    freezer.tick(5)
    assert ids + await read_all(walk, freezer) == recorded(account)


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
    """A server of sessions that heeds only some of what it is asked."""

    def __init__(self, listed: list[Row], *, heeds: str, limit: object = 100) -> None:
        self.queries: list[dict[str, str]] = []
        self._rows = listed
        self._heeds = heeds.split()
        self._limit = limit

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        """Answer `/sessions`; the texts of its moments sort as the moments do."""
        self.queries.append(dict(request.query))
        asked = {name: value for name, value in request.query.items() if name in self._heeds}
        found = [row for row in self._rows if row["started_at"] <= asked.get("to", "9")]
        offset, limit = int(asked.get("offset", 0)), int(asked.get("limit", 20))
        page = found[offset : offset + limit]
        return web.json_response({"sessions": page, "limit": self._limit, "offset": offset})


async def test_the_next_page_ends_exactly_as_joulo_wrote_it(
    freezer: FrozenDateTimeFactory,
) -> None:
    listing = Listing(rows(150), heeds="limit offset to")
    async with handled_by(listing) as client:
        assert len(await read_all(SessionPaginator(client), freezer)) == 150
    assert listing.queries == [
        {"limit": "100"},
        {"limit": "100", "to": "2026-02-25T19:00:00.123456+00:00"},
    ]


async def test_smaller_pages_than_asked_for_are_joined_too(
    freezer: FrozenDateTimeFactory,
) -> None:
    async with handled_by(Listing(rows(150), heeds="offset to", limit=20)) as client:
        assert len(await read_all(SessionPaginator(client), freezer)) == 150


async def test_a_crowded_moment_is_read_in_smaller_pages_too(
    freezer: FrozenDateTimeFactory,
) -> None:
    listed = [row | {"started_at": "2026-03-01T22:00:00Z"} for row in rows(70)]
    async with handled_by(Listing(listed, heeds="offset to", limit=20)) as client:
        assert len(await read_all(SessionPaginator(client), freezer)) == 70


async def test_a_broken_session_at_the_end_of_a_page_hides_no_other(
    freezer: FrozenDateTimeFactory,
) -> None:
    listed = rows(150)
    listed[99] |= {"id": None}
    listed[100] |= {"started_at": "2026-02-25T18:00:00.123456+00:00", "charger_id": None}
    async with handled_by(Listing(listed, heeds="limit offset to")) as client:
        assert len(await read_all(SessionPaginator(client), freezer)) == 148


async def test_a_page_of_broken_sessions_is_not_the_end(freezer: FrozenDateTimeFactory) -> None:
    listed = rows(350)
    for row in listed[100:200]:
        row["charger_id"] = None
    async with handled_by(Listing(listed, heeds="limit offset to")) as client:
        walk = SessionPaginator(client)
        assert len(await read_all(walk, freezer)) == 250
    assert walk.seen == {row["id"] for row in listed}, "a broken session is there all the same"


async def test_a_session_that_only_one_page_has_broken_is_read(
    freezer: FrozenDateTimeFactory,
) -> None:
    listed = rows(150)
    sound, listed[99] = listed[99], listed[99] | {"charger_id": None}
    async with handled_by(Listing(listed, heeds="limit offset to")) as client:
        walk = SessionPaginator(client)
        ids = [session.id for session in await walk.read_page()]
        listed[99] = sound
        freezer.tick(5)
        assert len(ids + await read_all(walk, freezer)) == 150


@pytest.mark.parametrize("heeds", ["limit", "limit offset"])
async def test_a_server_that_ignores_the_range_is_not_asked_for_ever(
    freezer: FrozenDateTimeFactory, heeds: str
) -> None:
    async with handled_by(Listing(rows(350), heeds=heeds)) as client:
        with pytest.raises(JouloResponseError, match="repeat"):
            await read_all(SessionPaginator(client), freezer)


@pytest.mark.parametrize("limit", [None, "100", 0, -1, 1000, 1e300, "many", [], True])
async def test_a_nonsensical_limit_neither_cuts_the_walk_short_nor_keeps_it_going(
    freezer: FrozenDateTimeFactory, limit: object
) -> None:
    async with handled_by(Listing(rows(250), heeds="limit offset to", limit=limit)) as client:
        assert len(await read_all(SessionPaginator(client), freezer)) == 250


@pytest.mark.parametrize("limit", [0, -1])
async def test_an_empty_page_ends_the_walk_whatever_its_limit(limit: int) -> None:
    async with told({"sessions": [], "limit": limit}) as client:
        walk = SessionPaginator(client)
        assert await walk.read_page() == ()
    assert walk.complete
