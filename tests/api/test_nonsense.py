"""Whatever Joulo sends, the client raises nothing but a JouloError and returns no number that was not sent."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from copy import deepcopy
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
    Response,
    SessionPage,
)
from tests import nonsense
from tests.nonsense import places

from . import FROZEN_GARBAGE, TRIALS, client_receiving, payload

pytestmark = [pytest.mark.usefixtures("socket_enabled"), FROZEN_GARBAGE]

type Data = tuple[Charger, ...] | SessionPage | Energy | AccountProfile
type Fetch = Callable[[JouloClient], Awaitable[Response[Data]]]

FETCHES: dict[str, Fetch] = {
    "chargers_documented": JouloClient.chargers,
    "chargers_in_the_wild": JouloClient.chargers,
    "sessions_documented": JouloClient.session_page,
    "sessions_in_the_wild": JouloClient.session_page,
    "energy_documented": JouloClient.energy,
    "energy_in_the_wild": JouloClient.energy,
    "me_documented": JouloClient.account_profile,
    "me_in_the_wild": JouloClient.account_profile,
}


def nested(depth: int) -> list[Any]:
    """Return lists nested in each other."""
    nest: list[Any] = []
    for _ in range(depth):
        nest = [nest]
    return nest


AWKWARD = st.sampled_from([*nonsense.AWKWARD, nested(300)])
ANYTHING = st.recursive(
    AWKWARD | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=5,
)


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
            # A copy: the next change may be within it.
            container[key] = deepcopy(draw(ANYTHING))
        elif change == "double" and isinstance(container, list):
            container.append(container[key])
        elif container is not root:
            del container[key]
    return root[0]


def leaves(value: Any) -> Iterator[Any]:
    """Yield every single value in a document."""
    match value:
        case dict():
            for item in value.values():
                yield from leaves(item)
        case list() | tuple():
            for item in value:
                yield from leaves(item)
        case _:
            yield value


def numbers(document: Any) -> Iterator[float]:
    """Yield every number in a document, those written as strings too."""
    for value in leaves(document):
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            with suppress(ValueError, OverflowError):
                yield float(value)


def numbers_parsed(data: Data) -> Iterator[float]:
    """Yield every number in the client's data, except its own count of a page's rows; texts are none."""
    match data:
        case tuple():
            models: list[Any] = list(data)
        case SessionPage():
            models = list(data.sessions)
        case _:
            models = [data]
    for value in leaves([asdict(model) for model in models]):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield float(value)


@TRIALS
@given(st.data())
async def test_a_mutated_document_brings_no_other_error_and_no_other_number(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(list(FETCHES)))
    body = json.dumps(data.draw(mutated(name))).encode()
    async with client_receiving(body) as client:
        with suppress(JouloError):
            parsed = set(numbers_parsed((await FETCHES[name](client)).data))
            assert parsed <= set(numbers(json.loads(body)))
            assert all(isfinite(number) for number in parsed)


@TRIALS
@given(st.binary(max_size=50) | ANYTHING.map(lambda anything: json.dumps(anything).encode()))
async def test_any_other_body_brings_no_other_error(body: bytes) -> None:
    async with client_receiving(body) as client:
        for fetch in FETCHES.values():
            with suppress(JouloError):
                await fetch(client)


@settings(TRIALS, max_examples=100)
@given(st.sampled_from(list(FETCHES)), st.data())
async def test_a_value_that_is_missing_costs_no_other_number(
    name: str, data: st.DataObject
) -> None:
    """Only a value that identifies a model takes the model along."""
    document = payload(name)
    identifying = {"id", "charger_id", "started_at", "month"}
    leaves = [(c, key) for c, key in places(document) if not isinstance(c[key], (dict, list))]
    container, key = data.draw(st.sampled_from([x for x in leaves if x[1] not in identifying]))
    container[key] = data.draw(st.sampled_from([None, True, [], {}, nan, inf]))
    async with client_receiving(payload(name)) as client:
        whole = Counter(numbers_parsed((await FETCHES[name](client)).data))
    async with client_receiving(document) as client:
        rest = Counter(numbers_parsed((await FETCHES[name](client)).data))
    assert rest <= whole
    assert (whole - rest).total() <= 1
