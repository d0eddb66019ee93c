"""A newcomer's first five minutes: from the log-in to a dashboard, through the dialogs that everyone sees."""

from playwright.async_api import Browser, expect

from scripts.demo_home.stage import Stage
from tests.simulator import DEMO_TOKEN

from .conftest import visitor_of


async def test_a_newcomer_gets_from_a_wrong_token_to_the_dashboard(
    chromium: Browser, empty_stage: Stage
) -> None:
    visitor = await (await visitor_of(chromium, empty_stage, 1280, "light")).log_in()
    page = visitor.page

    await page.get_by_role("link", name="Settings").click()
    await page.get_by_text("Devices & services").click()
    await page.get_by_role("button", name="Add integration").click()
    # The dialog forgets what was typed before its list has come.
    await expect(page.locator("ha-integration-list-item").first).to_be_visible()
    await page.locator("ha-input-search input").last.fill("Joulo")
    await page.locator("ha-integration-list-item", has_text="Joulo").click()
    dialog = page.locator("dialog-data-entry-flow")
    await dialog.locator("input[type=password]").fill("joulo_that_nobody_made")
    await dialog.get_by_text("Advanced").click()
    await dialog.locator("input[type=text], input[type=url]").last.fill(empty_stage.simulator_url)
    await dialog.get_by_role("button", name="Submit").click()
    await expect(dialog.locator("ha-alert")).to_contain_text("Joulo does not accept this token")

    await dialog.locator("input[type=password]").fill(DEMO_TOKEN)
    await dialog.get_by_role("button", name="Submit").click()
    await dialog.get_by_role("button", name="Skip and finish").click()

    await visitor.open("config/integrations/integration/joulo")
    await page.get_by_text("Garage", exact=True).first.click()
    await expect(page.get_by_text("Session energy", exact=True)).to_be_visible()
    await expect(page.get_by_text("Connected via")).to_be_visible()

    await visitor.open("config/lovelace/dashboards")
    await page.get_by_role("button", name="Add dashboard").click()
    await page.locator("dashboard-card", has_text="Joulo").click()
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("link", name="Joulo").click()
    for charger in ("Garage", "Oprit", "Schuur"):
        await expect(visitor.section(charger)).to_be_visible()
    assert visitor.complaints == []
    await page.context.close()
