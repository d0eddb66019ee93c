"""Buttons of a charger: restarts, of chargers that are connected by OCPP."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.components.button.const import ButtonDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .api import ConnectionType
from .const import DOMAIN
from .coordinator import ChargerState
from .data import JouloConfigEntry
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities
from .helpers import async_send_command

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class JouloRestartDescription(JouloEntityDescription[ChargerState], ButtonEntityDescription):
    """Description of a restart button. A soft restart ends the running session first; a hard one does not (OCPP, Reset)."""

    hard: bool


def _is_ocpp(state: ChargerState) -> bool:
    return state.charger.connection_type is ConnectionType.OCPP


CHARGER_BUTTONS = (
    JouloRestartDescription(
        key="restart",
        device_class=ButtonDeviceClass.RESTART,
        entity_category=EntityCategory.CONFIG,
        exists_fn=_is_ocpp,
        hard=False,
    ),
    JouloRestartDescription(
        key="hard_restart",
        device_class=ButtonDeviceClass.RESTART,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=False,
        exists_fn=_is_ocpp,
        hard=True,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of the chargers."""
    async_add_joulo_entities(
        entry.runtime_data.chargers, CHARGER_BUTTONS, JouloRestartButton, async_add_entities
    )


class JouloRestartButton(JouloEntity[ChargerState], ButtonEntity):
    """A button that restarts a charger."""

    entity_description: JouloRestartDescription

    @override
    def _shown(self, state: ChargerState) -> object:
        return None

    @override
    async def async_press(self) -> None:
        """Restart the charger; whoever pressed hears it when nobody saw the charger come back."""
        chargers = self.coordinator.config_entry.runtime_data.chargers
        restart = chargers.client.restart_charger(
            self._device_key, hard=self.entity_description.hard
        )
        if not await async_send_command(restart):
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="restart_not_verified"
            )
