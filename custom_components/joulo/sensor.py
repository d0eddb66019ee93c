"""Sensors: those of a charger (now, the running session, the last session), and the entity for all."""

from collections.abc import Callable
from datetime import datetime
from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfEnergy, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account_sensor import ACCOUNT_SENSORS
from .api import ChargerStatus, ChargingSession, ConnectionType
from .coordinator import ChargerState, JouloConfigEntry, LastSession
from .entity import JouloEntity, async_add_joulo_entities
from .sensor_description import (
    EnergyDescription,
    EreDescription,
    EuroDescription,
    JouloSensorDescription,
    MomentDescription,
    PowerDescription,
    Value,
)
from .sessions import average_power, duration, ere_credits, shown_hours

PARALLEL_UPDATES = 0

_STATUS: dict[object, str] = {
    ChargerStatus.ONLINE: "online",
    ChargerStatus.OFFLINE: "offline",
    ChargerStatus.CHARGING: "charging",
    ChargerStatus.ACTIVE: "active",
    # The bare word would look like a failed poll.
    ChargerStatus.UNAVAILABLE: "out_of_service",
}


def _of_session[StateT: (ChargerState, LastSession)](
    figure: Callable[[ChargingSession], Value],
) -> Callable[[StateT], Value]:
    """Return a figure of the state's session, unknown when there is none."""
    return lambda state: figure(state.session) if state.session else None


def _session_start(state: ChargerState) -> datetime | None:
    return state.session.started_at if state.session else None


def _average_power_now(state: ChargerState) -> float | None:
    if state.session is None or not state.running:
        return None
    return average_power(state.session.kwh, duration(state.session.started_at, state.at))


CHARGER_SENSORS: tuple[JouloSensorDescription[ChargerState], ...] = (
    JouloSensorDescription(
        key="status",
        device_class=SensorDeviceClass.ENUM,
        options=list(_STATUS.values()),
        value_fn=lambda state: _STATUS.get(state.charger.status),
    ),
    EnergyDescription(
        key="session_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_session(lambda session: session.kwh),
        last_reset_fn=_session_start,
    ),
    EreDescription(
        key="session_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_session(ere_credits),
        last_reset_fn=_session_start,
    ),
    MomentDescription(
        key="session_start",
        value_fn=_session_start,
    ),
    PowerDescription(
        key="session_average_power",
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=_average_power_now,
    ),
    JouloSensorDescription(
        key="active_tag_id",
        value_fn=lambda state: state.session.id_tag if state.session and state.running else None,
    ),
    EnergyDescription(
        key="total_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.totals.kwh,
    ),
    EreDescription(
        key="total_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.totals.ere,
    ),
    JouloSensorDescription(
        key="meter_reading",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda state: state.charger.latest_meter_wh,
        exists_fn=lambda state: state.charger.latest_meter_wh is not None,
    ),
    MomentDescription(
        key="meter_updated",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda state: state.charger.meter_updated_at,
    ),
    JouloSensorDescription(
        key="connection_type",
        device_class=SensorDeviceClass.ENUM,
        options=[connection.value for connection in ConnectionType],
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda state: (
            connection
            if isinstance(connection := state.charger.connection_type, ConnectionType)
            else None
        ),
    ),
)

LAST_SESSION_SENSORS: tuple[JouloSensorDescription[LastSession], ...] = (
    EnergyDescription(
        key="last_session_energy",
        value_fn=_of_session(lambda session: session.kwh),
    ),
    EreDescription(
        key="last_session_ere",
        value_fn=_of_session(ere_credits),
    ),
    EuroDescription(
        key="last_session_value",
        value_fn=lambda state: state.value,
    ),
    MomentDescription(
        key="last_session_start",
        entity_registry_enabled_default=False,
        value_fn=_of_session(lambda session: session.started_at),
    ),
    MomentDescription(
        key="last_session_end",
        value_fn=_of_session(lambda session: session.ended_at),
    ),
    JouloSensorDescription(
        key="last_session_duration",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.HOURS,
        suggested_display_precision=5,
        value_fn=_of_session(
            lambda session: shown_hours(duration(session.started_at, session.ended_at))
        ),
    ),
    PowerDescription(
        key="last_session_average_power",
        entity_registry_enabled_default=False,
        value_fn=_of_session(
            lambda session: average_power(
                session.kwh, duration(session.started_at, session.ended_at)
            )
        ),
    ),
    JouloSensorDescription(
        key="last_session_tag_id",
        value_fn=_of_session(lambda session: session.id_tag),
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the chargers and of the account."""
    data = entry.runtime_data
    async_add_joulo_entities(data.chargers, CHARGER_SENSORS, JouloSensor, async_add_entities)
    async_add_joulo_entities(data.sessions, LAST_SESSION_SENSORS, JouloSensor, async_add_entities)
    async_add_joulo_entities(data.account, ACCOUNT_SENSORS, JouloSensor, async_add_entities)


class JouloSensor[StateT](JouloEntity[StateT], SensorEntity):
    """A figure of a charger or of the account."""

    entity_description: JouloSensorDescription[StateT]

    @property
    @override
    def native_value(self) -> Value:
        return self.entity_description.value_fn(self.device_state)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Value]:
        return self.entity_description.attributes_fn(self.device_state)

    @property
    @override
    def last_reset(self) -> datetime | None:
        return self.entity_description.last_reset_fn(self.device_state)
