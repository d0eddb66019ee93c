"""Frozen models of the data that Joulo sends. A field is None if Joulo sent nothing usable for it.

Fields and values come from the Joulo developer docs (Chargers, Sessions, Energy statistics), unless
they are marked as undocumented: those were seen in other clients of the API.
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
    parse_percentage,
    parse_positive,
    parse_text,
)


class ChargerStatus(StrEnum):
    """Status of a charger. The docs do not list the values; these are the ones that have been seen."""

    ONLINE = "online"
    OFFLINE = "offline"
    CHARGING = "charging"
    ACTIVE = "active"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class ConnectionType(StrEnum):
    """Kind of connection between a charger and Joulo (`cloud_api` is undocumented)."""

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
    """Status of a charging session (`stopped` is undocumented)."""

    ACTIVE = "active"
    CHARGING = "charging"
    COMPLETED = "completed"
    STOPPED = "stopped"


class Model(DataClassDictMixin):
    """Base of all models. An unusable value leaves its field None; without a `required` field no model is made."""

    required: ClassVar[tuple[str, ...]] = ()

    class Config(BaseConfig):
        """Parsers by field type, which accept any value that Joulo may send."""

        serialization_strategy = {  # noqa: RUF012 - mashumaro declares it so
            str: {"deserialize": parse_text},
            float: {"deserialize": parse_number},
            int: {"deserialize": parse_integer},
            bool: {"deserialize": parse_bool},
            datetime: {"deserialize": parse_datetime},
            date: {"deserialize": parse_month},
        }

    def __post_init__(self) -> None:
        """Raise ValueError if a required field is None."""
        for name in self.required:
            if getattr(self, name) is None:
                raise ValueError(f"no {name}")


class OptionalSection(Model):
    """Base of nested models that may be missing. If Joulo sent no object, all fields are None."""

    @classmethod
    @override
    def __pre_deserialize__(cls, d: Any) -> dict[Any, Any]:
        return d if isinstance(d, dict) else {}


def parse_model[ModelT: Model](model: type[ModelT]) -> Callable[[object], ModelT | None]:
    """Return a parser of one model. It returns None for a value that is no such model."""

    def parse(value: object) -> ModelT | None:
        try:
            return model.from_dict(value) if isinstance(value, dict) else None
        except ValueError, LookupError:
            return None

    return parse


def parse_models[ModelT: Model](
    model: type[ModelT], key: Callable[[ModelT], Hashable]
) -> Callable[[object], tuple[ModelT, ...]]:
    """Return a parser of a list of models. It leaves out unusable items, and keeps the first of each key."""
    parse_item = parse_model(model)

    def parse(value: object) -> tuple[ModelT, ...]:
        models: dict[Hashable, ModelT] = {}
        for item in _as_list(value):
            if (parsed := parse_item(item)) is not None:
                models.setdefault(key(parsed), parsed)
        return tuple(models.values())

    return parse


_TAG: Any = field(default=None, metadata=field_options(deserialize=parse_identifier))
"""Field of an RFID tag. The id of some cards has digits only, and comes as a number."""


def _amount() -> Any:
    """Return a field of an amount that cannot be negative."""
    return field(default=None, metadata=field_options(deserialize=parse_non_negative))


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSession(Model):
    """Charging session in progress on a charger (Joulo developer docs, Chargers). Energy in kWh."""

    required = ("id", "started_at")

    id: str
    started_at: datetime
    kwh_so_far: float | None = _amount()
    id_tag: str | None = _TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Charger(Model):
    """Charger (Joulo developer docs, Chargers). `latest_meter_wh` in Wh, absent without meter data."""

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
    latest_meter_wh: float | None = _amount()
    meter_updated_at: datetime | None = None

    @classmethod
    @override
    def __pre_deserialize__(cls, d: dict[Any, Any]) -> dict[Any, Any]:
        """Use `name` if there is no `nickname` (undocumented)."""
        return d if d.get("nickname") is not None else d | {"nickname": d.get("name")}


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppAccess(OptionalSection):
    """Access data of an OCPP charger. Joulo sends the password once; it is kept out of the repr."""

    identity: str | None = None
    endpoint: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredCharger(Charger):
    """Response to a registration (Joulo developer docs, Chargers)."""

    ocpp: OcppAccess = OcppAccess()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingSession(Model):
    """Charging session (Joulo developer docs, Sessions). Energy in kWh; completed if `ended_at` is set.

    `id_tag` and `counts_for_ere` are undocumented.
    """

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
    """Totals of a calendar month in Europe/Amsterdam, given by its first day. Energy in kWh."""

    required = ("month",)

    month: date
    kwh: float | None = None
    ere_credits: float | None = None
    sessions: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy(Model):
    """Totals of the account (Joulo developer docs, Energy statistics). Energy in kWh.

    `total_kwh_all` counts every charger (undocumented). If Joulo sends it, the other fields count
    MID-certified chargers only.
    """

    total_kwh: float | None = None
    total_kwh_all: float | None = None
    total_ere_credits: float | None = None
    total_sessions: int | None = None
    all_months_read: bool = True
    """False if a listed month cannot be parsed. A month that is not in `months` may then be that one."""
    months: tuple[Month, ...] = field(
        default=(), metadata=field_options(deserialize=parse_models(Month, lambda m: m.month))
    )

    @classmethod
    @override
    def __pre_deserialize__(cls, d: dict[Any, Any]) -> dict[Any, Any]:
        """Record whether every listed month can be parsed."""
        months = [
            isinstance(row, dict) and parse_month(row.get("month"))
            for row in _as_list(d.get("months"))
        ]
        return d | {"all_months_read": all(months)}


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProfile(Model):
    """Account of the token (`/me`; Joulo developer docs, Sessions).

    `ere_price_mid` is in EUR per ERE credit, before the fee. `effective_fee_pct` is the fee in percent.
    `id` is undocumented.
    """

    id: str | None = field(default=None, metadata=field_options(deserialize=parse_identifier))
    ere_price_mid: float | None = field(
        default=None, metadata=field_options(deserialize=parse_positive)
    )
    effective_fee_pct: float | None = field(
        default=None, metadata=field_options(deserialize=parse_percentage)
    )

    @classmethod
    @override
    def __pre_deserialize__(cls, d: dict[Any, Any]) -> dict[Any, Any]:
        """Use `user_id` if there is no `id` (undocumented)."""
        return d if d.get("id") is not None else d | {"id": d.get("user_id")}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldEre(OptionalSection):
    """Sold ERE credits. `net_eur` is in EUR, after the fee."""

    net_eur: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsoldEre(OptionalSection):
    """ERE credits that are not sold yet. `ere` is their number."""

    ere: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErePosition(Model):
    """Amounts of this year's ERE credits, by their stage towards payment (undocumented).

    `total_expected_eur` is the whole year's amount in EUR, after the fee and with Joulo's forecast.
    """

    paid: SoldEre = SoldEre()
    payable: SoldEre = SoldEre()
    reserved: SoldEre = SoldEre()
    unsold: UnsoldEre = UnsoldEre()
    total_expected_eur: float | None = None


class Cursor(NamedTuple):
    """Page cursor: a session's `started_at`, parsed and verbatim.

    The verbatim text is sent back, so no precision is lost.
    """

    moment: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """Page of charging sessions, newest first (Joulo developer docs, Sessions).

    `ids` and `row_count` cover every row of the page, also rows that cannot be parsed. `oldest` is the
    cursor of the next page, `newest` the start of the page's newest session. `is_full` is True if the page holds as many rows as were asked for.
    `is_newest_first` is False if a row is newer than the one before it.
    """

    sessions: tuple[ChargingSession, ...]
    ids: frozenset[str]
    oldest: Cursor | None
    newest: datetime | None
    row_count: int
    is_full: bool
    is_newest_first: bool
