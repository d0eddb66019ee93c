"""What the event entities have told, collected by the fixture `told`."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

STARTED, COMPLETED = "session_started", "session_completed"

type Told = dict[tuple[str, str], dict[str, Any]]
"""What event entities have told, by entity and moment: a restart shows the last of it again."""


def tally(events: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Return how often each start and each completion was told."""
    return Counter((event["event_type"], event["session_id"]) for event in events)
