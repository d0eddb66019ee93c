"""The `rest:` sensors of Joulo's own page, as a user has them in configuration.yaml."""

from pathlib import Path

from homeassistant.config import async_hass_config_yaml
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from tests.simulator import DEMO_TOKEN

AS_PRINTED = '"Bearer !secret joulo_token"'
CORRECTED = "!secret joulo_authorization"

_SECRETS = f"""
joulo_token: "{DEMO_TOKEN}"
joulo_authorization: "Bearer {DEMO_TOKEN}"
"""

# https://joulo.nl/en/home-assistant; the names, the templates and the units are the page's.
_PAGE = """
rest:
  - resource: <url>/chargers
    scan_interval: 60
    headers:
      Authorization: <authorization>
    sensor:
      - name: "Joulo Charger Status"
        value_template: "{{ value_json.chargers[0].status }}"
      - name: "Joulo Is Charging"
        value_template: "{{ value_json.chargers[0].is_charging }}"
      - name: "Joulo Session kWh"
        value_template: >-
          {{ value_json.chargers[0].current_session.kwh_so_far | default(0) }}
        unit_of_measurement: "kWh"
        device_class: energy
      - name: "Joulo Active TAG ID"
        value_template: >-
          {{ value_json.chargers[0].current_session.id_tag | default('') }}
  - resource: <url>/energy
    scan_interval: 3600
    headers:
      Authorization: <authorization>
    sensor:
      - name: "Joulo Total kWh"
        value_template: "{{ value_json.total_kwh }}"
        unit_of_measurement: "kWh"
        device_class: energy
      - name: "Joulo Total ERE"
        value_template: "{{ value_json.total_ere_credits }}"
  - resource: <url>/sessions?limit=10
    scan_interval: 600
    headers:
      Authorization: <authorization>
    sensor:
      - name: "Joulo Last Session kWh"
        value_template: "{{ value_json.sessions[0].kwh }}"
        unit_of_measurement: "kWh"
        device_class: energy
      - name: "Joulo Last Session ERE"
        value_template: "{{ value_json.sessions[0].ere_credits | default(0) }}"
"""

SENSORS = [
    "sensor.joulo_active_tag_id",
    "sensor.joulo_charger_status",
    "sensor.joulo_is_charging",
    "sensor.joulo_last_session_ere",
    "sensor.joulo_last_session_kwh",
    "sensor.joulo_session_kwh",
    "sensor.joulo_total_ere",
    "sensor.joulo_total_kwh",
]
"""What the page's names become as entity ids."""


class Configuration:
    """The configuration.yaml and secrets.yaml of a Home Assistant, and a Joulo for them at an address."""

    def __init__(self, hass: HomeAssistant, folder: Path, url: str) -> None:
        self._hass = hass
        self._folder = folder
        self._url = url
        hass.config.config_dir = str(folder)
        (folder / "secrets.yaml").write_text(_SECRETS, encoding="utf-8")

    def page(self, authorization: str = CORRECTED) -> str:
        """Return what is to be pasted; as printed it does not log in."""
        return _PAGE.replace("<url>", self._url).replace("<authorization>", authorization)

    async def start(self, text: str) -> None:
        """Set up the `rest` integration from such a configuration.yaml."""
        self._write(text)
        assert await async_setup_component(self._hass, "sensor", {})
        assert await async_setup_component(
            self._hass, "rest", await async_hass_config_yaml(self._hass)
        )
        await self._hass.async_block_till_done()

    async def reload(self, text: str) -> None:
        """Change the file, and reload its REST entities as a user does."""
        self._write(text)
        await self._hass.services.async_call("rest", "reload", blocking=True)
        await self._hass.async_block_till_done()

    def _write(self, text: str) -> None:
        (self._folder / "configuration.yaml").write_text(text, encoding="utf-8")
