"""Words and numbers in the language that Home Assistant is set to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import LOCALE_EN, async_get_cached_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN


@dataclass(frozen=True, slots=True)
class Localizer:
    """Texts and number format of a language. The texts are the section `common` of the translations."""

    language: str
    texts: Mapping[str, str]

    @property
    def has_decimal_comma(self) -> bool:
        """Whether numbers are written with a comma."""
        return self.language == "nl"

    def text(self, key: str, **words: str) -> str:
        """Return a text with words filled in."""
        return self.texts[f"component.{DOMAIN}.common.{key}"].format(**words)

    def day(self, moment: datetime) -> str:
        """Return the local day of a moment, without its year."""
        day = dt_util.as_local(moment)
        return self.text(f"day_of_month_{day.month}", day=str(day.day))

    def number(self, figure: float, decimals: int) -> str:
        """Return a number with so many decimals, half of the last one rounded up as people do."""
        exact = Decimal(repr(figure))
        written = f"{exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):f}"
        return written.replace(".", ",") if self.has_decimal_comma else written


@callback
def async_localizer(hass: HomeAssistant) -> Localizer:
    """Return the configured language's localizer; English until Home Assistant has read its texts."""
    language = hass.config.language
    if texts := async_get_cached_translations(hass, language, "common", DOMAIN):
        return Localizer(language, texts)
    return Localizer(LOCALE_EN, async_get_cached_translations(hass, LOCALE_EN, "common", DOMAIN))
