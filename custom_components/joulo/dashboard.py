"""The dashboard: a module that browsers load, which offers Joulo where dashboards are added, and that of the card in it."""

from pathlib import Path

from homeassistant.components.frontend import add_extra_js_url
from homeassistant.components.http import StaticPathConfig  # type: ignore[attr-defined]
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

from .const import DOMAIN

_FOLDER = Path(__file__).parent / "frontend"
_MODULES = ("joulo-dashboard.js", "joulo-sessions-card.js")
"""The first one stands on every page, and loads the other where it is needed."""


async def async_register_dashboard(hass: HomeAssistant) -> None:
    """Serve the modules; a new version has a new address, so that browsers may keep the old one for long."""
    await hass.http.async_register_static_paths(
        [
            StaticPathConfig(f"/{DOMAIN}/{name}", str(_FOLDER / name), cache_headers=True)
            for name in _MODULES
        ]
    )
    integration = await async_get_integration(hass, DOMAIN)
    add_extra_js_url(hass, f"/{DOMAIN}/{_MODULES[0]}?v={integration.version}")
