"""What the event entities have told, collected by the fixture `told`."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

STARTED, COMPLETED = "session_started", "session_completed"

type Told = list[dict[str, Any]]
"""Attributes of the events that event entities have fired, in their order."""


def without(session_id: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what makes `/sessions` list all sessions but one."""

    def garble(answer: dict[str, Any]) -> dict[str, Any]:
        rows = [row for row in answer.get("sessions", ()) if row["id"] != session_id]
        return answer | {"sessions": rows} if "limit" in answer else answer

    return garble


def tally(events: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Return how often each start and each completion was told."""
    return Counter((event["event_type"], event["session_id"]) for event in events)
