"""Sensors of a charger (its state, the running session, the last session) and of the account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Literal, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    EntityCategory,
    UnitOfEnergy,
    UnitOfLength,
    UnitOfPower,
    UnitOfRatio,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .api import ChargerStatus, ChargingSession, ConnectionType, Endpoint, ErePosition, Month
from .const import ERE, EURO, EURO_PER_ERE
from .coordinator import AccountState, CarState, ChargerState, LastSession, VehicleState
from .data import JouloConfigEntry
from .der_connect.models import CarSession
from .entity import JouloEntity, JouloEntityDescription, async_add_joulo_entities
from .sessions.ere import ere_credits, net_value
from .sessions.figures import average_power, duration, shown_hours
from .sessions.months import midnight, month_figures, year_total
from .sessions.queries import CostSums, Sums

PARALLEL_UPDATES = 0

type Value = StateType | datetime


@dataclass(frozen=True, kw_only=True)
class JouloSensorDescription[StateT](JouloEntityDescription[StateT], SensorEntityDescription):
    """Description of a sensor: its value and attributes as functions of its device's state."""

    value_fn: Callable[[StateT], Value]
    last_reset_fn: Callable[[StateT], datetime | None] = lambda _: None
    attributes_fn: Callable[[StateT], dict[str, Value]] = lambda _: {}


@dataclass(frozen=True, kw_only=True)
class EnergyDescription[StateT](JouloSensorDescription[StateT]):
    """An energy in kWh."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.ENERGY
    native_unit_of_measurement: str | None = UnitOfEnergy.KILO_WATT_HOUR
    suggested_display_precision: int | None = 2


@dataclass(frozen=True, kw_only=True)
class EreDescription[StateT](JouloSensorDescription[StateT]):
    """A number of ERE credits."""

    native_unit_of_measurement: str | None = ERE
    suggested_display_precision: int | None = 2


@dataclass(frozen=True, kw_only=True)
class EuroDescription[StateT](JouloSensorDescription[StateT]):
    """An amount in EUR."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.MONETARY
    native_unit_of_measurement: str | None = EURO
    suggested_display_precision: int | None = 2


@dataclass(frozen=True, kw_only=True)
class PowerDescription[StateT](JouloSensorDescription[StateT]):
    """A power in kW."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.POWER
    native_unit_of_measurement: str | None = UnitOfPower.KILO_WATT
    suggested_display_precision: int | None = 2


@dataclass(frozen=True, kw_only=True)
class MomentDescription[StateT](JouloSensorDescription[StateT]):
    """A point in time."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.TIMESTAMP


@dataclass(frozen=True, kw_only=True)
class PercentageDescription[StateT](JouloSensorDescription[StateT]):
    """A state of charge in percent at a past moment. The class of a battery is for the level of now."""

    native_unit_of_measurement: str | None = UnitOfRatio.PERCENTAGE
    suggested_display_precision: int | None = 0


@dataclass(frozen=True, kw_only=True)
class RangeDescription[StateT](JouloSensorDescription[StateT]):
    """A distance in km that a car can drive."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.DISTANCE
    native_unit_of_measurement: str | None = UnitOfLength.KILOMETERS
    suggested_display_precision: int | None = 0


_STATUS: dict[object, str] = {
    ChargerStatus.ONLINE: "online",
    ChargerStatus.OFFLINE: "offline",
    ChargerStatus.CHARGING: "charging",
    ChargerStatus.ACTIVE: "active",
    # The bare word would look like a failed poll.
    ChargerStatus.UNAVAILABLE: "out_of_service",
}


def _of_session[StateT: ChargerState | LastSession](
    figure: Callable[[ChargingSession], Value],
) -> Callable[[StateT], Value]:
    """Return a figure of the state's session, unknown when there is none."""
    return lambda state: figure(state.session) if state.session else None


def _session_start(state: ChargerState) -> datetime | None:
    return state.session.started_at if state.session else None


