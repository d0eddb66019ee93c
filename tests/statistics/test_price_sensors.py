"""Which sensors can be the price, and what is suggested: by the shapes that sensors of other integrations really have."""

from typing import Any

from homeassistant.components.energy.data import async_get_manager
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from tests.conftest import NOW
from tests.home import Home
from tests.prices import SENSOR, record_prices, set_price, show_price, submit_price

pytestmark = pytest.mark.usefixtures("recorder")

MEASURED: dict[str, Any] = {"state_class": "measurement"}
QUALIFIED = {
    "Zonneplan": (
        "sensor.zonneplan_current_electricity_tariff",
        "€/kWh",
        MEASURED | {"forecast": [{"datetime": NOW.isoformat(), "electricity_price": 2500000}]},
    ),
    "Tibber": (
        "sensor.electricity_price_home",
        "EUR/kWh",
        MEASURED | {"max_price": 0.35, "avg_price": 0.27, "intraday_price_ranking": 0.5},
    ),
    "Nord Pool": ("sensor.nord_pool_nl_current_price", "EUR/kWh", MEASURED),
    "EnergyZero": (
        "sensor.energyzero_today_energy_current_hour_price",
        "€/kWh",
        MEASURED,
    ),
    "easyEnergy": (
        "sensor.easyenergy_today_energy_usage_current_hour_price",
        "€/kWh",
        MEASURED,
    ),
    "Frank Energie": (
        "sensor.frank_energie_current_electricity_price",
        "€/kWh",
        MEASURED | {"prices": [{"from": NOW.isoformat(), "price": 0.25}]},
    ),
    "a template": ("sensor.day_and_night_rate", "EUR/kWh", MEASURED),
    "a market price": ("sensor.market_price", "EUR/MWh", MEASURED),
    "cents": ("sensor.cents", "ct/kWh", MEASURED),
}
"""Entity id, unit and attributes by the integration, as its own source gives them."""


@pytest.mark.parametrize("name", QUALIFIED)
async def test_a_sensor_that_measures_a_price_can_be_the_price(home: Home, name: str) -> None:
    entity_id, unit, attributes = QUALIFIED[name]
    home.hass.states.async_set(entity_id, "0.25", {"unit_of_measurement": unit} | attributes)
    await set_price(home.hass, home.entry, price_entity=entity_id)
    assert home.entry.options["price"] == {"price_entity": entity_id}


@pytest.mark.parametrize(
    ("entity_id", "attributes", "error"),
    [
        pytest.param(
            "input_number.price",
            {"unit_of_measurement": "EUR/kWh"},
            "price_not_recorded",
            id="a helper",
        ),
        pytest.param(
            "sensor.price",
            {"unit_of_measurement": "EUR/kWh"},
            "price_not_recorded",
            id="no state class",
        ),
        pytest.param(
            "sensor.current_electricity_market_price",
            {"unit_of_measurement": "EUR/kWh", "device_class": "monetary"},
            "price_not_recorded",
            id="ENTSO-E, which is an amount of money",
        ),
        pytest.param(
            "sensor.price",
            {"unit_of_measurement": "USD/kWh"} | MEASURED,
            "not_a_price",
            id="dollars",
        ),
        pytest.param("sensor.price", MEASURED, "not_a_price", id="no unit"),
        pytest.param(
            "sensor.energy", {"unit_of_measurement": "kWh"} | MEASURED, "not_a_price", id="energy"
        ),
    ],
)
async def test_another_sensor_is_refused_in_words(
    home: Home, entity_id: str, attributes: dict[str, Any], error: str
) -> None:
    home.hass.states.async_set(entity_id, "0.25", attributes)
    result = await submit_price(home.hass, home.entry, price_entity=entity_id)
    assert result["errors"] == {"base": error}


async def test_a_sensor_whose_past_is_recorded_can_be_the_price(home: Home) -> None:
    """It may have lost its state class since."""
    await record_prices(home.hass, {NOW.replace(hour=9): 0.25})
    home.hass.states.async_set(SENSOR, "0.25", {"unit_of_measurement": "EUR/kWh"})
    await set_price(home.hass, home.entry, price_entity=SENSOR)


# What is suggested


async def suggested(hass: HomeAssistant, home: Home) -> dict[str, Any]:
    """Return what the form suggests for the price."""
    form = await hass.config_entries.options.async_init(home.entry.entry_id)
    assert form["data_schema"] is not None
    section = form["data_schema"].schema["price"]
    return {
        str(field): field.description["suggested_value"]
        for field in section.schema.schema
        if field.description
    }


async def use_energy_dashboard(hass: HomeAssistant, **price: Any) -> None:
    """Let the Energy dashboard have a price for what is bought."""
    assert await async_setup_component(hass, "energy", {})
    manager = await async_get_manager(hass)
    source: Any = {
        "type": "grid",
        "stat_energy_from": "sensor.meter",
        "stat_energy_to": None,
        "stat_cost": None,
        "entity_energy_price": None,
        "number_energy_price": None,
        "stat_compensation": None,
        "entity_energy_price_export": None,
        "number_energy_price_export": None,
        "cost_adjustment_day": 0.0,
    }
    await manager.async_update({"energy_sources": [source | price], "device_consumption": []})


async def test_without_the_energy_dashboard_nothing_is_suggested(
    hass: HomeAssistant, home: Home
) -> None:
    assert await suggested(hass, home) == {}


async def test_the_price_of_the_energy_dashboard_is_suggested(
    hass: HomeAssistant, home: Home
) -> None:
    show_price(hass, 0.25)
    await use_energy_dashboard(hass, entity_energy_price=SENSOR)
    assert await suggested(hass, home) == {"price_entity": SENSOR}


async def test_a_fixed_price_of_the_energy_dashboard_is_suggested_if_it_is_in_euros(
    hass: HomeAssistant, home: Home
) -> None:
    hass.config.currency = "EUR"
    await use_energy_dashboard(hass, number_energy_price=0.27)
    assert await suggested(hass, home) == {"fixed_price": 0.27}
    hass.config.currency = "USD"
    assert await suggested(hass, home) == {}


async def test_a_price_in_dollars_is_not_suggested(hass: HomeAssistant, home: Home) -> None:
    show_price(hass, 0.25, "USD/kWh")
    await use_energy_dashboard(hass, entity_energy_price=SENSOR)
    assert await suggested(hass, home) == {}


async def test_what_was_set_is_suggested_and_nothing_after_a_price_was_taken_away(
    hass: HomeAssistant, home: Home
) -> None:
    hass.config.currency = "EUR"
    await use_energy_dashboard(hass, number_energy_price=0.27)
    await set_price(hass, home.entry, fixed_price=0.3, since="2026-06-01")
    assert await suggested(hass, home) == {"fixed_price": 0.3, "price_since": "2026-06-01"}
    await set_price(hass, home.entry)
    assert await suggested(hass, home) == {}
