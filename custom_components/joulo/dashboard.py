"""The dashboard: a module that browsers load, and that offers Joulo where dashboards are added."""

from pathlib import Path

from homeassistant.components.frontend import add_extra_js_url
from homeassistant.components.http import StaticPathConfig  # type: ignore[attr-defined]
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

from .const import DOMAIN

_MODULE = Path(__file__).parent / "frontend" / "joulo-dashboard.js"
_PATH = f"/{DOMAIN}/{_MODULE.name}"


async def async_register_dashboard(hass: HomeAssistant) -> None:
    """Serve the module; a new version has a new address, so that browsers may keep the old one for long."""
    await hass.http.async_register_static_paths(
        [StaticPathConfig(_PATH, str(_MODULE), cache_headers=True)]
    )
    integration = await async_get_integration(hass, DOMAIN)
    add_extra_js_url(hass, f"{_PATH}?v={integration.version}")
