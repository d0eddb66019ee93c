"""How long tests wait, in seconds: derived from the intervals that the client keeps.

A second or two more than an interval, because Home Assistant's timers fire up to one early, and so the
integration asks a second later than it may.
"""

from typing import Final

from custom_components.joulo.api import Endpoint

_MARGIN: Final = 2.0

POLL: Final = Endpoint.CHARGERS.interval + 1
"""Until the chargers have been asked once more: with no second to spare, as figures of a session grow meanwhile."""
READ: Final = Endpoint.SESSIONS.interval + _MARGIN
"""Until `/sessions` has been read once more, while Joulo's word on a session's end is awaited."""
PAGE: Final = Endpoint.HISTORY.interval + _MARGIN
"""Until another page of the past has been read."""
HOUR: Final = 3600 + _MARGIN
"""Until what is read hourly has been read once more."""
TERMS: Final = 6 * 3600 + _MARGIN
"""Until `/me` and `/ere-position` have been read once more."""
DAY: Final = 86_400.0