CHARGER_SENSORS: tuple[JouloSensorDescription[ChargerState], ...] = (
    JouloSensorDescription(
        key="status",
        device_class=SensorDeviceClass.ENUM,
        options=list(_STATUS.values()),
        value_fn=lambda state: _STATUS.get(state.charger.status),
    ),
    EnergyDescription(
        # No state class: a session's start may be corrected, and the recorder would count it again.
        key="session_energy",
        value_fn=_of_session(lambda session: session.kwh),
    ),
    EreDescription(
        key="session_ere",
        value_fn=_of_session(ere_credits),
    ),
    MomentDescription(
        key="session_start",
        value_fn=_session_start,
    ),
    PowerDescription(
        key="session_average_power",
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
        value_fn=lambda state: state.average_power,
    ),
    EuroDescription(
        key="session_cost",
        exists_fn=lambda state: state.has_price,
        value_fn=lambda state: state.cost,
    ),
    JouloSensorDescription(
        key="active_tag_id",
        value_fn=lambda state: state.session.id_tag if state.session and state.is_active else None,
    ),
    JouloSensorDescription(
        key="active_vehicle",
        exists_fn=lambda state: state.has_vehicles,
        value_fn=lambda state: state.vehicle if state.is_active else None,
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
        value_fn=lambda state: state.meter_wh,
        exists_fn=lambda state: state.meter_wh is not None,
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


def _cost[StateT](
    key: str,
    sums: Callable[[StateT], CostSums | None],
    last_reset_fn: Callable[[StateT], datetime | None] = lambda _: None,
    *,
    figure: Callable[[CostSums], float | None] = attrgetter("cost"),
) -> JouloSensorDescription[StateT]:
    """Return the sensor of a sum of costs. It tells how many sessions have no known cost, and so are not in it."""
    return EuroDescription(
        key=key,
        state_class=SensorStateClass.TOTAL,
        exists_fn=lambda state: sums(state) is not None,
        value_fn=lambda state: figure(found) if (found := sums(state)) else None,
        last_reset_fn=last_reset_fn,
        attributes_fn=lambda state: _unpriced(sums(state)),
    )


def _unpriced(sums: CostSums | None) -> dict[str, Value]:
    return {} if sums is None else {"unpriced_sessions": sums.unpriced}


def _last_session[StateT: LastSession]() -> tuple[JouloSensorDescription[StateT], ...]:
    """Return the sensors of the newest completed session, of a charger or of a vehicle."""
    return (
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
        EuroDescription(
            key="last_session_cost",
            exists_fn=lambda state: state.costs is not None,
            value_fn=lambda state: state.cost,
        ),
        _cost("total_cost", lambda state: state.costs),
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
    )


LAST_SESSION_SENSORS: tuple[JouloSensorDescription[LastSession], ...] = (
    *_last_session(),
    JouloSensorDescription(
        key="last_session_tag_id",
        value_fn=_of_session(lambda session: session.id_tag),
    ),
    JouloSensorDescription(
        key="last_session_vehicle",
        exists_fn=lambda state: state.has_vehicles,
        value_fn=lambda state: state.vehicle,
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


def _month_start(state: AccountState | VehicleState | CarState) -> datetime:
    return midnight(state.day.replace(day=1))


def _year_start(state: AccountState | VehicleState | CarState) -> datetime:
    return midnight(state.day.replace(month=1, day=1))


def _me_answered(state: AccountState) -> bool:
    return Endpoint.ME not in state.failed


def _of_position(figure: Callable[[ErePosition], Value]) -> Callable[[AccountState], Value]:
    """Return a figure of the ERE position, unknown where the account has none any more."""
    return lambda state: figure(state.position) if state.position else None


def _of_span[StateT: AccountState | VehicleState](
    span: Literal["total", "month", "year"],
) -> Callable[[StateT], CostSums | None]:
    """Return what the sessions of a span have cost, none without a price."""
    return lambda state: getattr(state.spans, span) if state.spans else None


def _has_position(state: AccountState) -> bool:
    return state.position is not None


def _position_answered(state: AccountState) -> bool:
    return Endpoint.ERE_POSITION not in state.failed


def _reach(state: AccountState) -> dict[str, Value]:
    """Return since when, and whether all, and when all sessions have been read."""
    coverage = state.coverage
    return {
        "oldest": coverage.oldest,
        "complete": coverage.last_full_read is not None,
        "last_full_read": coverage.last_full_read,
    }


ACCOUNT_SENSORS: tuple[JouloSensorDescription[AccountState], ...] = (
    EnergyDescription(
        key="total_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_kwh,
    ),
    EnergyDescription(
        key="total_energy_all",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_kwh_all,
        exists_fn=lambda state: state.energy.total_kwh_all is not None,
    ),
    EreDescription(
        key="total_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_ere_credits,
    ),
    JouloSensorDescription(
        key="total_sessions",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_sessions,
    ),
    EnergyDescription(
        key="month_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_month(lambda month: month.kwh),
        last_reset_fn=_month_start,
    ),
    EreDescription(
        key="month_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_month(lambda month: month.ere_credits),
        last_reset_fn=_month_start,
    ),
    JouloSensorDescription(
        key="month_sessions",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_month(lambda month: month.sessions),
        last_reset_fn=_month_start,
    ),
    EnergyDescription(
        key="year_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=_year_energy,
        last_reset_fn=_year_start,
    ),
    EreDescription(
        key="year_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=_year_ere,
        last_reset_fn=_year_start,
    ),
    EuroDescription(
        key="month_value",
        available_fn=_me_answered,
        value_fn=lambda state: net_value(
            month.ere_credits if (month := _this_month(state)) else None, state.profile
        ),
    ),
    EuroDescription(
        key="year_value",
        available_fn=_me_answered,
        value_fn=lambda state: net_value(_year_ere(state), state.profile),
    ),
    EuroDescription(
        key="total_value",
        available_fn=_me_answered,
        value_fn=lambda state: net_value(state.energy.total_ere_credits, state.profile),
    ),
    JouloSensorDescription(
        key="ere_price",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=EURO_PER_ERE,
        suggested_display_precision=3,
        available_fn=_me_answered,
        value_fn=lambda state: state.profile.ere_price_mid if state.profile else None,
    ),
    JouloSensorDescription(
        key="platform_fee",
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        available_fn=_me_answered,
        value_fn=lambda state: state.profile.effective_fee_pct if state.profile else None,
    ),
    _cost("total_cost", _of_span("total")),
    _cost("month_cost", _of_span("month"), _month_start),
    _cost("year_cost", _of_span("year"), _year_start),
    _cost("month_net_cost", _of_span("month"), _month_start, figure=attrgetter("net")),
    _cost("year_net_cost", _of_span("year"), _year_start, figure=attrgetter("net")),
    EuroDescription(
        key="paid_out",
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.paid.net_eur),
    ),
    EuroDescription(
        key="payable",
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.payable.net_eur),
    ),
    EuroDescription(
        key="reserved",
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.reserved.net_eur),
    ),
    EuroDescription(
        key="expected_this_year",
        exists_fn=_has_position,
        available_fn=_position_answered,
        # The whole year's; `ytd_expected_eur` stops at what has been charged by now.
        value_fn=_of_position(lambda position: position.total_expected_eur),
    ),
    EreDescription(
        key="unsold_ere",
        # A stock, not a sum: statistics keep its course.
        state_class=SensorStateClass.MEASUREMENT,
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.unsold.ere),
    ),
    JouloSensorDescription(
        key="history_sessions",
        # A stock too. Without a unit it is the state class that has history drawn as a line.
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: state.coverage.sessions,
        attributes_fn=_reach,
    ),
)


