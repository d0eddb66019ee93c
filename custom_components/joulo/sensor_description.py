"""What the descriptions of all sensors have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from homeassistant.components.sensor import SensorEntityDescription
from homeassistant.helpers.typing import StateType

from .entity import JouloEntityDescription

type Value = StateType | datetime


@dataclass(frozen=True, kw_only=True)
class JouloSensorDescription[StateT](JouloEntityDescription[StateT], SensorEntityDescription):
    """How a sensor follows from its owner's state."""

    value_fn: Callable[[StateT], Value]
    last_reset_fn: Callable[[StateT], datetime | None] = lambda _: None
    attributes_fn: Callable[[StateT], dict[str, Value]] = lambda _: {}
