"""Documents with parts that no service should send, drawn by chance."""

from collections.abc import Iterator
from copy import deepcopy
from math import inf, nan
from random import Random
from typing import Any

AWKWARD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7.5, 1e308, 10**400, 10**4000, nan, inf, -inf, -0.0),
    *("", " ", "NaN", "-Infinity", "1e400", "12,5", "\ud800", "\x00", "x" * 300, "٣"),
    *("2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    *("2026-04-08\ud80018:30:00Z", "2026-04-31", "2026-W15-3", "24:00"),
    *([], {}, [None], [[]], [{}], {"id": None}),
)


def places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a document with every key or index in it."""
    keys = container if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], (dict, list)):
            yield from places(container[key])


def garbled(document: Any, chance: Random) -> Any:
    """Change up to three parts of a document: replace, delete or double them."""
    root = [document]
    for _ in range(chance.randint(1, 3)):
        container, key = chance.choice(list(places(root)))
        change = chance.choice(("replace", "replace", "delete", "double"))
        if change == "replace":
            value = deepcopy(chance.choice(AWKWARD))
            # Chargers and sessions that agree with each other would be no nonsense.
            is_id = key in ("id", "charger_id") and isinstance(value, str) and value
            container[key] = f"{value}{chance.random()}" if is_id else value
        elif change == "double" and isinstance(container, list):
            container.append(container[key])
        elif container is not root:
            del container[key]
        if not root[0]:
            break
    return root[0]
