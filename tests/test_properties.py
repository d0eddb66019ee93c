"""Whatever Joulo answers, nothing breaks, no number is invented, and the next good answer heals all.

The documents are drawn before the test begins (Hypothesis would make a new example without a new `hass`)
and fed to one integration that runs on through all of them, as in life.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations, product
import json
import logging
from math import ceil, isclose, isfinite
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.joulo.const import DOMAIN
from tests.conftest import NOW, Advance
from tests.simulator import SimulatedAccount, SimulatedCharger, SimulatedCloud, answers, create_app

READERS = {
    "/chargers": answers.chargers,
    "/sessions": answers.sessions,
    "/energy": answers.energy,
    "/me": answers.me,
}
POLL = {"/chargers": 62, "/sessions": 3602, "/energy": 3602, "/me": 3602}
MOST = 400
HOURLY = 120
"""Of the examples, for what is read hourly: so many that the month does not end meanwhile."""

DELETED, DOUBLED = "<deleted>", "<doubled>"
WORDS = (
    "charging",
    "exploded",
    "unavailable",
    "",
    " ",
    "unknown",
    "-1",
    "1e400",
    "9" * 5000,
    "NaN",
    "0x10",
)
DATES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2026-06-15", "2199-13-01T00:00:00Z", "2199-12-31T23:00:00Z", "2026-W24-1", "1999-12", "2026-06-14T25:00:00Z")  # fmt: skip
FIGURES = st.one_of(
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.sampled_from((0, -0.0, 1e308, -1e308, 5e-324, 2**63, 150, float("nan"), float("inf"))),
)
LEAVES = st.one_of(
    st.sampled_from((DELETED, DOUBLED, *WORDS, *DATES)),
    st.none(),
    st.booleans(),
    FIGURES,
    FIGURES.map(str),
    st.text(st.characters(), max_size=300),
    st.sampled_from(("\ud800", "\udfff\ud83d", "\x00", "x" * 100_000)),
)
JUNK = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
)
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), JUNK), min_size=1, max_size=3)
BODIES = (b"", b"null", b"[]", b"{}", b'"ok"', b"NaN", b"\xff\xfe", b"[" * 100_000, b'{"chargers": [null, 1, []]}', b'{"sessions": [{}, {"id": 1}]}', b'{"months": 1}')  # fmt: skip

type Change = tuple[int, Any]


def drawn() -> list[list[Change]]:
    """Return the same examples in every run of the same source: constants in it are tried too."""
    examples: list[list[Change]] = []

    @settings(
        max_examples=MOST,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(CHANGES)
    def draw(changes: list[Change]) -> None:
        examples.append(changes)

    draw()
    return examples


EXAMPLES = drawn()


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a document: its container and its key."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from places(node[key])


def changed(document: Any, changes: Iterable[Change]) -> bytes:
    """Return a document with junk in some places."""
    for number, junk in changes:
        if not (found := list(places(document))):
            break
        container, key = found[number % len(found)]
        if junk == DELETED:
            del container[key]
        elif junk == DOUBLED:
            container[key] = [container[key]] * 2
            if isinstance(container, list):
                container[key : key + 1] = container[key]
        else:
            container[key] = json.loads(json.dumps(junk))
    return json.dumps(document).encode()


@dataclass
class Sent:
    """What was sent so far, by field: figures and moments; and the months of the last `/energy`."""

    figures: defaultdict[str, set[float]] = field(default_factory=lambda: defaultdict(set))
    moments: defaultdict[str, set[datetime]] = field(default_factory=lambda: defaultdict(set))
    months: list[dict[str, Any]] = field(default_factory=list)

    def note(self, body: bytes) -> None:
        """Remember every field of a document."""
        try:
            document = json.loads(body)
        except ValueError, RecursionError:
            return
        if not isinstance(document, dict):
            return
        if isinstance(months := document.get("months"), list):
            self.months = [month for month in months if isinstance(month, dict)]
        for container, key in places(document):
            if isinstance(container, dict):
                self.figures[key] |= figure(container[key])
                self.moments[key] |= moment(container[key])

    def euros(self, amounts: Iterable[float]) -> set[float]:
        """Return what ERE credits can be worth."""
        terms = product(amounts, self.figures["ere_price_mid"], self.figures["effective_fee_pct"])
        return {ere * price * (1 - fee / 100) for ere, price, fee in terms} | {0.0}

    def sums(self, name: str) -> set[float]:
        """Return what some of the months can add up to."""
        figures = [value for month in self.months for value in figure(month.get(name))]
        parts = (combinations(figures, size) for size in range(len(figures) + 1))
        return {sum(part) for part in chain.from_iterable(parts)}


def figure(value: Any) -> set[float]:
    """Return a value as the finite number that it is or spells, if it does."""
    try:
        number = float(value) if isinstance(value, str | int | float) else None
    except ValueError, OverflowError:
        return set()
    return (
        {number}
        if number is not None and isfinite(number) and not isinstance(value, bool)
        else set()
    )


def moment(value: Any) -> set[datetime]:
    """Return a value as the moment that it spells, if it does."""
    try:
        read = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        return (
            {read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)} if read else set()
        )
    except ValueError, OverflowError:
        return set()


OWNER = "01JOULO"
"""Of the account's own entities."""

