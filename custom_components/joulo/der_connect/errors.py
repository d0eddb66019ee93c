"""Error of DER Connect that Joulo does not have."""

from typing import override

from ..api.errors import JouloError

_CAPACITY = "capacity"


class DerConnectRefusedError(JouloError):
    """DER Connect does not record the sessions of a car (HTTP 400). `reason` is its own sentence, or empty."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def is_about_capacity(self) -> bool:
        """Whether the service wants to know the capacity of the battery first; no code tells it, only the words."""
        return _CAPACITY in self.reason.casefold()

    @override
    def __str__(self) -> str:
        return "DER Connect refuses this"
