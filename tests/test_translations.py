"""Whatever the integration says, it says in English and in Dutch."""

from collections.abc import Iterator
from importlib import import_module
import json
from pathlib import Path
import re
from typing import Any

from hass_frontend import where
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity import EntityDescription
from homeassistant.util.yaml import load_yaml_dict
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo import PLATFORMS, api, statement
from custom_components.joulo.helpers import translated_error
from tests.flows import begin, submit
from tests.simulator import SimulatedAccount, SimulatedCharger

ROOM = Path(__file__).parent.parent / "custom_components" / "joulo"

type Texts = dict[str, Any]


def load(name: str) -> Texts:
    """Return a JSON file of the integration."""
    found: Texts = json.loads((ROOM / name).read_text(encoding="utf-8"))
    return found


ENGLISH, DUTCH, ICONS = (load(f"{n}.json") for n in ("translations/en", "translations/nl", "icons"))

in_both_languages = pytest.mark.parametrize("texts", [ENGLISH, DUTCH], ids=["en", "nl"])

ERRORS = [
    api.JouloAuthError(),
    api.JouloConnectionError("TimeoutError", sent=True),
    api.JouloInsecureUrlError(),
    api.JouloNotFoundError(),
    api.JouloRateLimitError(60),
    api.JouloResponseError("not JSON"),
    api.JouloScopeError("chargers:read"),
    api.JouloServerError(502),
    api.JouloTooEarlyError(60),
]
ERRORS_OF_ORDERS = [
    api.JouloChargerOfflineError(),
    api.JouloCooldownError(),
    api.JouloRejectedError("ocpp_identity is already in use"),
]
"""A form gives no orders."""
OTHER_SENTENCES = {
    "empty_period",
    "history_incomplete",
    "newer_history",
    "no_answer",
    "no_session",
    "not_a_charger",
    "not_a_vehicle",
    "one_of_both",
    "restart_not_verified",
    "unknown_session",
}


def flat(texts: Texts, path: str = "") -> dict[str, str]:
    """Return every sentence by its path."""
    found: dict[str, str] = {}
    for key, value in texts.items():
        here = f"{path}.{key}"
        found |= flat(value, here) if isinstance(value, dict) else {here: value}
    return found


def placeholders(text: str) -> set[str]:
    """Return the names in braces."""
    return set(re.findall(r"{(\w+)}", text))


def descriptions() -> Iterator[tuple[Platform, EntityDescription]]:
    """Yield every description of an entity with its platform."""
    for platform in PLATFORMS:
        module = import_module(f"custom_components.joulo.{platform}")
        for value in vars(module).values():
            for item in value if isinstance(value, tuple) else ():
                if isinstance(item, EntityDescription):
                    yield platform, item


def states_of(description: EntityDescription) -> list[str]:
    """Return the states that have words and icons of ours: those of a list, and of what is no battery."""
    if description.device_class == BinarySensorDeviceClass.BATTERY_CHARGING:
        return [STATE_OFF, STATE_ON]
    return getattr(description, "options", None) or []


DESCRIPTIONS = sorted(descriptions(), key=lambda pair: (pair[0], pair[1].key))

for_every_entity = pytest.mark.parametrize(
    ("platform", "description"),
    [pytest.param(*pair, id=f"{pair[0]}.{pair[1].key}") for pair in DESCRIPTIONS],
)


# The languages beside each other


def test_both_languages_have_the_same_texts() -> None:
    assert flat(DUTCH).keys() == flat(ENGLISH).keys()


def test_both_languages_fill_in_the_same_words() -> None:
    dutch = flat(DUTCH)
    for path, text in flat(ENGLISH).items():
        assert placeholders(dutch[path]) == placeholders(text), path


@in_both_languages
def test_no_text_is_empty_or_has_stray_spaces(texts: Texts) -> None:
    for path, text in flat(texts).items():
        assert text, path
        assert text == text.strip(), path
        assert "  " not in text, path


# Entities and devices


@for_every_entity
@in_both_languages
def test_every_entity_has_a_name(
    texts: Texts, platform: Platform, description: EntityDescription
) -> None:
    assert texts["entity"][platform][description.key]["name"]


@for_every_entity
@in_both_languages
def test_every_state_of_a_list_and_of_charging_has_a_word(
    texts: Texts, platform: Platform, description: EntityDescription
) -> None:
    worded = list(texts["entity"][platform][description.key].get("state", {}))
    assert worded == states_of(description)


@in_both_languages
def test_no_entity_is_named_that_does_not_exist(texts: Texts) -> None:
    named = {(platform, key) for platform, keys in texts["entity"].items() for key in keys}
    assert named == {(platform, description.key) for platform, description in DESCRIPTIONS}


