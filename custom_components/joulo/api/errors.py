"""What can go wrong between us and Joulo; no message ever holds the token."""

from typing import override


class JouloError(Exception):
    """Anything that keeps Joulo from answering as documented."""


class JouloInsecureUrlError(JouloError):
    """The address would send the token in plain text over a network."""

    @override
    def __str__(self) -> str:
        return "The address must start with https:// (http:// only for this machine itself)"


class JouloAuthError(JouloError):
    """The token is missing, withdrawn or wrong (401)."""

    @override
    def __str__(self) -> str:
        return "Joulo does not accept the token"


class JouloScopeError(JouloError):
    """The token may not read this (403); `scope` is the permission it lacks, where Joulo names it."""

    def __init__(self, scope: str | None) -> None:
        super().__init__(scope)
        self.scope = scope

    @override
    def __str__(self) -> str:
        return f"The token lacks the permission {self.scope or 'for this'}"


class JouloNotFoundError(JouloError):
    """Joulo has nothing at this path (404)."""

    @override
    def __str__(self) -> str:
        return "Joulo does not know this address"


class JouloRateLimitError(JouloError):
    """It is too early to ask; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after

    @override
    def __str__(self) -> str:
        return f"Joulo may be asked again in {self.retry_after:.0f} s"


class JouloTooEarlyError(JouloRateLimitError):
    """We hold this request back ourselves, to keep Joulo's documented intervals."""


class JouloConnectionError(JouloError):
    """No answer came; `sent` tells whether the request may have reached Joulo all the same."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason, sent)
        self.reason = reason
        self.sent = sent

    @override
    def __str__(self) -> str:
        return f"Joulo cannot be reached ({self.reason})"


class JouloServerError(JouloError):
    """Joulo or its gateway has a fault of its own (5xx)."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    @override
    def __str__(self) -> str:
        return f"Joulo has a fault (HTTP {self.status})"


class JouloChargerOfflineError(JouloError):
    """The charger has no connection with Joulo, so that no order reaches it."""

    @override
    def __str__(self) -> str:
        return "The charger is offline"


class JouloCooldownError(JouloError):
    """The charger was restarted only just now."""

    @override
    def __str__(self) -> str:
        return "Five minutes lie between two restarts of a charger"


class JouloRejectedError(JouloError):
    """Joulo does not accept what was ordered; `reason` is its own sentence, without the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"Joulo does not accept this: {self.reason}"


class JouloResponseError(JouloError):
    """The answer is not of the documented shape; `reason` says what is off."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @override
    def __str__(self) -> str:
        return f"Joulo's answer cannot be read ({self.reason})"