ALLOWED: dict[str, Callable[[Sent], set[float]]] = {
    "session_energy": lambda sent: sent.figures["kwh_so_far"] | sent.figures["kwh"],
    "session_ere": lambda sent: (
        {k * 0.505 * 0.6588 for k in sent.figures["kwh_so_far"] | sent.figures["kwh"]}
        | sent.figures["ere_credits"]
        | {0.0}
    ),
    "last_session_energy": lambda sent: sent.figures["kwh"],
    "last_session_ere": lambda sent: sent.figures["ere_credits"] | {0.0},
    "last_session_value": lambda sent: sent.euros(sent.figures["ere_credits"]),
    # A session without an end lasts until the next one starts, a day at most.
    "last_session_duration": lambda sent: (
        {
            ceil((end - start) / timedelta(hours=1) * 1e5) / 1e5
            for end, start in product(
                sent.moments["ended_at"] | sent.moments["started_at"], sent.moments["started_at"]
            )
        }
        | {24.0}
    ),
    "meter_reading": lambda sent: {wh / 1000 for wh in sent.figures["latest_meter_wh"]},
    "total_energy": lambda sent: sent.figures["total_kwh"],
    "total_energy_all": lambda sent: sent.figures["total_kwh_all"],
    "total_ere": lambda sent: sent.figures["total_ere_credits"],
    "total_sessions": lambda sent: sent.figures["total_sessions"],
    "month_energy": lambda sent: sent.figures["kwh"] | {0.0},
    "month_ere": lambda sent: sent.figures["ere_credits"] | {0.0},
    "month_sessions": lambda sent: sent.figures["sessions"] | {0.0},
    "year_energy": lambda sent: sent.sums("kwh"),
    "year_ere": lambda sent: sent.sums("ere_credits"),
    "month_value": lambda sent: sent.euros(sent.figures["ere_credits"]),
    "year_value": lambda sent: sent.euros(sent.sums("ere_credits")),
    "total_value": lambda sent: sent.euros(sent.figures["total_ere_credits"]),
    "ere_price": lambda sent: sent.figures["ere_price_mid"],
    "platform_fee": lambda sent: sent.figures["effective_fee_pct"],
}


@dataclass
class Tampering:
    """Answers that go out instead of the simulator's, by path, and what was sent in all."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    sent: Sent = field(default_factory=Sent)

    def middleware(self) -> Any:
        """Return what stands between the simulator and the integration."""

        @web.middleware
        async def tamper(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            assert isinstance(response, web.Response)
            assert isinstance(response.body, bytes)
            body = self.bodies.get(request.path, response.body)
            self.sent.note(body)
            return web.Response(body=body, content_type="application/json", status=response.status)

        return tamper


@pytest.fixture
def account() -> SimulatedAccount:
    """Return an account in a world that stands still: its good answers are always the same."""
    account = SimulatedAccount(clock=lambda: NOW)
    garage, oprit = (
        account.add_charger(SimulatedCharger(nickname=name, meter_start_wh=1000))
        for name in ("Garage", "Oprit")
    )
    for days, charger in ((2, garage), (1, oprit), (40, garage)):
        start = NOW - timedelta(days=days)
        account.plan_session(charger.id, start, start + timedelta(hours=3 + days), tag="04A1B2")
    account.start_session(garage.id, at=NOW - timedelta(hours=1), tag="DEADBEEF")
    return account


@pytest.fixture
def tampering() -> Tampering:
    """Return answers that can be tampered with."""
    return Tampering()


@pytest.fixture
async def url(
    cloud: SimulatedCloud, tampering: Tampering, socket_enabled: None
) -> AsyncGenerator[str]:
    """Serve the cloud on loopback, with a hand in its answers."""
    app = create_app(cloud)
    app.middlewares.insert(0, tampering.middleware())
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}"


def states(hass: HomeAssistant) -> dict[str, State]:
    """Return all our entities' states by key of their unique id, those of one owner after another."""
    entities = er.async_get(hass).entities.values()
    return {
        entity.unique_id: state
        for entity in entities
        if entity.platform == DOMAIN and (state := hass.states.get(entity.entity_id))
    }


