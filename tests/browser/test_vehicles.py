"""A vehicle from its dialog to the dashboard, as a user adds it."""

from collections.abc import AsyncGenerator

from playwright.async_api import expect
import pytest

from scripts.demo_home.stage import Introduction, Stage

from .conftest import Visit
from .test_dashboard import fits


@pytest.fixture
async def _without_vehicles_afterwards(
    introduced: tuple[Stage, Introduction],
) -> AsyncGenerator[None]:
    """Remove what the test has added: others see the same demo."""
    yield
    stage, introduction = introduced
    async with stage.home.connection() as connection:
        entry = {"entry_id": introduction.entry_id}
        for vehicle in await connection.ask("config_entries/subentries/list", **entry):
            await connection.ask(
                "config_entries/subentries/delete", subentry_id=vehicle["subentry_id"], **entry
            )


@pytest.mark.usefixtures("_without_vehicles_afterwards")
async def test_a_vehicle_is_added_by_its_card_and_shown_with_its_past(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    page = visitor.page
    await visitor.open("config/integrations/integration/joulo")
    await page.get_by_role("button", name="Add vehicle").click()
    dialog = page.locator("dialog-data-entry-flow")
    await dialog.locator("ha-selector-text input").fill("Zoe")
    await dialog.get_by_text("RFID tags").click()
    await page.get_by_text(" sessions · last on ").first.click()
    await dialog.get_by_role("button", name="Submit").click()
    await dialog.get_by_role("button", name="Finish").click()

    await page.get_by_role("link", name="Joulo").click()
    await expect(visitor.section("Zoe")).to_be_visible()
    total = await stage.home.call("GET", "/api/states/sensor.zoe_total_energy")
    assert float(total["state"]) > 0
    assert (await visitor.figure("Zoe", "Charger")) in {"Garage", "Oprit", "Schuur"}
    assert await fits(visitor)
