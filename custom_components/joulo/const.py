"""Names and limits that several modules use."""

from typing import Final

DOMAIN: Final = "joulo"

CONF_ADVANCED: Final = "advanced"
CONF_CHARGERS_INTERVAL: Final = "chargers_interval"
CONF_TAKEN_OVER: Final = "taken_over"
"""Key in an entry's data of what becomes of the entities of another integration, until the user has confirmed it."""

CHARGERS_INTERVAL: Final = 60
"""Seconds; also the shortest that Joulo allows."""
LONGEST_CHARGERS_INTERVAL: Final = 900
"""Seconds; Joulo itself hears from cloud-connected chargers every 15 minutes."""

ERE: Final = "ERE"
"""An ERE credit: an emission reduction unit, 1 kg CO2."""
EURO: Final = "EUR"
DEAREST_KWH: Final = 10
"""EUR; who enters more has entered cents."""
EURO_PER_ERE: Final = "EUR/ERE"

EVENT_KEY: Final = "charging_session"
"""Key of a charger's event entity; the publisher looks up whether that is disabled."""

SUBENTRY_DER_CONNECT: Final = "der_connect"
"""Type of the subentry that holds an account's credentials of DER Connect, and its unique id."""
CONF_TOKEN_URL: Final = "token_url"  # noqa: S105 - the name of a field
