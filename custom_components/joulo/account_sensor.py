"""Sensors of the account: its sums, what they are worth, and what its ERE credits pay out."""

from collections.abc import Callable
from datetime import datetime

from homeassistant.components.sensor import SensorStateClass
from homeassistant.const import PERCENTAGE, EntityCategory

from .api import Endpoint, ErePosition, Month
from .const import EURO_PER_ERE
from .coordinator import AccountState
from .sensor_description import (
    EnergyDescription,
    EreDescription,
    EuroDescription,
    JouloSensorDescription,
    Value,
)
from .sessions import midnight, month_figures, net_value, year_total


def _this_month(state: AccountState) -> Month | None:
    return month_figures(state.energy, state.day)


def _of_month(figure: Callable[[Month], Value]) -> Callable[[AccountState], Value]:
    """Return a figure of the current month, unknown where Joulo sent no months."""
    return lambda state: figure(month) if (month := _this_month(state)) else None


def _year_energy(state: AccountState) -> float | None:
    return year_total(state.energy, state.day, lambda month: month.kwh)


def _year_ere(state: AccountState) -> float | None:
    return year_total(state.energy, state.day, lambda month: month.ere_credits)


def _month_start(state: AccountState) -> datetime:
    return midnight(state.day.replace(day=1))


def _year_start(state: AccountState) -> datetime:
    return midnight(state.day.replace(month=1, day=1))


def _me_answered(state: AccountState) -> bool:
    return Endpoint.ME not in state.failed


def _of_position(figure: Callable[[ErePosition], Value]) -> Callable[[AccountState], Value]:
    """Return a figure of the ERE position, unknown where the account has none any more."""
    return lambda state: figure(state.position) if state.position else None


def _has_position(state: AccountState) -> bool:
    return state.position is not None


def _position_answered(state: AccountState) -> bool:
    return Endpoint.ERE_POSITION not in state.failed


def _reach(state: AccountState) -> dict[str, Value]:
    """Return since when, and whether all, and when all sessions have been read."""
    progress = state.progress
    return {
        "oldest": progress.oldest,
        "complete": progress.last_full_read is not None,
        "last_full_read": progress.last_full_read,
    }


ACCOUNT_SENSORS: tuple[JouloSensorDescription[AccountState], ...] = (
    EnergyDescription(
        key="total_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_kwh,
    ),
    EnergyDescription(
        key="total_energy_all",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_kwh_all,
        exists_fn=lambda state: state.energy.total_kwh_all is not None,
    ),
    EreDescription(
        key="total_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_ere_credits,
    ),
    JouloSensorDescription(
        key="total_sessions",
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda state: state.energy.total_sessions,
    ),
    EnergyDescription(
        key="month_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_month(lambda month: month.kwh),
        last_reset_fn=_month_start,
    ),
    EreDescription(
        key="month_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_month(lambda month: month.ere_credits),
        last_reset_fn=_month_start,
    ),
    JouloSensorDescription(
        key="month_sessions",
        state_class=SensorStateClass.TOTAL,
        value_fn=_of_month(lambda month: month.sessions),
        last_reset_fn=_month_start,
    ),
    EnergyDescription(
        key="year_energy",
        state_class=SensorStateClass.TOTAL,
        value_fn=_year_energy,
        last_reset_fn=_year_start,
    ),
    EreDescription(
        key="year_ere",
        state_class=SensorStateClass.TOTAL,
        value_fn=_year_ere,
        last_reset_fn=_year_start,
    ),
    EuroDescription(
        key="month_value",
        available_fn=_me_answered,
        value_fn=lambda state: net_value(
            month.ere_credits if (month := _this_month(state)) else None, state.me
        ),
    ),
    EuroDescription(
        key="year_value",
        available_fn=_me_answered,
        value_fn=lambda state: net_value(_year_ere(state), state.me),
    ),
    EuroDescription(
        key="total_value",
        available_fn=_me_answered,
        value_fn=lambda state: net_value(state.energy.total_ere_credits, state.me),
    ),
    JouloSensorDescription(
        key="ere_price",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=EURO_PER_ERE,
        suggested_display_precision=3,
        available_fn=_me_answered,
        value_fn=lambda state: state.me.ere_price_mid if state.me else None,
    ),
    JouloSensorDescription(
        key="platform_fee",
        native_unit_of_measurement=PERCENTAGE,
        available_fn=_me_answered,
        value_fn=lambda state: state.me.effective_fee_pct if state.me else None,
    ),
    EuroDescription(
        key="paid_out",
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.paid.net_eur),
    ),
    EuroDescription(
        key="payable",
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.payable.net_eur),
    ),
    EuroDescription(
        key="reserved",
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.reserved.net_eur),
    ),
    EuroDescription(
        key="expected_this_year",
        exists_fn=_has_position,
        available_fn=_position_answered,
        # The whole year's; `ytd_expected_eur` stops at what has been charged by now.
        value_fn=_of_position(lambda position: position.total_expected_eur),
    ),
    EreDescription(
        key="unsold_ere",
        # A stock, not a sum: statistics keep its course.
        state_class=SensorStateClass.MEASUREMENT,
        exists_fn=_has_position,
        available_fn=_position_answered,
        value_fn=_of_position(lambda position: position.unsold.ere),
    ),
    JouloSensorDescription(
        key="history_sessions",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: state.progress.sessions,
        attributes_fn=_reach,
    ),
)
