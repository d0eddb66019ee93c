"""A client of the Joulo API that knows nothing of Home Assistant and could be published as it is."""

from .client import API_URL, JouloClient
from .errors import (
    JouloAuthError,
    JouloConnectionError,
    JouloError,
    JouloInsecureUrlError,
    JouloNotFoundError,
    JouloRateLimitError,
    JouloResponseError,
    JouloScopeError,
    JouloServerError,
    JouloTooEarlyError,
)
from .gate import Door, Gate
from .models import (
    Charger,
    ChargerStatus,
    ChargingSession,
    ConnectionType,
    CurrentSession,
    Energy,
    Me,
    Month,
    SessionPage,
    SessionStatus,
)
from .pages import SessionRange

__all__ = [
    "API_URL",
    "Charger",
    "ChargerStatus",
    "ChargingSession",
    "ConnectionType",
    "CurrentSession",
    "Door",
    "Energy",
    "Gate",
    "JouloAuthError",
    "JouloClient",
    "JouloConnectionError",
    "JouloError",
    "JouloInsecureUrlError",
    "JouloNotFoundError",
    "JouloRateLimitError",
    "JouloResponseError",
    "JouloScopeError",
    "JouloServerError",
    "JouloTooEarlyError",
    "Me",
    "Month",
    "SessionPage",
    "SessionRange",
    "SessionStatus",
]
