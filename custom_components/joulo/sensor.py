"""Sensors of a charger (now, the running session, the last session) and of the account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    PERCENTAGE,
    EntityCategory,
    UnitOfEnergy,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .api import ChargerStatus, ChargingSession, ConnectionType, Door, Month
from .const import ERE, EURO, EURO_PER_ERE
from .coordinator import AccountState, ChargerState, JouloConfigEntry, LastSession
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities
from .sessions import (
    average_power,
    duration,
    ere_credits,
    midnight,
    month_figures,
    net_value,
    shown_ere,
    year_total,
)

PARALLEL_UPDATES = 0

type Value = StateType | datetime

_STATUS: dict[object, str] = {
    ChargerStatus.ONLINE: "online",
    ChargerStatus.OFFLINE: "offline",
    ChargerStatus.CHARGING: "charging",
    ChargerStatus.ACTIVE: "active",
    # The bare word would look like a failed poll.
    ChargerStatus.UNAVAILABLE: "out_of_service",
}


@dataclass(frozen=True, kw_only=True)
class JouloSensorDescription[StateT](JouloEntityDescription[StateT], SensorEntityDescription):
    """How a sensor follows from its owner's state."""

    value_fn: Callable[[StateT], Value]
    last_reset_fn: Callable[[StateT], datetime | None] = lambda _: None


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
    JouloSensorDescription(
        key="session_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=_of_session(lambda session: session.kwh),
        last_reset_fn=_session_start,
    ),
    JouloSensorDescription(
        key="session_ere",
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=ERE,
        suggested_display_precision=2,
        value_fn=_of_session(shown_ere),
        last_reset_fn=_session_start,
    ),
    JouloSensorDescription(
        key="session_start",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_session_start,
    ),
    JouloSensorDescription(
        key="session_average_power",
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
        entity_registry_enabled_default=False,
        value_fn=_average_power_now,
    ),
    JouloSensorDescription(
        key="active_tag_id",
        value_fn=lambda state: state.session.id_tag if state.session and state.running else None,
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
    JouloSensorDescription(
        key="meter_updated",
        device_class=SensorDeviceClass.TIMESTAMP,
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
    JouloSensorDescription(
        key="last_session_energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=_of_session(lambda session: session.kwh),
    ),
    JouloSensorDescription(
        key="last_session_ere",
        native_unit_of_measurement=ERE,
        suggested_display_precision=2,
        value_fn=_of_session(ere_credits),
    ),
    JouloSensorDescription(
        key="last_session_value",
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement=EURO,
        suggested_display_precision=2,
        value_fn=lambda state: state.value,
    ),
    JouloSensorDescription(
        key="last_session_start",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_registry_enabled_default=False,
        value_fn=_of_session(lambda session: session.started_at),
    ),
    JouloSensorDescription(
        key="last_session_end",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_of_session(lambda session: session.ended_at),
    ),
    JouloSensorDescription(
        key="last_session_duration",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.HOURS,
        suggested_display_precision=2,
        value_fn=_of_session(lambda session: duration(session.started_at, session.ended_at)),
    ),
    JouloSensorDescription(
        key="last_session_average_power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.KILO_WATT,
        suggested_display_precision=2,
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


def _this_month(state: AccountState) -> Month | None:
    return month_figures(state.energy, state.day)


def _of_month(figure: Callable[[Month], Value]) -> Callable[[AccountState], Value]:
    """Return a figure of the current month, unknown where Joulo sent no months."""
    return lambda state: figure(month) if (month := _this_month(state)) else None


def _year_energy(state: AccountState) -> float | None:
    return year_total(state.energy, state.day, lambda month: month.kwh)


def _year_ere(state: AccountState) -> float | None:
    return year_total(state.energy, state.day, lambda month: month.ere_credits)


def _month_start(state: AccountState) -> datetime:
    return midnight(state.day.replace(day=1))


def _year_start(state: AccountState) -> datetime:
    return midnight(state.day.replace(month=1, day=1))


def _has_asked_me(state: AccountState) -> bool:
    return Door.ME not in state.failed


ACCOUNT_SENSORS: tuple[JouloSensorDescription[AccountState], ...] = (
    JouloSensorDescription(
        key="total_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda state: state.energy.total_kwh,
    ),
    JouloSensorDescription(
        key="total_energy_all",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=lambda state: state.energy.total_kwh_all,
        exists_fn=lambda state: state.energy.total_kwh_all is not None,
    ),
    JouloSensorDescription(
        key="total_ere",
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=ERE,
        suggested_display_precision=2,
        value_fn=lambda state: state.energy.total_ere_credits,
    ),
    JouloSensorDescription(
        key="total_sessions",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_sessions,
    ),
    JouloSensorDescription(
        key="month_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=_of_month(lambda month: month.kwh),
        last_reset_fn=_month_start,
    ),
    JouloSensorDescription(
        key="month_ere",
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=ERE,
        suggested_display_precision=2,
        value_fn=_of_month(lambda month: month.ere_credits),
        last_reset_fn=_month_start,
    ),
    JouloSensorDescription(
        key="month_sessions",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_month(lambda month: month.sessions),
        last_reset_fn=_month_start,
    ),
    JouloSensorDescription(
        key="year_energy",
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        value_fn=_year_energy,
        last_reset_fn=_year_start,
    ),
    JouloSensorDescription(
        key="year_ere",
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=ERE,
        suggested_display_precision=2,
        value_fn=_year_ere,
        last_reset_fn=_year_start,
    ),
    JouloSensorDescription(
        key="month_value",
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement=EURO,
        suggested_display_precision=2,
        available_fn=_has_asked_me,
        value_fn=lambda state: net_value(
            month.ere_credits if (month := _this_month(state)) else None, state.me
        ),
    ),
    JouloSensorDescription(
        key="year_value",
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement=EURO,
        suggested_display_precision=2,
        available_fn=_has_asked_me,
        value_fn=lambda state: net_value(_year_ere(state), state.me),
    ),
    JouloSensorDescription(
        key="total_value",
        device_class=SensorDeviceClass.MONETARY,
        native_unit_of_measurement=EURO,
        suggested_display_precision=2,
        available_fn=_has_asked_me,
        value_fn=lambda state: net_value(state.energy.total_ere_credits, state.me),
    ),
    JouloSensorDescription(
        key="ere_price",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=EURO_PER_ERE,
        suggested_display_precision=3,
        available_fn=_has_asked_me,
        value_fn=lambda state: state.me.ere_price_mid if state.me else None,
    ),
    JouloSensorDescription(
        key="platform_fee",
        native_unit_of_measurement=PERCENTAGE,
        available_fn=_has_asked_me,
        value_fn=lambda state: state.me.effective_fee_pct if state.me else None,
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
        return self.entity_description.value_fn(self.owner)

    @property
    @override
    def last_reset(self) -> datetime | None:
        return self.entity_description.last_reset_fn(self.owner)