@in_both_languages
def test_no_two_entities_of_a_platform_share_a_name(texts: Texts) -> None:
    for platform, keys in texts["entity"].items():
        names = [texts["name"] for texts in keys.values()]
        assert len(names) == len(set(names)), platform


@in_both_languages
@pytest.mark.usefixtures("all_entities_enabled")
async def test_everything_that_is_registered_has_a_name(
    hass: HomeAssistant,
    account: SimulatedAccount,
    entity_registry: er.EntityRegistry,
    entry: MockConfigEntry,
    texts: Texts,
) -> None:
    account.add_charger(SimulatedCharger(nickname=""))
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    entities = er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    assert {entity.domain for entity in entities} == set(PLATFORMS)
    for entity in entities:
        assert entity.translation_key in texts["entity"][entity.domain]


@in_both_languages
async def test_a_charger_without_a_nickname_has_a_name(
    hass: HomeAssistant,
    account: SimulatedAccount,
    device_registry: dr.DeviceRegistry,
    entry: MockConfigEntry,
    texts: Texts,
) -> None:
    account.add_charger(SimulatedCharger(nickname=""))
    hass.config.language = "nl" if texts is DUTCH else "en"
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert texts["device"]["charger"]["name"] in {device.name for device in devices}


# Icons


def test_icons_belong_to_entities_and_their_states() -> None:
    known = {
        (platform, description.key): states_of(description)
        for platform, description in DESCRIPTIONS
    }
    for platform, keys in ICONS["entity"].items():
        for key, icons in keys.items():
            assert set(icons.get("state", {})) <= set(known[platform, key]), key


@for_every_entity
def test_an_entity_whose_class_has_no_fitting_icon_has_one_of_its_own(
    platform: Platform, description: EntityDescription
) -> None:
    """A list has an eye, and what charges a battery."""
    unfitting = {None, SensorDeviceClass.ENUM, BinarySensorDeviceClass.BATTERY_CHARGING}
    fits = description.device_class not in unfitting
    assert fits or ICONS["entity"][platform][description.key]["default"]


def test_every_icon_that_is_named_anywhere_exists() -> None:
    there_are: set[str] = set()
    for file in (where() / "static" / "mdi").glob("[0-9a-f]*.json"):
        there_are |= json.loads(file.read_text(encoding="utf-8")).keys()
    named = {
        icon
        for folder in (ROOM, ROOM.parents[1] / "blueprints")
        for file in folder.rglob("*.*")
        if file.suffix in {".js", ".json", ".py", ".yaml"}
        for icon in re.findall(r"\bmdi:([\w-]+)", file.read_text(encoding="utf-8"))
    }
    assert {f"mdi:{icon}" for icon in named} >= set(flat(ICONS).values())
    assert named - there_are == set()


# Actions


ACTIONS = load_yaml_dict(str(ROOM / "services.yaml"))


@in_both_languages
def test_every_action_and_every_field_of_its_form_has_words(texts: Texts) -> None:
    assert {action: set(words["fields"]) for action, words in texts["services"].items()} == {
        action: set(form["fields"]) for action, form in ACTIONS.items()
    }


@in_both_languages
def test_every_choice_in_the_form_of_an_action_has_words(texts: Texts) -> None:
    selectors = [
        field["selector"] for form in ACTIONS.values() for field in form["fields"].values()
    ]
    choices = {
        select["translation_key"]: select["options"]
        for selector in selectors
        if (select := selector.get("select"))
    }
    assert {key: list(words["options"]) for key, words in texts["selector"].items()} == choices


def test_every_action_has_an_icon() -> None:
    assert set(ICONS["services"]) == set(ACTIONS)
    assert all(icons["service"] for icons in ICONS["services"].values())


# The calendar and the statement


CALENDAR_WORDS = {
    "charging_session",
    "session_runs",
    "session_ere_credits",
    "session_value_eur",
    "session_cost_eur",
    "session_average_power_kw",
}


@in_both_languages
def test_calendar_statement_and_the_tags_of_a_form_have_words(texts: Texts) -> None:
    columns = {f"statement_{column}" for column in (*statement._COLUMNS, "total")}
    tags = {"tag", "tag_use", "tag_used_once", "new_vehicle", "estimated"}
    days = {f"day_of_month_{month}" for month in range(1, 13)}
    assert set(texts["common"]) == CALENDAR_WORDS | columns | tags | days
    headings = [texts["common"][column] for column in columns]
    assert len(headings) == len(set(headings))


# Errors


