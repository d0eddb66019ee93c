"""Errors of the Joulo client. No message contains the token."""

from typing import override


class JouloError(Exception):
    """Base of all errors: Joulo did not fulfil the request."""


class JouloInsecureUrlError(JouloError):
    """The address is not HTTPS, and would send the token in plain text over a network."""

    @override
    def __str__(self) -> str:
        return "The address must start with https:// (http:// only for this machine itself)"


class JouloAuthError(JouloError):
    """The token is missing, withdrawn or wrong (HTTP 401)."""

    @override
    def __str__(self) -> str:
        return "Joulo does not accept the token"


class JouloScopeError(JouloError):
    """The token lacks a permission (HTTP 403). `scope` names it, or is None if Joulo does not."""

    def __init__(self, scope: str | None) -> None:
        super().__init__(scope)
        self.scope = scope

    @override
    def __str__(self) -> str:
        return f"The token lacks the permission {self.scope or 'for this'}"


class JouloNotFoundError(JouloError):
    """The path or the addressed object does not exist (HTTP 404)."""

    @override
    def __str__(self) -> str:
        return "Joulo does not know this address"


class JouloRateLimitError(JouloError):
    """Joulo accepts no request yet (HTTP 429 or 503). `retry_after` is the wait in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after

    @override
    def __str__(self) -> str:
        return f"Joulo may be asked again in {self.retry_after:.0f} s"


class JouloTooEarlyError(JouloRateLimitError):
    """The rate limiter sent no request, in order to keep the interval that Joulo documents."""


class JouloConnectionError(JouloError):
    """No complete response arrived. `sent` is True if the request may have reached Joulo."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason, sent)
        self.reason = reason
        self.sent = sent

    @override
    def __str__(self) -> str:
        return f"Joulo cannot be reached ({self.reason})"


class JouloServerError(JouloError):
    """Joulo or its gateway failed (HTTP 5xx). `status` is the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    @override
    def __str__(self) -> str:
        return f"Joulo has a fault (HTTP {self.status})"


class JouloChargerOfflineError(JouloError):
    """The charger has no connection with Joulo, and cannot receive the command."""

    @override
    def __str__(self) -> str:
        return "The charger is offline"


class JouloCooldownError(JouloError):
    """The charger was restarted less than five minutes ago."""

    @override
    def __str__(self) -> str:
        return "Five minutes lie between two restarts of a charger"


class JouloRejectedError(JouloError):
    """Joulo rejected a command (HTTP 4xx). `reason` is Joulo's own sentence, without the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"Joulo does not accept this: {self.reason}"


class JouloResponseError(JouloError):
    """The response does not have the documented shape. `reason` says in which respect."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"Joulo's answer cannot be read ({self.reason})"
