"""What Joulo answers, as frozen typed values: `None` wherever it sent nothing that can be read.

Shapes and rules come from the Joulo developer docs (Chargers, Sessions, Energy statistics); what only
clients in the wild have seen is marked so.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, override

from mashumaro import DataClassDictMixin, field_options
from mashumaro.config import BaseConfig

from .parsing import (
    UnknownValue,
    parse_bool,
    parse_datetime,
    parse_enum,
    parse_identifier,
    parse_integer,
    parse_month,
    parse_non_negative,
    parse_number,
    parse_text,
)


class ChargerStatus(StrEnum):
    """How Joulo sees a charger; the docs do not enumerate it, these have been seen."""

    ONLINE = "online"
    OFFLINE = "offline"
    CHARGING = "charging"
    ACTIVE = "active"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class ConnectionType(StrEnum):
    """How a charger connects to Joulo (`cloud_api` has only been seen in the wild)."""

    EASEE = "easee"
    WALLBOX = "wallbox"
    ZAPTEC = "zaptec"
    ENPHASE = "enphase"
    OCPP = "ocpp"
    SMAPPEE = "smappee"
    V2C = "v2c"
    CLOUD_API = "cloud_api"
    OTHER = "other"


class SessionStatus(StrEnum):
    """Where a charging session stands (`stopped` has only been seen in the wild)."""

    ACTIVE = "active"
    CHARGING = "charging"
    COMPLETED = "completed"
    STOPPED = "stopped"


class Model(DataClassDictMixin):
    """A value read from JSON tolerantly; without its `required` fields it cannot be made."""

    required: ClassVar[tuple[str, ...]] = ()

    class Config(BaseConfig):
        """Read every field by its type, whatever Joulo sent in its place."""

        serialization_strategy = {  # noqa: RUF012 (mashumaro's own)
            str: {"deserialize": parse_text},
            float: {"deserialize": parse_number},
            int: {"deserialize": parse_integer},
            bool: {"deserialize": parse_bool},
            datetime: {"deserialize": parse_datetime},
            date: {"deserialize": parse_month},
        }

    def __post_init__(self) -> None:
        """Refuse a value that lacks what identifies it."""
        for name in self.required:
            if getattr(self, name) is None:
                raise ValueError(f"no {name}")


class OptionalSection(Model):
    """A part of an answer; where it is missing or unreadable, everything in it is absent."""

    @classmethod
    @override
    def __pre_deserialize__(cls, d: Any) -> dict[Any, Any]:
        return d if isinstance(d, dict) else {}


def parse_model[ModelT: Model](model: type[ModelT]) -> Callable[[object], ModelT | None]:
    """Return a reader of a part that may be missing or unreadable."""

    def read(value: object) -> ModelT | None:
        try:
            return model.from_dict(value) if isinstance(value, dict) else None
        except ValueError, LookupError:
            return None

    return read


def parse_models[ModelT: Model](
    model: type[ModelT], key: Callable[[ModelT], Hashable]
) -> Callable[[object], tuple[ModelT, ...]]:
    """Return a reader of a list: unreadable items are left out, the first of equal keys wins."""
    read_item = parse_model(model)

    def read(value: object) -> tuple[ModelT, ...]:
        items: dict[Hashable, ModelT] = {}
        for raw in _listed(value):
            if (item := read_item(raw)) is not None:
                items.setdefault(key(item), item)
        return tuple(items.values())

    return read


_TAG: Any = field(default=None, metadata=field_options(deserialize=parse_identifier))
"""Some cards have nothing but digits."""


def _amount() -> Any:
    return field(default=None, metadata=field_options(deserialize=parse_non_negative))


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSession(Model):
    """The charging session that runs on a charger; `kwh_so_far` in kWh."""

    required = ("id", "started_at")

    id: str
    started_at: datetime
    kwh_so_far: float | None = _amount()
    id_tag: str | None = _TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Charger(Model):
    """A charger; `latest_meter_wh` in Wh, sent only where there is a meter."""

    required = ("id",)

    id: str
    nickname: str | None = None
    connection_type: ConnectionType | UnknownValue | None = field(
        default=None, metadata=field_options(deserialize=parse_enum(ConnectionType))
    )
    status: ChargerStatus | UnknownValue | None = field(
        default=None, metadata=field_options(deserialize=parse_enum(ChargerStatus))
    )
    mid_certified: bool | None = None
    is_charging: bool | None = None
    current_session: CurrentSession | None = field(
        default=None, metadata=field_options(deserialize=parse_model(CurrentSession))
    )
    latest_meter_wh: float | None = None
    meter_updated_at: datetime | None = None

    @classmethod
    @override
    def __pre_deserialize__(cls, d: dict[Any, Any]) -> dict[Any, Any]:
        """Take `name` where there is no `nickname`, as seen in the wild."""
        return {"nickname": d.get("name")} | {k: v for k, v in d.items() if v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppAccess(OptionalSection):
    """How a charger connects to Joulo by OCPP; the password is told once, and shown nowhere."""

    identity: str | None = None
    endpoint: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCharger(Charger):
    """A charger that has just been registered."""

    ocpp: OcppAccess = OcppAccess()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingSession(Model):
    """A charging session; completed means that `ended_at` is set. `kwh` in kWh."""

    required = ("id", "charger_id", "started_at")

    id: str
    charger_id: str
    charger_nickname: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
    kwh: float | None = _amount()
    ere_credits: float | None = _amount()
    status: SessionStatus | UnknownValue | None = field(
        default=None, metadata=field_options(deserialize=parse_enum(SessionStatus))
    )
    id_tag: str | None = _TAG
    counts_for_ere: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Month(Model):
    """The sums of a calendar month (its first day) in Europe/Amsterdam: kWh, ERE credits, count."""

    required = ("month",)

    month: date
    kwh: float | None = None
    ere_credits: float | None = None
    sessions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy(Model):
    """The account's sums: kWh, ERE credits, count.

    Where `total_kwh_all` is sent it counts every charger, and the other figures MID-certified ones only.
    """

    total_kwh: float | None = None
    total_kwh_all: float | None = None
    total_ere_credits: float | None = None
    total_sessions: int | None = None
    all_months_read: bool = True
    """False where a month is listed whose name cannot be read: what is not listed may be that one."""
    months: tuple[Month, ...] = field(
        default=(), metadata=field_options(deserialize=parse_models(Month, lambda m: m.month))
    )

    @classmethod
    @override
    def __pre_deserialize__(cls, d: dict[Any, Any]) -> dict[Any, Any]:
        """Take note of months that cannot be read."""
        rows = d.get("months")
        read = [isinstance(row, dict) and parse_month(row.get("month")) for row in _listed(rows)]
        return d | {"all_months_read": all(read)}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProfile(Model):
    """Whose token it is, and at what terms: EUR per ERE credit before the fee, and the fee in percent."""

    id: str | None = field(default=None, metadata=field_options(deserialize=parse_identifier))
    ere_price_mid: float | None = None
    effective_fee_pct: float | None = None

    @classmethod
    @override
    def __pre_deserialize__(cls, d: dict[Any, Any]) -> dict[Any, Any]:
        """Take `user_id` where there is no `id`."""
        return {"id": d.get("user_id")} | {k: v for k, v in d.items() if v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldEre(OptionalSection):
    """ERE credits that are sold; `net_eur` in EUR after the fee."""

    net_eur: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsoldEre(OptionalSection):
    """ERE credits that are still to be sold; `ere` counts them."""

    ere: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErePosition(Model):
    """How far the ERE credits of this year have come towards money (undocumented; as seen in other clients).

    `total_expected_eur` in EUR after the fee: all that the year will bring, its forecast included.
    """

    paid: SoldEre = SoldEre()
    payable: SoldEre = SoldEre()
    reserved: SoldEre = SoldEre()
    unsold: UnsoldEre = UnsoldEre()
    total_expected_eur: float | None = None


class Cursor(NamedTuple):
    """A moment, and how Joulo wrote it: asked for in the same words, it means the same session."""

    moment: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """A page of `/sessions`, newest first.

    `ids` are those of all that Joulo lists, also of a session that cannot be read. `oldest` is the
    earliest `started_at`: where the next page begins. `rows` counts what Joulo sent, readable or not;
    a `full` page may have more behind it.
    """

    sessions: tuple[ChargingSession, ...]
    ids: frozenset[str]
    oldest: Cursor | None
    rows: int
    full: bool
