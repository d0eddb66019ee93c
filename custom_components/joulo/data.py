"""Runtime data of a config entry, and the type of the entry that holds it."""

from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .coordinator import (
    AccountCoordinator,
    CarsCoordinator,
    ChargersCoordinator,
    SessionsCoordinator,
    VehiclesCoordinator,
)
from .history import SessionHistory
from .sync.der_connect import DerConnectReader
from .sync.publisher import SessionEventPublisher


@dataclass(frozen=True, slots=True)
class JouloData:
    """Parts of an account that its platforms, actions and diagnostics use."""

    history: SessionHistory
    chargers: ChargersCoordinator
    sessions: SessionsCoordinator
    account: AccountCoordinator
    vehicles: VehiclesCoordinator
    cars: CarsCoordinator
    der_connect: DerConnectReader
    publisher: SessionEventPublisher


type JouloConfigEntry = ConfigEntry[JouloData]
