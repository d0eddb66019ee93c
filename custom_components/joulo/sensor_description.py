"""What the descriptions of all sensors have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription
from homeassistant.const import UnitOfEnergy, UnitOfPower
from homeassistant.helpers.typing import StateType

from .const import ERE, EURO
from .entity import JouloEntityDescription

type Value = StateType | datetime


@dataclass(frozen=True, kw_only=True)
class JouloSensorDescription[StateT](JouloEntityDescription[StateT], SensorEntityDescription):
    """How a sensor follows from its owner's state."""

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
    """An amount in EUR, which moves with the price: no statistics are made of it."""

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
