"""Which sessions Joulo has removed: it does not say so, it only lists them no more."""

from datetime import datetime, timedelta

_CONFIRM = timedelta(minutes=10)


class Removals:
    """Remembers since when sessions are missing. No state of it is stored: a restart begins anew."""

    def __init__(self) -> None:
        self._missing_since: dict[str, datetime] = {}

    def confirmed(self, missing: set[str], covered: set[str], now: datetime) -> set[str]:
        """Return those that two complete reads, ten minutes apart, have missed.

        `missing` are those of the `covered` sessions that the read did not bring.
        """
        for session_id in missing:
            self._missing_since.setdefault(session_id, now)
        gone = {each for each in missing if now - self._missing_since[each] >= _CONFIRM}
        for session_id in covered - (missing - gone):
            self._missing_since.pop(session_id, None)
        return gone
