"""Set-up by API token: what a user enters, what Joulo answers, and what becomes of both."""

import asyncio
from unittest.mock import patch

from aiohttp import ClientSession
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.joulo.const import CONF_ADVANCED
from tests.conftest import Advance
from tests.flows import add_account, assert_created, assert_error, begin, submit
from tests.simulator import (
    DEMO_TOKEN,
    EVERYWHERE,
    Fault,
    SimulatedAccount,
    SimulatedCloud,
    serve,
)
from tests.timing import POLL


async def hanging(cloud: SimulatedCloud, path: str) -> None:
    """Wait until a request for `path` has come in that will not be answered."""
    while not cloud.count(path):  # noqa: ASYNC110 - an unanswered request tells nobody
        await asyncio.sleep(0)


# What a user enters


async def test_a_token_is_all_it_takes(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, account: SimulatedAccount
) -> None:
    form = await begin(hass)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert not form["errors"]
    entry = assert_created(await submit(hass, form, url))
    assert entry.title == "Joulo"
    assert entry.data == {CONF_URL: url, CONF_TOKEN: DEMO_TOKEN}
    assert entry.options == {}
    assert entry.unique_id == account.id


async def test_the_check_is_the_first_refresh(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    entry = assert_created(await add_account(hass, url))
    paths = ("/chargers", "/me", "/sessions", "/energy", "/ere-position")
    assert [cloud.count(path) for path in paths] == [1, 1, 2, 1, 1], "one page, and its end"
    assert len(cloud.requests) == 6
    assert len(entry.runtime_data.chargers.data) == 3
    assert hass.states.get("sensor.joulo_ere_price").state == "0.495"  # type: ignore[union-attr]


async def test_the_address_is_joulos_own_unless_it_is_changed(hass: HomeAssistant) -> None:
    form = await begin(hass)
    schema = form["data_schema"]
    assert schema is not None
    assert schema({CONF_TOKEN: "joulo_any", CONF_ADVANCED: {}}) == {
        CONF_TOKEN: "joulo_any",
        CONF_ADVANCED: {CONF_URL: "https://api.joulo.nl/functions/v1/api"},
    }


@pytest.mark.parametrize(
    "around",
    ["  {}\n", '"{}"', "'{}'", "Bearer {}", "bearer   {}", '"Bearer {}"', ' Bearer "{}" '],
)
async def test_a_token_may_be_pasted_with_what_stands_around_it(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, around: str
) -> None:
    entry = assert_created(await add_account(hass, url, around.format(DEMO_TOKEN)))
    assert entry.data[CONF_TOKEN] == DEMO_TOKEN
    assert all(request.authorized for request in cloud.requests)


@pytest.mark.parametrize("token", ["", "  ", '""', "joulo_ünïcode", "joulo_a\nb"])
async def test_what_cannot_be_a_token_is_refused_without_a_request(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, token: str
) -> None:
    form = await begin(hass)
    assert_error(await submit(hass, form, url, token), "invalid_auth")
    assert cloud.requests == []
    assert_created(await submit(hass, form, url))


@pytest.mark.parametrize("address", ["http://example.com/api", "https://", "ftp://[", "joulo"])
async def test_an_address_that_would_show_the_token_is_refused_without_a_request(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, address: str
) -> None:
    form = await begin(hass)
    with patch.object(ClientSession, "_request") as request:
        assert_error(await submit(hass, form, address), "insecure_url")
    request.assert_not_called()
    assert_created(await submit(hass, form, url))


@pytest.mark.refusals("unauthorized")
async def test_what_was_typed_is_still_there_after_an_error(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    form = await add_account(hass, url, "joulo_wrong")
    schema = form["data_schema"]
    assert schema is not None
    (address,) = schema.schema[CONF_ADVANCED].schema.schema
    assert address.description == {"suggested_value": url}


# What Joulo answers


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.UNAUTHORIZED, "invalid_auth"),
        (Fault.FORBIDDEN, "missing_scope"),
        (Fault.SERVER_ERROR, "cannot_connect"),
        (Fault.BAD_GATEWAY, "cannot_connect"),
        (Fault.DROPPED, "cannot_connect"),
        (Fault.CUT_OFF, "cannot_connect"),
        (Fault.RATE_LIMITED, "rate_limited"),
        (Fault.NOT_FOUND, "invalid_response"),
        (Fault.NOT_JSON, "invalid_response"),
        (Fault.TRUNCATED, "invalid_response"),
        (Fault.WRONG_SHAPE, "invalid_response"),
        (Fault.ENORMOUS, "invalid_response"),
        (Fault.REDIRECT, "invalid_response"),
    ],
)
async def test_an_error_is_told_and_a_minute_later_the_same_form_succeeds(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, advance: Advance, fault: Fault, error: str
) -> None:
    cloud.fail("/chargers", fault, times=1)
    form = await begin(hass)
    assert_error(await submit(hass, form, url), error)
    assert cloud.count("/chargers") == 1
    await advance(POLL)
    assert_created(await submit(hass, form, url))
    assert cloud.count("/chargers") == 2


@pytest.mark.parametrize(
    ("fault", "error", "placeholders"),
    [
        (Fault.FORBIDDEN, "missing_scope", {"scope": "chargers:read"}),
        (Fault.RATE_LIMITED, "rate_limited", {"retry_after": "300"}),
    ],
)
async def test_an_error_names_what_the_user_needs_to_know(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    url: str,
    fault: Fault,
    error: str,
    placeholders: dict[str, str],
) -> None:
    cloud.fail("/chargers", fault, retry_after=300)
    result = await add_account(hass, url)
    assert_error(result, error)
    assert result["description_placeholders"] == placeholders


