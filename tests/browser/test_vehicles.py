"""A vehicle from its dialog to the dashboard, as a user adds it."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

from playwright.async_api import expect
import pytest

from scripts.demo_home.stage import Introduction, Stage

from .conftest import Picture, Visit
from .test_dashboard import fits
from .visitor import submit


@pytest.fixture
async def _without_it_afterwards(
    introduced: tuple[Stage, Introduction],
) -> AsyncGenerator[None]:
    """Remove what the test has added: others see the same demo."""
    stage, introduction = introduced
    entry = {"entry_id": introduction.entry_id}
    before = await _subentries(stage, entry)
    yield
    async with stage.home.connection() as connection:
        for subentry_id in await _subentries(stage, entry) - before:
            await connection.ask(
                "config_entries/subentries/delete", subentry_id=subentry_id, **entry
            )


async def _subentries(stage: Stage, entry: dict[str, str]) -> set[str]:
    async with stage.home.connection() as connection:
        listed = await connection.ask("config_entries/subentries/list", **entry)
    return {each["subentry_id"] for each in listed}


class Words(NamedTuple):
    """What stands in the dialogs in a language."""

    add: str
    tags: str
    use: str
    charger: str
    question: str
    vehicle: str
    total: str


WORDS = {
    "en": Words(
        add="Add vehicle",
        tags="RFID tags",
        use=" sessions · last on ",
        charger="Charger",
        question="Whose card is this?",
        vehicle="A new vehicle",
        total="total_energy",
    ),
    "nl": Words(
        add="Voertuig toevoegen",
        tags="RFID-tags",
        use=" sessies · laatst op ",
        charger="Laadpaal",
        question="Van wie is deze pas?",
        vehicle="Een nieuw voertuig",
        total="totale_energie",
    ),
}


@pytest.mark.usefixtures("_without_it_afterwards")
async def test_a_vehicle_is_added_by_its_card_and_shown_with_its_past(
    stage: Stage, language: str, visit: Visit, picture: Picture
) -> None:
    words = WORDS[language]
    visitor = await visit(1280, "light")
    page = visitor.page
    await visitor.open("config/integrations/integration/joulo")
    await page.get_by_role("button", name=words.add).click()
    dialog = page.locator("dialog-data-entry-flow")
    await dialog.locator("ha-selector-text input").fill("Leaf")
    await dialog.get_by_text(words.tags).click()
    free = page.get_by_text(words.use)
    await expect(free.first).to_be_visible()
    if language == "en":
        await picture(visitor, "add-vehicle", language)
    # The card that no vehicle has comes first.
    await free.first.click()
    await submit(dialog)
    # It is no car at DER Connect.
    await expect(dialog.get_by_text("DER Connect").first).to_be_visible()
    await submit(dialog)
    await expect(dialog.locator("step-flow-create-entry")).to_be_visible()
    await submit(dialog)

    await page.get_by_role("link", name="Joulo").click()
    await expect(visitor.section("Leaf")).to_be_visible()
    total = await stage.home.call("GET", f"/api/states/sensor.leaf_{words.total}")
    assert float(total["state"]) > 0
    last = await visitor.figure("Leaf", words.charger)
    assert last in {"Garage", "Oprit", "Schuur"}
    assert await fits(visitor)


@pytest.mark.usefixtures("_without_it_afterwards")
async def test_the_owner_of_an_unknown_card_is_asked_for_and_given(
    stage: Stage, language: str, visit: Visit, picture: Picture
) -> None:
    words = WORDS[language]
    visitor = await visit(1280, "light")
    page = visitor.page
    await visitor.open("config/repairs")
    await page.get_by_text(words.question).click()
    dialog = page.locator("dialog-data-entry-flow")
    await expect(dialog.get_by_text(words.vehicle)).to_be_visible()
    if language == "en":
        await picture(visitor, "whose-card", language)
    await dialog.get_by_text(words.vehicle).click()
    await submit(dialog)
    await dialog.locator("ha-selector-text input").fill("Mokka")
    await submit(dialog)
    await visitor.page.goto(stage.dashboard_url)
    await expect(visitor.section("Mokka")).to_be_visible()
