"""The price in the options, and the costs that follow from it on the dashboard."""

from typing import NamedTuple

from playwright.async_api import expect
import pytest

from scripts.demo_home.stage import Stage

from .conftest import Picture, Visit, Width
from .test_dashboard import PHONE, fits, show_account
from .visitor import number, submit


class Words(NamedTuple):
    """What stands on the screen in a language."""

    cost: str
    net: str
    section: str
    error: str


WORDS = {
    "en": Words(
        cost="Cost",
        net="Net cost",
        section="What a kWh costs you",
        error="Give either a fixed price or a sensor, not both.",
    ),
    "nl": Words(
        cost="Kosten",
        net="Nettokosten",
        section="Wat een kWh je kost",
        error="Geef een vaste prijs óf een sensor op, niet allebei.",
    ),
}


@pytest.mark.parametrize("width", [1280, PHONE])
async def test_costs_stand_beside_the_values_of_chargers_vehicles_and_account(
    stage: Stage, language: str, visit: Visit, width: Width
) -> None:
    words = WORDS[language]
    visitor = await visit(width, "light")
    await visitor.page.goto(stage.dashboard_url)
    for section in ("Oprit", "Zoe"):
        assert number(await visitor.figure(section, words.cost), language) > 0
    assert await fits(visitor)
    await show_account(visitor, width)
    cost = number(await visitor.figure("Joulo", words.cost), language)
    net = number(await visitor.figure("Joulo", words.net), language)
    assert 0 < net < cost
    assert await fits(visitor)


async def test_the_price_is_set_in_the_options_and_a_contradiction_is_said(
    stage: Stage, language: str, visit: Visit, picture: Picture
) -> None:
    words = WORDS[language]
    visitor = await visit(1280, "light")
    page = visitor.page
    await visitor.open("config/integrations/integration/joulo")
    # Behind the one that folds the account.
    await page.locator("ha-config-entry-row ha-icon-button").nth(1).click()
    dialog = page.locator("dialog-data-entry-flow")
    await expect(dialog.get_by_text(words.section)).to_be_visible()
    if language == "en":
        await picture(visitor, "price", language)
    # Below the interval.
    await dialog.locator("ha-selector-number input").nth(1).fill("0.25")
    await submit(dialog)
    await expect(dialog.locator("ha-alert")).to_contain_text(words.error)
