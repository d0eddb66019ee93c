"""Client of DER Connect, a service that tells charging sessions as the car itself saw them.

It does not import Home Assistant. It shares the transport, the parsers and the errors with the client of Joulo.
"""

from .client import DEFAULT_TOKEN_URL, DEFAULT_URL, Credentials, DerConnectClient
from .errors import DerConnectRefusedError
from .models import CarSession

__all__ = [
    "DEFAULT_TOKEN_URL",
    "DEFAULT_URL",
    "CarSession",
    "Credentials",
    "DerConnectClient",
    "DerConnectRefusedError",
]
