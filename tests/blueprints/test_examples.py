"""The examples in the documentation, as somebody would paste them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
import re
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from homeassistant.components.automation import SERVICE_TRIGGER
from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.components.rest_command import CONFIG_SCHEMA as REST_COMMAND
from homeassistant.components.template.config import async_validate_config_section
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import slugify
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.conftest import Advance
from tests.simulator import GARAGE_ID, SimulatedAccount
from tests.timing import POLL, READ

from .conftest import REPOSITORY, Device, Phone

ZOES_TAG = "04A3B2C1D2E3F4"
A_DEVICE = "0123456789abcdef0123456789abcdef"

IN_ENGLISH = REPOSITORY / "docs"
FOLDERS = {"en": IN_ENGLISH, "nl": IN_ENGLISH / "nl"}
AUTOMATIONS, EVCC = "automations.md", "evcc.md"


@pytest.fixture(params=FOLDERS)
def docs(hass: HomeAssistant, request: pytest.FixtureRequest) -> Path:
    """Return the folder of the documentation in a language, which is Home Assistant's as well."""
    hass.config.language = request.param
    return FOLDERS[request.param]


def examples(page: Path) -> list[str]:
    """Return the YAML in a page of the documentation."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def paste(text: str) -> dict[str, Any]:
    """Return an example as Home Assistant reads it."""
    read = parse_yaml(text)
    assert isinstance(read, dict)
    return read


def example(page: Path, words: str) -> str:
    """Return the one example that has these words, for the phone of the tests."""
    (found,) = (text for text in examples(page) if words in text)
    return re.sub(r"notify\.(my_phone|mijn_telefoon)", "notify.phone", found)


@pytest.mark.parametrize(
    "text",
    [
        text
        for folder in FOLDERS.values()
        for page in (AUTOMATIONS, EVCC)
        for text in examples(folder / page)
    ],
)
async def test_home_assistant_accepts_an_example(hass: HomeAssistant, text: str) -> None:
    match parse_yaml(text):
        case list() as actions:
            await async_validate_config_item(hass, "id", {"triggers": [], "actions": actions})
        case {"template": [section]}:
            await async_validate_config_section(hass, section)
        case {"rest_command": _} as config:
            REST_COMMAND(config)
        case {"chargers": [{"identify": identify}], "vehicles": [{"identifiers": [tag]}]}:
            # For EVCC, not for Home Assistant.
            assert set(identify) == {"source", "uri", "entity"}
            assert tag == ZOES_TAG
        case dict() as parts:
            await async_validate_config_item(hass, "id", {"triggers": [], "actions": [], **parts})
        case other:
            pytest.fail(f"What is {other}?")


async def test_every_entity_of_a_charger_in_an_example_exists(
    hass: HomeAssistant, docs: Path, joulo: MockConfigEntry
) -> None:
    texts = "".join(text for page in (AUTOMATIONS, EVCC) for text in examples(docs / page))
    # The last one is made by an example.
    used = set(re.findall(r"\b\w+\.garage_\w+", texts)) - {"sensor.garage_tag_for_evcc"}
    assert used
    assert used <= set(hass.states.async_entity_ids())


async def test_a_session_that_is_complete_is_told(
    hass: HomeAssistant,
    docs: Path,
    account: SimulatedAccount,
    device: Device,
    phone: Phone,
    advance: Advance,
) -> None:
    told = {
        "en": ("Charging session complete", "10.0 kWh, 3.33 ERE, EUR 1.32"),
        "nl": ("Laadsessie klaar", "10,0 kWh, 3,33 ERE, € 1,32"),
    }
    text = example(docs / AUTOMATIONS, "event_type: session_completed")
    text = text.replace(A_DEVICE, device(GARAGE_ID))
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: paste(text)})
    account.start_session(GARAGE_ID, power_kw=10)
    await advance(3600)
    account.end_session(GARAGE_ID)
    await advance(POLL)
    await advance(READ)
    assert phone.messages == [told[hass.config.language]]


async def test_what_one_vehicle_charged_this_year_is_told(
    hass: HomeAssistant,
    docs: Path,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    phone: Phone,
) -> None:
    told = {
        "en": r"Zoe: \d+\.\d+ kWh in [1-9]\d* sessions",
        "nl": r"Zoe: \d+,\d+ kWh in [1-9]\d* sessies",
    }
    tag = next(session.tag for session in account.completed() if session.tag)
    text = example(docs / AUTOMATIONS, "response_variable: charged").replace(ZOES_TAG, tag)
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: paste(text)})
    await hass.services.async_call(
        AUTOMATION, SERVICE_TRIGGER, {ATTR_ENTITY_ID: "automation.automation_0"}, blocking=True
    )
    ((_, message),) = phone.messages
    assert re.fullmatch(told[hass.config.language], message)


async def test_by_rest_evcc_is_told_the_vehicle_that_belongs_to_the_tag(
    hass: HomeAssistant,
    docs: Path,
    account: SimulatedAccount,
    device: Device,
    advance: Advance,
    aiohttp_server: Callable[[web.Application], Awaitable[TestServer]],
) -> None:
    told: list[tuple[str, str]] = []

    async def assign(request: web.Request) -> web.Response:
        told.append((request.match_info["id"], request.match_info["name"]))
        return web.json_response({"result": {"vehicle": request.match_info["name"]}})

    evcc = web.Application()
    evcc.router.add_post("/api/loadpoints/{id}/vehicle/{name}", assign)
    address = str((await aiohttp_server(evcc)).make_url("")).rstrip("/")

    page = docs / EVCC
    command = example(page, "rest_command:").replace("http://evcc.local:7070", address)
    assert await async_setup_component(hass, "rest_command", paste(command))
    automation = example(page, "rest_command.evcc_vehicle").replace(A_DEVICE, device(GARAGE_ID))
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: paste(automation)})
    for tag in (ZOES_TAG, "another", "04B7C8D9E0F1A2"):
        account.start_session(GARAGE_ID, tag=tag)
        await advance(POLL)
        account.end_session(GARAGE_ID)
        await advance(POLL)
    assert told == [("1", "zoe"), ("1", "db:2")]


@pytest.mark.parametrize(
    ("page", "idle", "charging"),
    [(AUTOMATIONS, "unknown", "Zoe"), (EVCC, "none", ZOES_TAG)],
    ids=["by its name", "for evcc"],
)
async def test_a_template_sensor_follows_the_tag(
    hass: HomeAssistant,
    docs: Path,
    account: SimulatedAccount,
    joulo: MockConfigEntry,
    advance: Advance,
    page: str,
    idle: str,
    charging: str,
) -> None:
    config = paste(example(docs / page, "- sensor:"))
    sensor = f"sensor.{slugify(config['template'][0]['sensor'][0]['name'])}"
    assert await async_setup_component(hass, "template", config)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.is_state(sensor, idle)
    account.start_session(GARAGE_ID, tag=ZOES_TAG)
    await advance(POLL)
    assert hass.states.is_state(sensor, charging)
