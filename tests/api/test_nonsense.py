"""Whatever Joulo sends, nothing but a JouloError comes of it, and no number that was not sent."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
import json
from math import inf, isfinite, nan
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.joulo.api import (
    AccountProfile,
    Charger,
    Energy,
    JouloClient,
    JouloError,
    SessionPage,
)

from . import FROZEN_GARBAGE, TRIALS, payload, told

pytestmark = [pytest.mark.usefixtures("socket_enabled"), FROZEN_GARBAGE]

type Answer = tuple[Charger, ...] | SessionPage | Energy | AccountProfile
type Ask = Callable[[JouloClient], Awaitable[Answer]]

QUESTIONS: dict[str, Ask] = {
    "chargers_documented": JouloClient.chargers,
    "chargers_in_the_wild": JouloClient.chargers,
    "sessions_documented": JouloClient.session_page,
    "sessions_in_the_wild": JouloClient.session_page,
    "energy_documented": JouloClient.energy,
    "energy_in_the_wild": JouloClient.energy,
    "me_documented": JouloClient.me,
    "me_in_the_wild": JouloClient.me,
}


def nested(depth: int) -> list[Any]:
    """Return a list in a list in a list."""
    nest: list[Any] = []
    for _ in range(depth):
        nest = [nest]
    return nest


AWKWARD = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1e308, 10**400, 10**4000, nan, inf, -inf, -0.0),
        *("", " ", "NaN", "-Infinity", "1e400", "12,5", "\ud800", "\x00", "x" * 300, "٣"),
        *("2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
        *("2026-04-08\ud80018:30:00Z", "2026-04-31", "2026-W15-3", "24:00"),
        *([], {}, [None], [[]], [{}], {"id": None}, nested(300)),
    ]
)
ANYTHING = st.recursive(
    AWKWARD | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a document with every key or index in it."""
    keys = container if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], (dict, list)):
            yield from places(container[key])


@st.composite
def mutated(draw: st.DrawFn, name: str) -> Any:
    """Return a document of which up to three parts are replaced, deleted or doubled."""
    root = [payload(name)]
    for _ in range(draw(st.integers(1, 3))):
        if not (found := list(places(root))):
            break
        container, key = draw(st.sampled_from(found))
        change = draw(st.sampled_from(["replace", "replace", "delete", "double"]))
        if change == "replace":
            container[key] = draw(ANYTHING)
        elif change == "double" and isinstance(container, list):
            container.append(container[key])
        elif container is not root:
            del container[key]
    return root[0]


def numbers(value: Any) -> Iterator[float]:
    """Yield every number in a document, those written as strings too."""
    match value:
        case dict():
            for item in value.values():
                yield from numbers(item)
        case list() | tuple():
            for item in value:
                yield from numbers(item)
        case bool():
            return
        case int() | float() | str():
            with suppress(ValueError, OverflowError):
                yield float(value)


def numbers_read(answer: Answer) -> Iterator[float]:
    """Yield every number in what the client returned, but for its own count of a page's rows."""
    match answer:
        case tuple():
            models: list[Any] = list(answer)
        case SessionPage():
            models = list(answer.sessions)
        case _:
            models = [answer]
    yield from numbers([asdict(model) for model in models])


@TRIALS
@given(st.data())
async def test_a_mutated_document_brings_no_other_error_and_no_other_number(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(list(QUESTIONS)))
    body = json.dumps(data.draw(mutated(name))).encode()
    async with told(body) as client:
        with suppress(JouloError):
            answer = await QUESTIONS[name](client)
            read = set(numbers_read(answer))
            assert read <= set(numbers(json.loads(body)))
            assert all(isfinite(number) for number in read)


@TRIALS
@given(st.binary(max_size=50) | ANYTHING.map(lambda anything: json.dumps(anything).encode()))
async def test_any_other_body_brings_no_other_error(body: bytes) -> None:
    async with told(body) as client:
        for ask in QUESTIONS.values():
            with suppress(JouloError):
                await ask(client)


@settings(TRIALS, max_examples=100)
@given(st.sampled_from(list(QUESTIONS)), st.data())
async def test_a_value_that_is_missing_costs_no_other_number(
    name: str, data: st.DataObject
) -> None:
    """Only what identifies a thing takes it along."""
    document = payload(name)
    identifying = {"id", "charger_id", "started_at", "month"}
    leaves = [(c, key) for c, key in places(document) if not isinstance(c[key], (dict, list))]
    container, key = data.draw(st.sampled_from([x for x in leaves if x[1] not in identifying]))
    container[key] = data.draw(st.sampled_from([None, True, [], {}, nan, inf]))
    async with told(payload(name)) as client:
        whole = Counter(numbers_read(await QUESTIONS[name](client)))
    async with told(document) as client:
        rest = Counter(numbers_read(await QUESTIONS[name](client)))
    assert rest <= whole
    assert (whole - rest).total() <= 1