async def test_a_submit_within_the_minute_repeats_the_error_without_a_request(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, advance: Advance
) -> None:
    cloud.fail("/chargers", Fault.SERVER_ERROR)
    form = await begin(hass)
    assert_error(await submit(hass, form, url), "cannot_connect")
    cloud.recover()
    await advance(30)
    assert_error(await submit(hass, form, url), "cannot_connect")
    assert [request.path for request in cloud.requests] == ["/me", "/chargers"]


async def test_the_wait_that_joulo_asks_for_is_kept_by_the_form(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, advance: Advance
) -> None:
    cloud.fail("/chargers", Fault.RATE_LIMITED, times=1, retry_after=300)
    form = await begin(hass)
    assert_error(await submit(hass, form, url), "rate_limited")
    await advance(200)
    result = await submit(hass, form, url)
    assert_error(result, "rate_limited")
    assert result["description_placeholders"] == {"retry_after": "100"}
    assert cloud.count("/chargers") == 1
    await advance(101)
    assert_created(await submit(hass, form, url))
    assert cloud.count("/chargers") == 2


@pytest.mark.refusals("unauthorized")
async def test_another_token_may_be_tried_at_once(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    form = await begin(hass)
    assert_error(await submit(hass, form, url, "joulo_wrong"), "invalid_auth")
    assert_created(await submit(hass, form, url))
    assert [request.authorized for request in cloud.requests[:4]] == [False, False, True, True]
    assert cloud.count("/chargers") == 2


@pytest.mark.refusals("unauthorized")
async def test_a_refused_token_is_tried_again_when_the_user_says_so(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    form = await begin(hass)
    assert_error(await submit(hass, form, url, "joulo_wrong"), "invalid_auth")
    assert_error(await submit(hass, form, url, "joulo_wrong"), "invalid_auth")
    assert [request.path for request in cloud.requests] == ["/me", "/chargers"] * 2


async def test_no_answer_at_all_is_an_error_after_fifteen_seconds(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    url: str,
    freezer: FrozenDateTimeFactory,
    advance: Advance,
) -> None:
    cloud.fail("/chargers", Fault.TIMEOUT, times=1)
    form = await begin(hass)
    submitted = hass.async_create_task(submit(hass, form, url))
    await hanging(cloud, "/chargers")
    assert not submitted.done()
    freezer.tick(16)
    assert_error(await submitted, "cannot_connect")
    await advance(POLL)
    assert_created(await submit(hass, form, url))
    assert cloud.count("/chargers") == 2


async def test_where_nothing_listens_the_next_try_need_not_wait(
    hass: HomeAssistant, cloud: SimulatedCloud, socket_enabled: None
) -> None:
    async with serve(cloud) as url:
        pass
    form = await begin(hass)
    assert_error(await submit(hass, form, url), "cannot_connect")
    async with serve(cloud, int(url.rpartition(":")[2])):
        assert_created(await submit(hass, form, url))


async def test_what_nobody_expected_is_logged_and_the_form_lives_on(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    url: str,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    form = await begin(hass)
    with patch.object(ClientSession, "_request", side_effect=RuntimeError("Never seen before")):
        assert_error(await submit(hass, form, url), "unknown")
    assert "RuntimeError: Never seen before" in caplog.text
    assert DEMO_TOKEN not in caplog.text
    await advance(POLL)
    assert_created(await submit(hass, form, url))
    assert cloud.count("/chargers") == 1


async def test_an_account_without_chargers_is_welcome(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, account: SimulatedAccount
) -> None:
    account.empty()
    entry = assert_created(await add_account(hass, url))
    assert entry.unique_id == account.id
    assert cloud.count("/chargers") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.NOT_FOUND,
        Fault.FORBIDDEN,
        Fault.SERVER_ERROR,
        Fault.DROPPED,
        Fault.NOT_JSON,
        Fault.RATE_LIMITED,
    ],
)
async def test_an_account_that_cannot_say_whose_it_is_is_welcome(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, fault: Fault
) -> None:
    cloud.fail("/me", fault)
    entry = assert_created(await add_account(hass, url))
    assert entry.unique_id is None
    assert (cloud.count("/chargers"), cloud.count("/me")) == (1, 1)


async def test_an_account_that_tells_its_terms_and_no_id_is_welcome(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str, account: SimulatedAccount
) -> None:
    account.id = ""
    assert assert_created(await add_account(hass, url)).unique_id is None


async def test_a_token_that_opens_the_chargers_alone_is_accepted(
    hass: HomeAssistant, cloud: SimulatedCloud, url: str
) -> None:
    cloud.fail("/me", Fault.UNAUTHORIZED)
    assert assert_created(await add_account(hass, url)).unique_id is None


# Where the token goes


@pytest.mark.refusals("unauthorized")
async def test_the_token_is_never_logged(
    hass: HomeAssistant,
    cloud: SimulatedCloud,
    url: str,
    advance: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    form = await begin(hass)
    cloud.fail(EVERYWHERE, Fault.NOT_JSON)
    await submit(hass, form, url, "joulo_wrong")
    await submit(hass, form, url)
    cloud.recover()
    await advance(POLL)
    assert_created(await submit(hass, form, url))
    cloud.fail(EVERYWHERE, Fault.UNAUTHORIZED)
    await advance(POLL)
    assert any(record.name.startswith("custom_components.joulo") for record in caplog.records)
    assert DEMO_TOKEN not in caplog.text
    assert "joulo_wrong" not in caplog.text
