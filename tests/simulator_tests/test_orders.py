"""Registering and rebooting chargers."""

from freezegun.api import FrozenDateTimeFactory
import pytest

from tests.simulator import (
    OPRIT_ID,
    Reboot,
    SimulatedAccount,
    SimulatedCharger,
    SimulatedCloud,
)
from tests.simulator_tests.client import (
    MINUTE,
    Client,
)

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def test_a_charger_is_registered_and_its_password_told_once(
    client: Client, cloud: SimulatedCloud
) -> None:
    """POST /chargers answers the OCPP identity, endpoint and password."""
    order = {"nickname": "Oprit", "connection_type": "ocpp", "ocpp_identity": "CHARGER-001"}
    answer = await client.post("/chargers", order)
    assert answer.status == 201
    body = answer.body
    assert body["ocpp"].pop("password")
    assert body == {
        "id": cloud.account.chargers[-1].id,
        "nickname": "Oprit",
        "connection_type": "ocpp",
        "status": "offline",
        "ocpp": {"identity": "CHARGER-001", "endpoint": "wss://ocpp.joulo.nl/CHARGER-001"},
    }
    assert cloud.requests[-1].body == order
    assert b"password" not in (await client.get("/chargers")).raw
    taken = await client.post("/chargers", order)
    assert (taken.status, taken.body) == (409, {"error": "ocpp_identity is already in use"})


async def test_a_charger_without_an_identity_gets_one(client: Client) -> None:
    """The endpoint ends in the identity."""
    answer = await client.post("/chargers", {"nickname": "Oprit", "connection_type": "ocpp"})
    ocpp = answer.body["ocpp"]
    assert ocpp["endpoint"] == f"wss://ocpp.joulo.nl/{ocpp['identity']}"


@pytest.mark.parametrize(
    "body",
    [
        {"connection_type": "ocpp"},
        {"nickname": "", "connection_type": "ocpp"},
        {"nickname": "x" * 101, "connection_type": "ocpp"},
        {"nickname": "Oprit", "connection_type": "easee"},
        {"nickname": "Oprit", "connection_type": "ocpp", "ocpp_identity": "no spaces"},
        ["no object"],
    ],
)
async def test_a_registration_against_the_rules_is_refused(client: Client, body: object) -> None:
    """Nickname, connection type and identity are checked."""
    answer = await client.post("/chargers", body)
    assert answer.status == 400
    assert answer.body["error"]


async def test_a_reboot_is_confirmed_accepted_cooling_down_or_offline(
    client: Client, account: SimulatedAccount, freezer: FrozenDateTimeFactory
) -> None:
    """POST /chargers/reboot tells what came of it; five minutes lie between two reboots."""
    oprit = account.add_charger(
        SimulatedCharger(id=OPRIT_ID, nickname="Oprit", connection_type="ocpp")
    )
    order = {"charger_id": OPRIT_ID, "type": "Soft"}
    answer = await client.post("/chargers/reboot", order)
    assert (answer.status, answer.body) == (200, {"confirmed_by_boot": True})
    assert (await client.post("/chargers/reboot", order)).status == 409
    freezer.tick(5 * MINUTE)
    account.reboot_outcome = Reboot.ACCEPTED
    assert (await client.post("/chargers/reboot", order)).status == 202
    oprit.status = "offline"
    assert (await client.post("/chargers/reboot", order)).status == 503
    assert (await client.post("/chargers/reboot", order | {"type": "Odd"})).status == 400
    assert (await client.post("/chargers/reboot", order | {"charger_id": "?"})).status == 404
