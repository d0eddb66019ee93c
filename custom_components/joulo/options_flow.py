"""Options of an account: how often the chargers are polled, and what a kWh costs."""

from typing import TYPE_CHECKING, Any

from homeassistant.components.energy.data import async_get_manager
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    DateSelector,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
from homeassistant.util import dt as dt_util
import probatio

from .const import (
    CHARGERS_INTERVAL,
    CONF_CHARGERS_INTERVAL,
    DEAREST_KWH,
    EURO,
    LONGEST_CHARGERS_INTERVAL,
)
from .price import (
    CONF_FIXED_PRICE,
    CONF_PRICE,
    CONF_PRICE_ENTITY,
    CONF_PRICE_SINCE,
    EUR_PER_KWH,
    price_in,
)
from .price_sensor import async_is_recorded

if TYPE_CHECKING:
    from .data import JouloConfigEntry

_FORM = probatio.Schema(
    {
        probatio.Required(CONF_CHARGERS_INTERVAL, default=CHARGERS_INTERVAL): NumberSelector(
            NumberSelectorConfig(
                min=CHARGERS_INTERVAL,
                max=LONGEST_CHARGERS_INTERVAL,
                step=1,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=UnitOfTime.SECONDS,
            )
        ),
        probatio.Optional(CONF_PRICE): section(
            probatio.Schema(
                {
                    probatio.Optional(CONF_FIXED_PRICE): NumberSelector(
                        NumberSelectorConfig(
                            min=0,
                            max=DEAREST_KWH,
                            step="any",
                            mode=NumberSelectorMode.BOX,
                            unit_of_measurement="EUR/kWh",
                        )
                    ),
                    probatio.Optional(CONF_PRICE_ENTITY): EntitySelector(
                        EntitySelectorConfig(
                            filter=EntityWithDeviceFilterSelectorConfig(
                                domain=SENSOR_DOMAIN, unit_of_measurement=[*EUR_PER_KWH]
                            )
                        )
                    ),
                    probatio.Optional(CONF_PRICE_SINCE): DateSelector(),
                }
            )
        ),
    }
)

_SINCE_FORM = probatio.Schema({probatio.Optional(CONF_PRICE_SINCE): DateSelector()})


class JouloOptionsFlow(OptionsFlow):
    """Handle what a user sets for an account that is set up."""

    config_entry: JouloConfigEntry
    _options: dict[str, Any]

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the interval and the price; where the price is another one, also since when."""
        errors = {}
        if user_input is not None:
            self._options = _options_of(user_input)
            if (error := await _async_error(self.hass, self._options)) is not None:
                errors["base"] = error
            elif self._is_other_price():
                return await self.async_step_price_since()
            else:
                return self.async_create_entry(data=self._options)
        known = user_input or await self._async_suggested()
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_FORM, known),
            errors=errors,
        )

    async def async_step_price_since(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask from which day on another price holds; without one the whole past is priced anew."""
        errors = {}
        known = {CONF_PRICE_SINCE: dt_util.now().date().isoformat()}
        if user_input is not None:
            price = {**self._options[CONF_PRICE], CONF_PRICE_SINCE: None, **user_input}
            self._options[CONF_PRICE] = _filled_in(price)
            if (error := await _async_error(self.hass, self._options)) is None:
                return self.async_create_entry(data=self._options)
            errors[CONF_PRICE_SINCE], known = error, user_input
        return self.async_show_form(
            step_id="price_since",
            data_schema=self.add_suggested_values_to_schema(_SINCE_FORM, known),
            errors=errors,
        )

    def _is_other_price(self) -> bool:
        """Whether there was another price, and its day was left as it stood."""
        before = price_in(self.config_entry.options.get(CONF_PRICE, {}))
        price = price_in(self._options.get(CONF_PRICE, {}))
        return (
            before is not None and price is not None and price.day == before.day and price != before
        )

    async def _async_suggested(self) -> dict[str, Any]:
        """Return what is set, with the price of the Energy dashboard as long as none ever was."""
        options = dict(self.config_entry.options)
        if CONF_PRICE not in options:
            options[CONF_PRICE] = await _async_energy_price(self.hass)
        return options


def _options_of(user_input: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were entered, without what was left empty."""
    options: dict[str, Any] = {CONF_CHARGERS_INTERVAL: int(user_input[CONF_CHARGERS_INTERVAL])}
    if CONF_PRICE in user_input:
        options[CONF_PRICE] = _filled_in(user_input[CONF_PRICE])
    return options


def _filled_in(price: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in price.items() if value not in (None, "")}


async def _async_error(hass: HomeAssistant, options: dict[str, Any]) -> str | None:
    """Return why a price cannot be used, by the key of the text that says so; None if it can."""
    price = price_in(options.get(CONF_PRICE, {}))
    if price is None:
        return None
    if price.fixed is not None and price.entity_id is not None:
        return "one_price"
    if price.day is not None and price.day > dt_util.now().date():
        return "price_later"
    if price.entity_id is None:
        return None
    if not _is_price(hass, price.entity_id):
        return "not_a_price"
    return None if await async_is_recorded(hass, price.entity_id) else "price_not_recorded"


@callback
def _is_price(hass: HomeAssistant, entity_id: str) -> bool:
    state = hass.states.get(entity_id)
    return state is not None and state.attributes.get(ATTR_UNIT_OF_MEASUREMENT) in EUR_PER_KWH


async def _async_energy_price(hass: HomeAssistant) -> dict[str, Any]:
    """Return the price that the Energy dashboard uses for what is bought: one truth for both."""
    if "energy" not in hass.config.components:
        return {}
    preferences = (await async_get_manager(hass)).data
    for source in preferences["energy_sources"] if preferences else ():
        if source["type"] != "grid":
            continue
        if (entity_id := source["entity_energy_price"]) and _is_price(hass, entity_id):
            return {CONF_PRICE_ENTITY: entity_id}
        if source["number_energy_price"] is not None and hass.config.currency == EURO:
            return {CONF_FIXED_PRICE: source["number_energy_price"]}
    return {}
