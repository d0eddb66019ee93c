"""A price sensor of another integration: what it says now, and what the recorder holds of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from homeassistant.components.recorder.entity_options import is_entity_recorded
from homeassistant.components.recorder.models import StatisticMeanType
from homeassistant.components.recorder.statistics import get_metadata, statistics_during_period
from homeassistant.components.sensor import ATTR_STATE_CLASS, SensorStateClass
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util

from .api.parsing import parse_number
from .price import EUR_PER_KWH
from .sessions.cost import Part, mean_price
from .sessions.queries import Unpriced
from .sessions.transitions import FoundPrices


def price_of_now(hass: HomeAssistant, entity_id: str) -> float | None:
    """Return what a sensor says, in EUR/kWh; unknown where that is no price."""
    state = hass.states.get(entity_id)
    factor = EUR_PER_KWH.get(state.attributes.get(ATTR_UNIT_OF_MEASUREMENT, "")) if state else None
    figure = parse_number(state.state) if state else None
    return None if factor is None or figure is None else figure * factor


async def async_is_recorded(hass: HomeAssistant, entity_id: str) -> bool:
    """Whether the recorder keeps the mean price of every hour, or will: it does for sensors that measure."""
    if "recorder" not in hass.config.components or not is_entity_recorded(hass, entity_id):
        return False
    state = hass.states.get(entity_id)
    if state and state.attributes.get(ATTR_STATE_CLASS) == SensorStateClass.MEASUREMENT:
        return True
    factor = await get_instance(hass).async_add_executor_job(_recorded_factor, hass, entity_id)
    return factor is not None


def recorded_prices(
    hass: HomeAssistant, entity_id: str, sessions: Sequence[Unpriced]
) -> list[FoundPrices]:
    """Return what the recorder knows of the prices of sessions in their hours. It reads long: for a thread."""
    factor = _recorded_factor(hass, entity_id)
    if factor is None:
        return [FoundPrices(session.id, session.charger_id, {}) for session, _ in sessions]
    parts = [Part.of(hour, session) for session, hours in sessions for hour in hours]
    hourly = _means(hass, entity_id, "hour", parts)
    # Whole hours have their mean already.
    by_slot = _means(hass, entity_id, "5minute", [part for part in parts if not part.is_whole])
    return [
        FoundPrices(
            session.id,
            session.charger_id,
            {
                hour: mean * factor
                for hour in hours
                if (mean := mean_price(Part.of(hour, session), hourly, by_slot)) is not None
            },
        )
        for session, hours in sessions
    ]


def _recorded_factor(hass: HomeAssistant, entity_id: str) -> float | None:
    """Return what one of a statistic's unit is in EUR/kWh; None where it is no price, or has no mean."""
    found = get_metadata(hass, statistic_ids={entity_id}).get(entity_id)
    if found is None or found[1]["mean_type"] is not StatisticMeanType.ARITHMETIC:
        return None
    return EUR_PER_KWH.get(found[1]["unit_of_measurement"] or "")


def _means(
    hass: HomeAssistant,
    entity_id: str,
    period: Literal["hour", "5minute"],
    parts: Sequence[Part],
) -> dict[datetime, float]:
    """Return the means that the recorder holds of the time in which parts of hours lie, by their start."""
    if not parts:
        return {}
    begin, end = min(part.hour for part in parts), max(part.end for part in parts)
    rows = statistics_during_period(hass, begin, end, {entity_id}, period, None, {"mean"})
    return {
        dt_util.utc_from_timestamp(row["start"]): mean
        for row in rows.get(entity_id, ())
        if (mean := row.get("mean")) is not None
    }
