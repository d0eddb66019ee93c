"""How the dashboard's module reaches a browser."""

from http import HTTPStatus
import re

from homeassistant.components.frontend import DATA_EXTRA_MODULE_URL
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.joulo.const import DOMAIN
from tests.simulator import SimulatedAccount, SimulatedCloud
from tests.test_manifest import MANIFEST, ROOM

FOLDER = f"/joulo/{MANIFEST['version']}"
PATH = f"{FOLDER}/joulo-dashboard.js"
MODULES = {file.name: file.read_text(encoding="utf-8") for file in (ROOM / "frontend").iterdir()}
ON_EVERY_PAGE = MODULES["joulo-dashboard.js"]


def offered(hass: HomeAssistant) -> list[str]:
    """Return the addresses of ours that the frontend has a browser load."""
    return [url for url in hass.data[DATA_EXTRA_MODULE_URL].urls if DOMAIN in url]


async def test_a_browser_gets_the_module_without_logging_in_and_keeps_it(
    joulo: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    response = await (await hass_client_no_auth()).get(PATH)
    assert response.status == HTTPStatus.OK
    assert response.content_type == "text/javascript"
    assert "max-age=2678400" in response.headers["Cache-Control"]
    assert await response.text() == ON_EVERY_PAGE


async def test_a_new_version_has_a_new_address(hass: HomeAssistant, joulo: MockConfigEntry) -> None:
    assert offered(hass) == [PATH]


async def test_it_is_there_once_also_after_a_reload_and_with_a_second_account(
    hass: HomeAssistant,
    joulo: MockConfigEntry,
    cloud: SimulatedCloud,
    url: str,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    other = SimulatedAccount(token="joulo_other")
    cloud.accounts.append(other)
    second = MockConfigEntry(domain=DOMAIN, data={CONF_URL: url, CONF_TOKEN: other.token})
    second.add_to_hass(hass)
    assert await hass.config_entries.async_setup(second.entry_id)
    assert await hass.config_entries.async_reload(joulo.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(offered(hass)) == 1
    assert (await (await hass_client_no_auth()).get(PATH)).ok


async def test_without_any_account_left_it_stays_until_home_assistant_restarts(
    hass: HomeAssistant, joulo: MockConfigEntry
) -> None:
    await hass.config_entries.async_remove(joulo.entry_id)
    assert len(offered(hass)) == 1


IMPORT = re.compile(r"\b(?:from|import) \"\./([\w-]+\.js)\"")
LAZY_IMPORT = re.compile(r"\bimport\(\"\./([\w-]+\.js)\"\)")


def test_every_page_loads_one_small_module_and_the_others_where_they_are_shown() -> None:
    assert IMPORT.findall(ON_EVERY_PAGE) == []
    assert sorted(LAZY_IMPORT.findall(ON_EVERY_PAGE)) == [
        "overview-cards.js",
        "sessions-card.js",
        "strategy.js",
    ]
    assert len(ON_EVERY_PAGE.encode()) < 8_000


def test_a_module_loads_nothing_from_elsewhere() -> None:
    for name, module in MODULES.items():
        found = [*IMPORT.findall(module), *LAZY_IMPORT.findall(module)]
        assert found == re.findall(
            r"\b(?:from|import)\b[ (]+\"([^\"]+)\"", module.replace("./", "")
        )
        assert {*found} <= MODULES.keys(), name


async def test_a_browser_gets_every_module(
    joulo: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    for name, module in MODULES.items():
        response = await client.get(f"{FOLDER}/{name}")
        assert await response.text() == module


WITH_TEXTS = [name for name, module in MODULES.items() if "const TEXTS = {" in module]


@pytest.mark.parametrize("name", WITH_TEXTS)
def test_a_module_has_every_text_in_each_language(name: str) -> None:
    module = MODULES[name]
    texts = module[module.index("const TEXTS = {") : module.index("\n};")]
    pairs = re.findall(r"^  \w+: \[\s*\"([^\"]+)\",\s*\"([^\"]+)\",?\s*\],$", texts, re.MULTILINE)
    assert len(pairs) == len(re.findall(r"^  \w+: \[", texts, re.MULTILINE)) > 0
