"""What Home Assistant's own elements show of the entities: their words and icons are Joulo's, not those of a class."""

from .conftest import Visit

SHOW = """(state) => {
  const root = document.querySelector("home-assistant");
  const { hass } = root;
  const { id } = Object.values(hass.devices).find((each) => each.name === "Garage");
  const { entity_id } = Object.values(hass.entities).find(
    (each) => each.device_id === id && each.translation_key === "charging",
  );
  const stateObj = { ...hass.states[entity_id], state };
  const icon = document.createElement("ha-state-icon");
  Object.assign(icon, { id: `shown-${state}`, stateObj, stateTitle: true });
  root.shadowRoot.append(icon);
  return stateObj.attributes.device_class;
}"""
"""Adds the icon of a state to the page, where it finds what Home Assistant knows; its title is what the state is called."""
SHOWN = """(state) => {
  const root = document.querySelector("home-assistant").shadowRoot;
  const { title, shadowRoot } = root.querySelector(`#shown-${state}`);
  const icon = shadowRoot?.querySelector("ha-icon")?.icon;
  return icon && title !== state && [title, icon];
}"""
"""Returns the title and the icon once both have been loaded."""


async def test_whether_a_charger_charges_is_not_shown_as_of_a_battery(
    visit: Visit, language: str
) -> None:
    visitor = await visit(1280, "light")
    words = {"en": ["Charging", "Not charging"], "nl": ["Laadt", "Laadt niet"]}[language]
    shown = []
    for state in ("on", "off"):
        assert await visitor.page.evaluate(SHOW, state) == "battery_charging"
        found = await visitor.page.wait_for_function(SHOWN, arg=state, timeout=20_000)
        shown.append(await found.json_value())
    assert shown == [[words[0], "mdi:ev-station"], [words[1], "mdi:ev-plug-type2"]]
