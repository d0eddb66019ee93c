"""What the Joulo dashboard shows, on a phone and a desktop, light and dark, in English and Dutch."""

from typing import Any, NamedTuple

from playwright.async_api import expect
import pytest

from scripts.demo_home.stage import Introduction, Stage

from .conftest import Picture, Scheme, Visit, Width
from .visitor import Visitor, number

ROUNDING = 0.011
PHONE = 390


class Words(NamedTuple):
    """What stands on the dashboard in a language."""

    history: str
    month: str
    year: str
    payout: str
    total_energy: str
    energy: str
    ere: str
    value: str
    graph: str


WORDS = {
    "en": Words(
        history="History",
        month="This month",
        year="This year",
        payout="Payout",
        total_energy="Total energy",
        energy="Energy",
        ere="ERE credits",
        value="Value",
        graph="Energy per month",
    ),
    "nl": Words(
        history="Geschiedenis",
        month="Deze maand",
        year="Dit jaar",
        payout="Uitbetaling",
        total_energy="Totale energie",
        energy="Energie",
        ere="ERE-credits",
        value="Waarde",
        graph="Energie per maand",
    ),
}


async def fits(visitor: Visitor) -> bool:
    """Return whether nothing sticks out sideways, and no card is broken."""
    broken = await visitor.page.locator("hui-error-card, hui-warning").count()
    page = "document.scrollingElement"
    return not broken and await visitor.page.evaluate(f"{page}.scrollWidth <= {page}.clientWidth")


async def show_account(visitor: Visitor, width: Width) -> None:
    """Turn to the account, which a phone has behind a switch."""
    if width == PHONE:
        await visitor.page.locator(".sidebar-tabs #option-sidebar").click()


def between(books: list[dict[str, Any]], charger: int) -> tuple[float, float]:
    """Return the least and the most that a charger can show: a session may have grown meanwhile."""
    before, now = (each["chargers"][charger] for each in books)
    running = (now.get("current_session") or {}).get("kwh_so_far", 0.0)
    return before["total_kwh"] - ROUNDING, now["total_kwh"] + running + ROUNDING


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, PHONE])
async def test_the_overview_has_the_figures_of_the_books(
    introduced: tuple[Stage, Introduction],
    language: str,
    visit: Visit,
    picture: Picture,
    width: Width,
    scheme: Scheme,
) -> None:
    stage, introduction = introduced
    words = WORDS[language]
    visitor = await visit(width, scheme)
    await visitor.page.goto(stage.dashboard_url)
    shown = [
        number(await visitor.figure(charger, words.total_energy), language)
        for charger in ("Garage", "Oprit", "Schuur")
    ]
    books = [introduction.first_books, (await stage.books())[0]]
    for charger, kwh in enumerate(shown):
        least, most = between(books, charger)
        assert least <= kwh <= most
    assert await fits(visitor)
    if scheme == "light":
        device = "phone" if width == PHONE else "desktop"
        await picture(visitor, f"dashboard-{device}", language)

    await show_account(visitor, width)
    for title in (words.month, words.year, words.payout):
        await expect(visitor.page.locator("hui-heading-card", has_text=title)).to_be_visible()
    month = {
        figure: number(await visitor.figure("Joulo", name), language)
        for figure, name in (("kwh", words.energy), ("ere_credits", words.ere))
    }
    assert month in [{figure: each["months"][0][figure] for figure in month} for each in books]
    assert "€" in await visitor.figure("Joulo", words.value)
    assert await fits(visitor)


@pytest.mark.parametrize("width", [1280, PHONE])
async def test_the_history_has_a_list_of_sessions_and_graphs_of_every_charger(
    stage: Stage, language: str, visit: Visit, picture: Picture, width: Width
) -> None:
    visitor = await visit(width, "light")
    await visitor.page.goto(f"{stage.dashboard_url}/history")
    await expect(visitor.page.locator("hui-calendar-card")).to_contain_text("kWh")
    for charger in ("Garage", "Oprit", "Schuur"):
        section = visitor.section(charger)
        await expect(section.get_by_text(WORDS[language].graph)).to_be_visible()
        await expect(section.locator("hui-statistics-graph-card canvas").first).to_be_visible()
    assert await fits(visitor)
    if width != PHONE:
        await picture(visitor, "history", language)


async def test_entities_that_are_renamed_hidden_or_disabled_are_respected(
    stage: Stage, visit: Visit
) -> None:
    """It draws itself anew at once, and again when all that is taken back."""
    changes: dict[str, dict[str, Any]] = {
        "sensor.oprit_total_energy": {"name": "Since the beginning"},
        "sensor.schuur_total_energy": {"hidden_by": "user"},
        "sensor.schuur_status": {"disabled_by": "user"},
    }
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    await visitor.figure("Schuur", "Total energy")
    async with stage.home.connection() as connection:
        for entity_id, change in changes.items():
            await connection.ask("config/entity_registry/update", entity_id=entity_id, **change)
    try:
        await visitor.figure("Oprit", "Since the beginning")
        for name in ("Total energy", "Status"):
            await expect(visitor.section("Schuur").get_by_text(name, exact=True)).to_have_count(0)
    finally:
        async with stage.home.connection() as connection:
            for entity_id, change in changes.items():
                back = dict.fromkeys(change)
                await connection.ask("config/entity_registry/update", entity_id=entity_id, **back)
    await visitor.figure("Schuur", "Total energy")


async def test_it_is_drawn_also_where_home_assistant_loads_slowly(
    stage: Stage, visit: Visit
) -> None:
    """Home Assistant replaces the registry of elements while it loads; the module may come before that."""
    visitor = await visit(1280, "light")

    async def delay(route: Any) -> None:
        await visitor.page.wait_for_timeout(1500)
        await route.continue_()

    await visitor.page.route("**/frontend_latest/app.*.js", delay)
    await visitor.page.goto(stage.dashboard_url)
    await expect(visitor.section("Garage")).to_be_visible()


GENERATE = """async (change) => {
  const hass = document.querySelector("home-assistant").hass;
  const strategy = customElements.get("ll-strategy-dashboard-joulo");
  const of = (kept) => ([, item]) => change.devices.includes(item[kept]);
  const only = (items, kept) => Object.fromEntries(Object.entries(items).filter(of(kept)));
  const known = { devices: only(hass.devices, "id"), entities: only(hass.entities, "device_id") };
  const callWS = async (request) =>
    request.type === "recorder/get_statistics_metadata" ? [] : hass.callWS(request);
  return strategy.generate({}, { ...hass, ...known, callWS });
}"""


async def drawn(visitor: Visitor, devices: list[str]) -> str:
    """Return what is drawn where there are just these devices, and no statistics."""
    await visitor.page.wait_for_function("!!customElements.get('ll-strategy-dashboard-joulo')")
    return str(await visitor.page.evaluate(GENERATE, {"devices": devices}))


async def test_without_a_charger_or_a_session_it_says_so(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    assert "There is no charger yet" in await drawn(visitor, [])
    async with stage.home.connection() as connection:
        devices = await connection.ask("config/device_registry/list")
    garage = next(device["id"] for device in devices if device["name"] == "Garage")
    view = await drawn(visitor, [garage])
    assert "No charging session has been completed yet" in view
    assert "There are no statistics yet" in view
    assert "statistics-graph" not in view
