"""Whose session it is: the vehicle of each session, by what was said by hand, its tag, the car's record, or its charger."""

from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from os.path import commonprefix
from typing import NamedTuple

from ..api import ChargingSession

NOBODY = ""
"""In the place of a vehicle's id, for a session of which was said by hand that it is nobody's."""

_SHOWN_OF_TAG = 4
"""Characters at the end of a tag by which its owner knows it."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Rule(StrEnum):
    """Rules by which a session is a vehicle's; the first that applies counts."""

    ASSIGNED = "assigned"
    """It was said by hand."""
    TAG = "tag"
    """The session's tag is one of the vehicle's."""
    CAR = "car"
    """The session has no tag, or an unknown one, and the vehicle's own record tells of it."""
    CHARGER = "charger"
    """The session has no tag, and the vehicle charges there without a card."""
    NOBODY = "nobody"
    """None of the others applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle: its tags, the ids of the chargers where it charges without a card, and since when it has both."""

    id: str
    name: str
    tags: frozenset[str] = frozenset()
    """As `comparable` makes them."""
    chargers: frozenset[str] = frozenset()
    since: datetime | None = None
    """Earlier sessions are not of this vehicle; None for a vehicle that there always was."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All vehicles, and what was said by hand: a vehicle's id, or NOBODY, by session id.

    `matches` are the sessions of which only one vehicle's own record tells: its id by session id.
    """

    vehicles: tuple[Vehicle, ...] = ()
    assigned: Mapping[str, str] = field(default_factory=dict)
    matches: Mapping[str, str] = field(default_factory=dict)

    def find(self, vehicle_id: str | None) -> Vehicle | None:
        """Return a vehicle by its id; None for one that is gone."""
        return next((each for each in self.vehicles if each.id == vehicle_id), None)


class Attribution(NamedTuple):
    """The vehicle whose session it is, by its id, and the rule by which; None for nobody."""

    rule: Rule
    vehicle_id: str | None


@lru_cache(maxsize=1024)
def comparable(tag: str) -> str:
    """Return a tag without what readers write differently: case, spaces, colons and hyphens."""
    return "".join(tag.split()).replace(":", "").replace("-", "").casefold()


def tag_hash(tag: str) -> str:
    """Return a short name of a tag that tells nothing of it: eight hexadecimal digits."""
    return sha256(comparable(tag).encode()).hexdigest()[:8]


def tag_ends(tags: Iterable[str]) -> dict[str, str]:
    """Return for each tag the last characters that tell it from the others: four, or more, but never all.

    A whole tag opens chargers, so it is shown nowhere.
    """
    known = {tag: comparable(tag).upper() for tag in tags}
    texts = {*known.values()}
    # Read from their ends and sorted, those that end alike stand beside each other.
    order = sorted(text[::-1] for text in texts)
    shared = dict.fromkeys(order, 0)
    for one, other in pairwise(order):
        alike = len(commonprefix((one, other)))  # noqa: RUF071 - of characters, not of paths
        shared[one], shared[other] = max(shared[one], alike), max(shared[other], alike)
    return {tag: _end_of(text, shared[text[::-1]], texts) for tag, text in known.items()}


def _end_of(text: str, shared: int, texts: AbstractSet[str]) -> str:
    """Return the end of a tag that is longer than what it shares with another, and no other tag as a whole."""
    whole = (length for length in range(1, len(text)) if text[-length:] in texts)
    longest = min(len(text), next(whole, len(text))) - 1
    length = min(max(_SHOWN_OF_TAG, shared + 1), longest)
    return text[-length:] if length > 0 else ""


def attribute(session: ChargingSession, fleet: Fleet) -> Attribution:
    """Return whose session it is.

    An unknown tag is somebody's card, so such a session never is of the vehicle that charges there without one.
    """
    by_hand = fleet.assigned.get(session.id)
    if by_hand == NOBODY:
        return Attribution(Rule.ASSIGNED, None)
    if fleet.find(by_hand) is not None:
        return Attribution(Rule.ASSIGNED, by_hand)
    if session.id_tag is not None:
        tag = comparable(session.id_tag)
        found = [each for each in fleet.vehicles if tag in each.tags]
        if vehicle := _latest(found, session.started_at):
            return Attribution(Rule.TAG, vehicle.id)
    by_car = fleet.matches.get(session.id)
    if fleet.find(by_car) is not None:
        return Attribution(Rule.CAR, by_car)
    if session.id_tag is None:
        found = [each for each in fleet.vehicles if session.charger_id in each.chargers]
        if vehicle := _latest(found, session.started_at):
            return Attribution(Rule.CHARGER, vehicle.id)
    return Attribution(Rule.NOBODY, None)


def is_there(vehicle: Vehicle, at: datetime) -> bool:
    """Whether a vehicle was there at a moment: what is earlier is not of it."""
    return (vehicle.since or _ALWAYS) <= at


def _latest(vehicles: Sequence[Vehicle], start: datetime) -> Vehicle | None:
    """Return the vehicle with the latest `since` that is not after a start: a card may move to the next car."""
    there = [vehicle for vehicle in vehicles if is_there(vehicle, start)]
    return max(there, key=lambda vehicle: vehicle.since or _ALWAYS, default=None)