def _sums_of(
    span: Literal["month", "year"], start: Callable[[VehicleState], datetime]
) -> tuple[JouloSensorDescription[VehicleState], ...]:
    """Return the sensors of what a vehicle's sessions of the month or the year add up to."""
    sums: Callable[[VehicleState], Sums | None] = attrgetter(span)
    return (
        EnergyDescription(
            key=f"{span}_energy",
            state_class=SensorStateClass.TOTAL,
            value_fn=lambda state: found.kwh if (found := sums(state)) else None,
            last_reset_fn=start,
        ),
        EreDescription(
            key=f"{span}_ere",
            state_class=SensorStateClass.TOTAL,
            value_fn=lambda state: found.ere if (found := sums(state)) else None,
            last_reset_fn=start,
        ),
        EuroDescription(
            key=f"{span}_value",
            state_class=SensorStateClass.TOTAL,
            value_fn=lambda state: found.value if (found := sums(state)) else None,
            last_reset_fn=start,
        ),
    )


VEHICLE_SENSORS: tuple[JouloSensorDescription[VehicleState], ...] = (
    JouloSensorDescription(
        key="charger",
        value_fn=lambda state: state.charger,
    ),
    EnergyDescription(
        key="total_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.total.kwh if state.total else None,
    ),
    EreDescription(
        key="total_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.total.ere if state.total else None,
    ),
    *_sums_of("month", _month_start),
    JouloSensorDescription(
        key="month_sessions",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.month.completed if state.month else None,
        last_reset_fn=_month_start,
    ),
    *_sums_of("year", _year_start),
    _cost("month_cost", _of_span("month"), _month_start),
    _cost("year_cost", _of_span("year"), _year_start),
    *_last_session(),
    JouloSensorDescription(
        key="last_session_charger",
        value_fn=lambda state: state.last_charger,
    ),
)


