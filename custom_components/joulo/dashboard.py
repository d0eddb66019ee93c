"""The dashboard: modules that browsers load, which offer Joulo where dashboards and cards are added."""

from pathlib import Path

from homeassistant.components.frontend import add_extra_js_url
from homeassistant.components.http import StaticPathConfig  # type: ignore[attr-defined]
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

from .const import DOMAIN

_FOLDER = Path(__file__).parent / "frontend"


async def async_register_dashboard(hass: HomeAssistant) -> None:
    """Serve the modules, and have every page load the one that offers the others.

    A new version has a new address, so that browsers may keep the old one for long, and never mix the two.
    """
    integration = await async_get_integration(hass, DOMAIN)
    address = f"/{DOMAIN}/{integration.version}"
    await hass.http.async_register_static_paths(
        [StaticPathConfig(address, str(_FOLDER), cache_headers=True)]
    )
    add_extra_js_url(hass, f"{address}/joulo-dashboard.js")
