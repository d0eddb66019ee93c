"""The client has one method for each endpoint, and parses what Joulo sends there."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta, timezone
import logging

from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.joulo.api import (
    API_URL,
    Charger,
    ChargerStatus,
    ChargingSession,
    Cursor,
    JouloAuthError,
    JouloClient,
    JouloInsecureUrlError,
    JouloResponseError,
)
from tests.simulator import (
    DEMO_TOKEN,
    ELSEWHERE,
    GARAGE_ID,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
    documented_account,
    serve,
)

from . import client_of, client_of_server, client_receiving, logged, payload

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
async def client(url: str) -> AsyncGenerator[JouloClient]:
    """Return a client of the simulated cloud."""
    async with client_of(url) as client:
        yield client


# The endpoints


async def test_the_documented_account_is_read() -> None:
    async with serve(SimulatedCloud(documented_account())) as url, client_of(url) as client:
        chargers = (await client.chargers()).data
        page = (await client.session_page()).data
        energy = (await client.energy()).data
        profile = (await client.account_profile()).data
    assert chargers == (Charger.from_dict(payload("chargers_documented")["chargers"][0]),)
    documented = payload("sessions_documented")["sessions"][0]
    assert ChargingSession.from_dict(documented) in page.sessions
    assert (energy.total_kwh, energy.total_sessions) == (42.37, 1)
    assert (profile.ere_price_mid, profile.effective_fee_pct) == (0.495, 20)


async def test_every_charger_and_the_totals_of_an_account_are_read(
    client: JouloClient, account: SimulatedAccount
) -> None:
    chargers = (await client.chargers()).data
    assert [charger.id for charger in chargers] == [charger.id for charger in account.chargers]
    energy = (await client.energy()).data
    assert energy.total_kwh == account.energy_total(mid_only=True)
    assert energy.total_kwh_all == account.energy_total()
    assert energy.total_ere_credits == account.ere_total(mid_only=True)
    assert (await client.account_profile()).data.id == account.id


async def test_an_account_without_chargers_has_none() -> None:
    async with client_receiving({"chargers": []}) as client:
        assert (await client.chargers()).data == ()


async def test_a_page_of_sessions_says_where_the_next_one_begins() -> None:
    async with client_receiving(payload("sessions_in_the_wild")) as client:
        page = (await client.session_page()).data
    assert [session.kwh for session in page.sessions] == [12.45, 42.37, 0]
    oldest = Cursor(datetime(2026, 4, 7, 17, tzinfo=UTC), "2026-04-07T17:00:00Z")
    assert (page.oldest, page.row_count, page.is_full) == (oldest, 3, False)
    assert page.ids == {session.id for session in page.sessions}


async def test_sessions_are_requested_by_range_and_offset(
    client: JouloClient, cloud: SimulatedCloud
) -> None:
    await client.session_page()
    await client.session_page(
        since=datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=2))),
        until=Cursor(datetime(2026, 6, 1, tzinfo=UTC), "2026-06-01T00:00:00Z"),
        offset=7,
    )
    assert [request.query for request in cloud.requests] == [
        {"limit": "100"},
        {
            "limit": "100",
            "offset": "7",
            "from": "2026-03-31T22:00:00Z",
            "to": "2026-06-01T00:00:00Z",
        },
    ]


# What is sent


async def test_the_token_goes_into_the_header_and_nowhere_else() -> None:
    seen: list[tuple[str, str | None]] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        seen.append((request.path_qs, request.headers.get("Authorization")))
        return web.json_response({})

    async with client_of_server(handle) as client:
        await client.account_profile()
    assert seen == [("/me", f"Bearer {DEMO_TOKEN}")]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_address_may_have_a_path_and_a_closing_slash(slash: str) -> None:
    prefix = "/functions/v1/api"
    cloud = SimulatedCloud(documented_account())
    async with serve(cloud, prefix=prefix) as url, client_of(url + slash) as client:
        assert len((await client.chargers()).data) == 1


async def test_a_redirect_is_not_followed(client: JouloClient, cloud: SimulatedCloud) -> None:
    cloud.fail("/chargers", Fault.REDIRECT)
    with pytest.raises(JouloResponseError, match="HTTP 302"):
        await client.chargers()
    assert cloud.count(ELSEWHERE) == 0


@pytest.mark.parametrize("token", ["", "  ", "joulo_\nX-Other: 1", "joulo_\r", "joulo_é", "\x00"])
async def test_a_token_that_no_header_can_hold_is_refused_unsent(
    url: str, cloud: SimulatedCloud, token: str
) -> None:
    async with client_of(url, token=token) as client:
        with pytest.raises(JouloAuthError):
            await client.chargers()
    assert cloud.requests == []


@pytest.mark.parametrize(
    "url",
    [
        API_URL,
        "HTTPS://api.joulo.nl",
        "http://127.0.0.1:8765",
        "http://localhost:8765/functions/v1/api",
        "http://LOCALHOST",
        "http://[::1]:8765",
    ],
)
async def test_https_is_accepted_and_plain_http_for_this_machine(url: str) -> None:
    async with client_of(url):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "http://api.joulo.nl/functions/v1/api",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "http://192.168.1.10",
        "ftp://api.joulo.nl",
        "https://",
        "https://:443",
        "https://[",
        "https://api.joulo.nl:99999",
        "api.joulo.nl",
        "//api.joulo.nl",
        "/chargers",
        "",
        "https://\ud800",
    ],
)
async def test_any_other_address_is_insecure(url: str) -> None:
    with pytest.raises(JouloInsecureUrlError, match="https://"):
        async with client_of(url):
            pass


async def test_an_address_with_credentials_is_refused(url: str) -> None:
    """The web session would put them where the token goes."""
    with pytest.raises(JouloInsecureUrlError):
        async with client_of(url.replace("://", "://user:password@")) as client:
            await client.chargers()


# Lists with broken items


@pytest.mark.parametrize("broken", [None, True, "charger", [], {}, {"id": None}, {"id": " "}])
async def test_a_broken_charger_is_left_out_and_the_others_live(
    broken: object, caplog: pytest.LogCaptureFixture, freezer: FrozenDateTimeFactory
) -> None:
    good = payload("chargers_documented")["chargers"][0]
    async with client_receiving({"chargers": [broken, good, broken]}) as client:
        for _ in range(2):
            (charger,) = (await client.chargers()).data
            assert charger.id == GARAGE_ID
            freezer.tick(60)
    (line,) = logged(caplog)
    assert line.startswith("A Charger from Joulo is left out")


async def test_a_broken_session_is_left_out_and_the_others_live(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = payload("sessions_in_the_wild")
    document["sessions"][0]["started_at"] = "yesterday"
    async with client_receiving(document) as client:
        page = (await client.session_page()).data
    assert [session.kwh for session in page.sessions] == [42.37, 0]
    assert logged(caplog) == ["A ChargingSession from Joulo is left out: no started_at"]


async def test_a_tag_never_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chargers = payload("chargers_in_the_wild")
    sessions = payload("sessions_in_the_wild")
    chargers["chargers"][0] |= {"id": None, "id_tag": "DEADBEEF12345678"}
    sessions["sessions"][0] |= {"id": None}
    async with client_receiving(chargers, sessions) as client:
        await client.chargers()
        await client.session_page()
    assert len(logged(caplog)) == 2
    assert "DEADBEEF12345678" not in caplog.text


async def test_the_first_of_duplicate_chargers_wins() -> None:
    good = payload("chargers_documented")["chargers"][0]
    async with client_receiving({"chargers": [good, good | {"nickname": "Oprit"}]}) as client:
        assert [charger.nickname for charger in (await client.chargers()).data] == ["Garage"]


async def test_the_first_of_duplicate_sessions_wins() -> None:
    good = payload("sessions_documented")["sessions"][0]
    async with client_receiving({"sessions": [good, good | {"kwh": 1}]}) as client:
        page = (await client.session_page()).data
    assert [session.kwh for session in page.sessions] == [42.37]
    assert page.row_count == 2


async def test_an_unknown_value_is_logged_once_and_stops_nothing(
    caplog: pytest.LogCaptureFixture, freezer: FrozenDateTimeFactory
) -> None:
    document = payload("chargers_in_the_wild")
    document["chargers"][0] |= {"status": "Preparing", "connection_type": "tesla"}
    async with client_receiving(document) as client:
        for _ in range(2):
            garage, oprit, _schuur = (await client.chargers()).data
            assert garage.status == "Preparing"
            assert oprit.status is ChargerStatus.UNAVAILABLE
            freezer.tick(60)
    assert logged(caplog) == [
        "Joulo sent a status that this version does not know: 'Preparing'",
        "Joulo sent a connection type that this version does not know: 'tesla'",
    ]


async def test_an_unknown_session_status_is_logged_once_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = payload("sessions_in_the_wild")
    for session in document["sessions"]:
        session["status"] = "invoiced"
    async with client_receiving(document) as client:
        assert len((await client.session_page()).data.sessions) == 3
    (line,) = logged(caplog)
    assert line.endswith("'invoiced'")