def _of_charge(figure: Callable[[CarSession], Value]) -> Callable[[CarState], Value]:
    """Return a figure of the newest session that a car has recorded, unknown when there is none."""
    return lambda state: figure(state.charge) if state.charge else None


CAR_SENSORS: tuple[JouloSensorDescription[CarState], ...] = (
    EnergyDescription(
        key="last_charge_energy",
        value_fn=lambda state: state.energy,
    ),
    PowerDescription(
        key="last_charge_average_power",
        entity_registry_enabled_default=False,
        value_fn=_of_charge(lambda charge: charge.average_power_kw),
    ),
    MomentDescription(
        key="last_charge_start",
        entity_registry_enabled_default=False,
        value_fn=_of_charge(lambda charge: charge.started_at),
    ),
    MomentDescription(
        key="last_charge_end",
        value_fn=_of_charge(lambda charge: charge.ended_at),
    ),
    JouloSensorDescription(
        key="last_charge_location",
        value_fn=lambda state: state.location,
    ),
    PercentageDescription(
        key="last_charge_soc_start",
        value_fn=_of_charge(lambda charge: charge.soc_start),
    ),
    PercentageDescription(
        key="last_charge_soc_end",
        value_fn=_of_charge(lambda charge: charge.soc_end),
    ),
    RangeDescription(
        key="last_charge_range_start",
        entity_registry_enabled_default=False,
        value_fn=_of_charge(lambda charge: charge.range_start_km),
    ),
    RangeDescription(
        key="last_charge_range_end",
        value_fn=_of_charge(lambda charge: charge.range_end_km),
    ),
    EnergyDescription(
        key="elsewhere_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.elsewhere,
    ),
    EnergyDescription(
        key="month_elsewhere_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.month_elsewhere,
        last_reset_fn=_month_start,
    ),
    EnergyDescription(
        key="year_elsewhere_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.year_elsewhere,
        last_reset_fn=_year_start,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JouloConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the chargers, the account, the vehicles and their cars."""
    data = entry.runtime_data
    async_add_joulo_entities(data.chargers, CHARGER_SENSORS, JouloSensor, async_add_entities)
    async_add_joulo_entities(data.sessions, LAST_SESSION_SENSORS, JouloSensor, async_add_entities)
    async_add_joulo_entities(data.account, ACCOUNT_SENSORS, JouloSensor, async_add_entities)
    async_add_joulo_entities(data.vehicles, VEHICLE_SENSORS, JouloSensor, async_add_entities)
    async_add_joulo_entities(data.cars, CAR_SENSORS, JouloSensor, async_add_entities)


class JouloSensor[StateT](JouloEntity[StateT], SensorEntity):
    """A figure of a charger, of the account, of a vehicle or of its car."""

    entity_description: JouloSensorDescription[StateT]

    @override
    def _shown(self, state: StateT) -> object:
        description = self.entity_description
        return (
            description.value_fn(state),
            description.last_reset_fn(state),
            description.attributes_fn(state),
        )

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
