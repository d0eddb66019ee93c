"""What Home Assistant's own pages show of Joulo."""

from playwright.async_api import expect

from scripts.demo_home.stage import Introduction, Stage

from .conftest import Visit
from .visitor import number


async def test_a_device_page_has_all_of_a_charger(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    async with stage.home.connection() as connection:
        devices = await connection.ask("config/device_registry/list")
    oprit = next(device["id"] for device in devices if device["name"] == "Oprit")
    await visitor.open(f"config/devices/device/{oprit}")
    for name in (
        "Status",
        "Last session energy",
        "Meter reading",
        "Restart",
        "MID-certified meter",
    ):
        await expect(visitor.page.get_by_text(name, exact=True).first).to_be_visible()
    await expect(visitor.page.get_by_text("Download diagnostics")).to_be_visible()


async def test_the_energy_dashboard_takes_the_statistic_of_a_charger(
    stage: Stage, visit: Visit
) -> None:
    """Through the dialog: typing Joulo finds it."""
    visitor = await visit(1280, "light")
    page = visitor.page
    async with stage.home.connection() as connection:
        preferences = await connection.ask("energy/get_prefs")
        await connection.ask("energy/save_prefs", device_consumption=[])
    try:
        await visitor.open("config/energy")
        await page.get_by_role("button", name="Add device").click()
        dialog = page.locator("dialog-energy-device-settings")
        await dialog.locator("ha-statistic-picker").first.click()
        await page.locator("ha-picker-combo-box input").fill("Joulo")
        await page.locator("ha-combo-box-item", has_text="Garage charged energy").click()
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog).not_to_be_visible()
        await visitor.open("energy")
        await expect(page.get_by_text("Garage charged energy").first).to_be_visible()
        assert await page.locator("hui-error-card").count() == 0
    finally:
        async with stage.home.connection() as connection:
            devices = preferences["device_consumption"]
            await connection.ask("energy/save_prefs", device_consumption=devices)


async def test_the_calendar_has_the_sessions_of_the_books(
    introduced: tuple[Stage, Introduction], visit: Visit
) -> None:
    stage, introduction = introduced
    visitor = await visit(1280, "light")
    await visitor.open("calendar")
    calendar = visitor.page.locator("ha-full-calendar")
    await expect(calendar).to_contain_text("kWh")
    shown = [
        number(text.split()[-2])
        for text in await calendar.locator(".fc-event").all_inner_texts()
        if text.endswith("kWh")
    ]
    least, most = (
        books["chargers"][0]["newest_session"]["kwh"]
        for books in (introduction.first_books, (await stage.books())[0])
    )
    assert any(least <= kwh <= most for kwh in shown), "the one that runs on the garage's charger"
