"""DER Connect from its forms to the dashboard, as a user meets it."""

from typing import NamedTuple

from playwright.async_api import Locator, expect
import pytest

from scripts.demo_home.household import CAR
from scripts.demo_home.stage import Stage
from tests.simulator import DER_CONNECT_ID

from .conftest import Picture, Scheme, Visit, Width
from .test_dashboard import fits
from .visitor import Visitor, number, submit


class Words(NamedTuple):
    """What stands on the screen in a language."""

    change: str
    change_vehicle: str
    refused: str
    unknown: str
    elsewhere: str
    last: str
    where: str
    graph: str


WORDS = {
    "en": Words(
        change="Change DER Connect",
        change_vehicle="Change vehicle",
        refused="DER Connect does not accept this client ID",
        unknown="DER Connect does not know this entity ID",
        elsewhere="Elsewhere",
        last="Last charge",
        where="Where",
        graph="Energy per month",
    ),
    "nl": Words(
        change="DER Connect wijzigen",
        change_vehicle="Voertuig wijzigen",
        refused="DER Connect accepteert deze",
        unknown="DER Connect kent deze entity-ID niet",
        elsewhere="Elders",
        last="Laatste laadbeurt",
        where="Waar",
        graph="Energie per maand",
    ),
}


async def open_row(visitor: Visitor, title: str, button: str) -> Locator:
    """Open the form of a subentry on the page of the integration."""
    await visitor.open("config/integrations/integration/joulo")
    row = visitor.page.locator("ha-config-sub-entry-row").filter(has_text=title)
    await row.get_by_role("button", name=button).click()
    return visitor.page.locator("dialog-data-entry-flow")


async def test_credentials_that_are_refused_are_said_in_words(
    stage: Stage, language: str, visit: Visit
) -> None:
    words = WORDS[language]
    visitor = await visit(1280, "light")
    dialog = await open_row(visitor, "DER Connect", words.change)
    await expect(dialog.get_by_text(words.change).first).to_be_visible()
    first = dialog.locator("ha-selector-text input").first
    await expect(first).to_have_value(DER_CONNECT_ID)
    await dialog.locator("input[type=password]").fill("wrong")
    await submit(dialog)
    await expect(dialog.locator("ha-alert")).to_contain_text(words.refused)


async def test_a_car_that_der_connect_does_not_know_is_said_in_words(
    stage: Stage, language: str, visit: Visit, picture: Picture
) -> None:
    words = WORDS[language]
    visitor = await visit(1280, "light")
    dialog = await open_row(visitor, "ID.3", words.change_vehicle)
    await expect(dialog.locator("ha-selector-text input")).to_have_value("ID.3")
    await submit(dialog)
    await expect(dialog.locator("ha-selector-boolean")).to_be_visible()
    entity_id = dialog.locator("ha-selector-text input")
    await entity_id.fill("7ac991f9-0000-4000-8000-000000000000")
    if language == "en":
        await picture(visitor, "der-connect", language)
    await submit(dialog)
    await expect(dialog.get_by_text(words.unknown)).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
async def test_what_the_car_charged_elsewhere_stands_on_the_dashboard(
    stage: Stage, language: str, visit: Visit, width: Width, scheme: Scheme
) -> None:
    words = WORDS[language]
    visitor = await visit(width, scheme)
    await visitor.page.goto(stage.dashboard_url)
    section = visitor.section(CAR)
    await expect(section.get_by_text(words.last, exact=True)).to_be_visible()
    assert await visitor.figure(CAR, words.where) in {"Home", "Work"}
    assert number(await visitor.figure(CAR, words.elsewhere), language) >= 0
    assert await fits(visitor)
    await visitor.page.goto(f"{stage.dashboard_url}/sessions")
    graphs = visitor.section(CAR).locator("joulo-graphs")
    await expect(graphs.get_by_text(words.graph)).to_be_visible()
    await expect(graphs.get_by_text(words.elsewhere, exact=True)).to_be_visible()
