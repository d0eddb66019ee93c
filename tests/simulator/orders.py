"""The endpoints that change something: registering and rebooting an OCPP charger."""

import datetime as dt
from http import HTTPStatus
import re
import secrets

from .account import Reboot, SimulatedAccount
from .answers import Json, Refusal
from .charging import SimulatedCharger

ENDPOINT = "wss://ocpp.joulo.nl"
COOLDOWN = dt.timedelta(minutes=5)

_IDENTITY = re.compile(r"[A-Za-z0-9_\-]{1,64}")


def register_charger(
    account: SimulatedAccount, body: Json, _wall: dt.datetime
) -> tuple[HTTPStatus, Json]:
    """Answer POST /chargers (Joulo developer docs, Chargers); the password is told this once.

    Refusal 400 for a body that breaks the rules, 409 for an OCPP identity that is taken.
    """
    nickname = body.get("nickname")
    if not isinstance(nickname, str) or not 1 <= len(nickname) <= 100:
        raise Refusal(HTTPStatus.BAD_REQUEST, "nickname must have 1 to 100 characters")
    if body.get("connection_type") != "ocpp":
        raise Refusal(HTTPStatus.BAD_REQUEST, "connection_type must be ocpp")
    identity = body.get("ocpp_identity", f"JOULO-{secrets.token_hex(4).upper()}")
    if not isinstance(identity, str) or not _IDENTITY.fullmatch(identity):
        raise Refusal(HTTPStatus.BAD_REQUEST, "Invalid ocpp_identity")
    if any(charger.ocpp_identity == identity for charger in account.chargers):
        raise Refusal(HTTPStatus.CONFLICT, "ocpp_identity is already in use")
    charger = account.add_charger(
        SimulatedCharger(
            nickname=nickname,
            connection_type="ocpp",
            status="offline",
            mid_certified=False,
            ocpp_identity=identity,
        )
    )
    return HTTPStatus.CREATED, {
        "id": charger.id,
        "nickname": charger.nickname,
        "connection_type": charger.connection_type,
        "status": charger.status,
        "ocpp": {
            "identity": identity,
            "endpoint": f"{ENDPOINT}/{identity}",
            "password": secrets.token_hex(6),
        },
    }


def reboot_charger(
    account: SimulatedAccount, body: Json, wall: dt.datetime
) -> tuple[HTTPStatus, Json]:
    """Answer POST /chargers/reboot: 200 when the charger came back, 202 when nobody saw it.

    Refusal 400 for a body that breaks the rules, 404 for an unknown charger, 409 within five
    minutes of the last reboot, 503 while the charger is offline.
    """
    charger = next((c for c in account.chargers if c.id == body.get("charger_id")), None)
    if charger is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "Charger not found")
    if body.get("type") not in ("Soft", "Hard") or charger.connection_type != "ocpp":
        raise Refusal(HTTPStatus.BAD_REQUEST, "Only OCPP chargers reboot, Soft or Hard")
    if charger.status == "offline":
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Charger is offline")
    if charger.rebooted_at is not None and wall - charger.rebooted_at < COOLDOWN:
        raise Refusal(HTTPStatus.CONFLICT, "Wait five minutes between reboots")
    charger.rebooted_at = wall
    if account.reboot_outcome is Reboot.ACCEPTED:
        return HTTPStatus.ACCEPTED, {"confirmed_by_boot": False}
    return HTTPStatus.OK, {"confirmed_by_boot": True}