def invented(hass: HomeAssistant, sent: Sent) -> dict[str, str]:
    """Return the numbers that are shown and were not sent, nor follow from what was."""
    found: dict[str, str] = {}
    for unique_id, state in states(hass).items():
        device_key, key = unique_id.split("_", 1)
        # A charger's totals sum up sessions of which each is looked at by itself.
        is_sum = key.startswith("total_") and device_key != OWNER
        if state.state in (STATE_UNAVAILABLE, STATE_UNKNOWN) or key not in ALLOWED or is_sum:
            continue
        shown = float(state.state)
        near = (isclose(shown, value, rel_tol=1e-6, abs_tol=1e-6) for value in ALLOWED[key](sent))
        if not isfinite(shown) or not any(near):
            found[unique_id] = state.state
    return found


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the errors in the log, other than that an answer could not be read."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.exc_info
        or (record.levelno >= logging.ERROR and "Error fetching" not in record.getMessage())
    ]


@pytest.mark.parametrize("path", READERS)
async def test_no_answer_breaks_anything_or_makes_a_number_up(
    hass: HomeAssistant,
    account: SimulatedAccount,
    cloud: SimulatedCloud,
    tampering: Tampering,
    joulo: MockConfigEntry,
    jump: Advance,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    """Each document is followed by a good answer, which must bring every entity back to what it showed."""
    caplog.set_level(logging.INFO)
    await jump(POLL[path])
    good = {key: state.state for key, state in states(hass).items()}
    recent = {"from": (NOW - timedelta(days=3)).isoformat()}  # as a read after the first asks
    examples = EXAMPLES if path == "/chargers" else EXAMPLES[:HOURLY]
    bodies = [changed(READERS[path](account, recent), changes) for changes in examples]
    for body in (*BODIES, *bodies):
        caplog.clear()
        tampering.bodies = {path: body}
        await jump(POLL[path])
        assert invented(hass, tampering.sent) == {}, body
        assert complaints(caplog) == [], body

        tampering.bodies = {}
        await jump(POLL[path])
        healed = {key: state.state for key, state in states(hass).items() if key in good}
        assert healed == good, body
        assert complaints(caplog) == [], body
    assert cloud.refused() == []


async def test_figures_too_large_to_reckon_with_are_unknown(
    hass: HomeAssistant,
    account: SimulatedAccount,
    tampering: Tampering,
    joulo: MockConfigEntry,
    jump: Advance,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each is a number by itself; their sums and products are none."""
    caplog.set_level(logging.INFO)
    huge = dict.fromkeys(("kwh", "ere_credits", "sessions"), 1e308)
    months = [{"month": month, **huge} for month in ("2026-06", "2026-05")]
    tampering.bodies = {
        "/chargers": json.dumps(
            {
                "chargers": [
                    {"id": charger.id, "mid_certified": True} for charger in account.chargers
                ]
            }
        ).encode(),
        "/sessions": json.dumps(
            {
                "sessions": [
                    {
                        "id": "huge",
                        "charger_id": account.chargers[0].id,
                        "started_at": "2026-06-15T11:59:59Z",
                        "ended_at": "2026-06-15T12:00:00Z",
                        **huge,
                    }
                ]
            }
        ).encode(),
        "/energy": json.dumps({"total_ere_credits": 1e308, "months": months}).encode(),
        "/me": json.dumps({"ere_price_mid": 1e308, "effective_fee_pct": -1e308}).encode(),
    }
    for _ in range(3):
        await jump(3602)
    assert complaints(caplog) == []
    assert invented(hass, tampering.sent) == {}
