"""The form of an action in the user interface."""

from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import validate_selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
import probatio
import pytest

from custom_components.joulo.const import DEAREST_KWH, DOMAIN
from custom_components.joulo.services import GET_SESSIONS, REGISTER_CHARGER
from tests.actions.calls import (
    refusal,
)

FORMS = load_yaml_dict(
    str(Path(__file__).parents[2] / "custom_components" / DOMAIN / "services.yaml")
)


@pytest.mark.parametrize(
    ("action", "schema"), [("get_sessions", GET_SESSIONS), ("register_charger", REGISTER_CHARGER)]
)
def test_a_form_asks_for_what_an_action_takes(action: str, schema: probatio.Schema) -> None:
    fields = FORMS[action]["fields"]
    assert {str(key): isinstance(key, probatio.Required) for key in schema.schema} == {
        name: field.get("required", False) for name, field in fields.items()
    }
    for field in fields.values():
        validate_selector(field["selector"])


def test_the_form_and_the_action_agree_on_the_dearest_kwh() -> None:
    selector = FORMS["get_sessions"]["fields"]["price_per_kwh"]["selector"]
    assert selector["number"]["max"] == DEAREST_KWH


async def test_the_actions_are_there_before_an_account_is(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    assert set(hass.services.async_services_for_domain(DOMAIN)) == set(FORMS)
    assert "Could not find config entry" in await refusal(hass)