@in_both_languages
def test_every_error_has_a_sentence_that_gets_all_its_words(texts: Texts) -> None:
    for error in ERRORS + ERRORS_OF_ORDERS:
        text = translated_error(error)
        key = text["translation_key"]
        # An address is refused before anything else could go wrong, and only by a form.
        if key != "insecure_url":
            message = texts["exceptions"][key]["message"]
            assert placeholders(message) <= text["translation_placeholders"].keys(), key


def test_every_error_that_there_is_was_looked_at() -> None:
    there_are = {
        value
        for value in vars(api).values()
        if isinstance(value, type) and issubclass(value, api.JouloError)
    }
    assert {type(error) for error in ERRORS + ERRORS_OF_ORDERS} == there_are - {api.JouloError}


@in_both_languages
def test_no_sentence_is_left_over(texts: Texts) -> None:
    said = {translated_error(error)["translation_key"] for error in ERRORS + ERRORS_OF_ORDERS}
    assert set(texts["exceptions"]) == (said | OTHER_SENTENCES) - {"insecure_url"}
    assert all(words["message"] for words in texts["exceptions"].values())


@in_both_languages
def test_every_error_has_words_in_a_form(texts: Texts) -> None:
    in_a_form = {"server_error": "cannot_connect", "not_found": "invalid_response"}
    keys = {"unknown"}
    for error in ERRORS:
        text = translated_error(error)
        key = in_a_form.get(text["translation_key"], text["translation_key"])
        words = placeholders(texts["config"]["error"][key])
        assert words <= text["translation_placeholders"].keys(), key
        keys.add(key)
    assert set(texts["config"]["error"]) == keys


@in_both_languages
def test_every_way_in_which_a_flow_can_end_has_words(texts: Texts) -> None:
    source = (ROOM / "config_flow.py").read_text(encoding="utf-8")
    reasons = re.findall(r'(?:AbortFlow\(|reason=)"(\w+)"', source)
    assert set(texts["config"]["abort"]) == set(reasons)


# Forms


def assert_worded(step: Texts, schema: probatio.Schema | None) -> None:
    """Check that every field of a form has a name and an explanation, and no other has."""
    assert schema is not None
    fields = {str(key) for key, value in schema.schema.items() if not isinstance(value, section)}
    assert set(step["data"]) == set(step["data_description"]) == fields
    folded = {str(key): value for key, value in schema.schema.items() if str(key) not in fields}
    assert set(step.get("sections", {})) == set(folded)
    for name, value in folded.items():
        assert step["sections"][name]["name"]
        assert_worded(step["sections"][name], value.schema)


@in_both_languages
async def test_every_form_of_a_flow_has_words(
    hass: HomeAssistant, entry: MockConfigEntry, texts: Texts
) -> None:
    forms: list[ConfigFlowResult] = [
        await begin(hass),
        await entry.start_reauth_flow(hass),
        await entry.start_reconfigure_flow(hass),
    ]
    steps = texts["config"]["step"]
    assert set(steps) == {form["step_id"] for form in forms}
    for form in forms:
        step = steps[form["step_id"]]
        assert step["title"]
        assert_worded(step, form["data_schema"])
        words = placeholders(step["description"])
        assert words <= (form["description_placeholders"] or {}).keys()


@in_both_languages
async def test_the_options_have_words(
    hass: HomeAssistant, entry: MockConfigEntry, texts: Texts
) -> None:
    form = await hass.config_entries.options.async_init(entry.entry_id)
    hass.config_entries.async_update_entry(entry, options={"price": {"fixed_price": 0.2}})
    options = {"chargers_interval": 60, "price": {"fixed_price": 0.3}}
    since = await hass.config_entries.options.async_configure(form["flow_id"], options)
    steps = texts["options"]["step"]
    assert set(steps) == {form["step_id"], since["step_id"]}
    for each in (form, since):
        assert steps[each["step_id"]]["title"]
        assert_worded(steps[each["step_id"]], each["data_schema"])
    assert set(texts["options"]["error"]) == {
        "not_a_price",
        "one_price",
        "price_later",
        "price_not_recorded",
    }


@pytest.mark.refusals("unauthorized")
@in_both_languages
async def test_an_error_does_not_take_the_words_of_the_form_away(
    hass: HomeAssistant, entry: MockConfigEntry, texts: Texts
) -> None:
    form = await submit(hass, await entry.start_reauth_flow(hass), None, "joulo_wrong")
    assert form["errors"] == {"base": "invalid_auth"}
    words = placeholders(texts["config"]["step"]["reauth_confirm"]["description"])
    assert words <= (form["description_placeholders"] or {}).keys()
