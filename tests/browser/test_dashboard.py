"""What the Joulo dashboard shows, on a phone and a desktop, light and dark, in English and Dutch."""

from datetime import datetime
import re
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from playwright.async_api import expect
import pytest

from scripts.demo_home.household import VEHICLES
from scripts.demo_home.stage import Introduction, Stage

from .conftest import Picture, Scheme, Visit, Width, set_language
from .visitor import Visitor, number

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
ROUNDING = 0.011
PHONE = 390


class Words(NamedTuple):
    """What stands on the dashboard in a language."""

    month: str
    year: str
    energy: str
    ere: str
    value: str
    graph: str


WORDS = {
    "en": Words(
        month="This month",
        year="This year",
        energy="Energy",
        ere="ERE credits",
        value="Value",
        graph="Energy per month",
    ),
    "nl": Words(
        month="Deze maand",
        year="Dit jaar",
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


def this_month(books: dict[str, Any], *figures: str) -> dict[str, float]:
    """Return figures of the month in which the books were read; 0 where nothing is booked yet."""
    month = datetime.fromisoformat(books["now"]).astimezone(AMSTERDAM).strftime("%Y-%m")
    booked: dict[str, float] = next(
        (each for each in books["months"] if each["month"].startswith(month)), {}
    )
    return {figure: booked.get(figure, 0.0) for figure in figures}


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
        number(await visitor.figure(charger, words.energy, nth=-1), language)
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
    for title in (words.month, words.year):
        heading = visitor.section("Joulo").locator("hui-heading-card", has_text=title)
        await expect(heading).to_be_visible()
    month = {
        figure: number(await visitor.figure("Joulo", name), language)
        for figure, name in (("kwh", words.energy), ("ere_credits", words.ere))
    }
    assert month in [this_month(each, *month) for each in books]
    assert "€" in await visitor.figure("Joulo", words.value)
    assert await fits(visitor)


@pytest.mark.parametrize("width", [1280, PHONE])
async def test_below_the_sessions_stand_graphs_of_every_charger_and_vehicle(
    stage: Stage, language: str, visit: Visit, width: Width
) -> None:
    visitor = await visit(width, "light")
    await visitor.page.goto(f"{stage.dashboard_url}/sessions")
    for device in ("Garage", "Oprit", "Schuur", "Zoe"):
        section = visitor.section(device)
        await expect(section.get_by_text(WORDS[language].graph)).to_be_visible()
        await expect(section.locator("hui-statistics-graph-card canvas").first).to_be_visible()
    assert await fits(visitor)


async def test_the_session_that_runs_is_shown_and_the_last_one_of_every_charger(
    introduced: tuple[Stage, Introduction], visit: Visit
) -> None:
    stage, introduction = introduced
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    await expect(visitor.section("Garage").get_by_text("Running session")).to_be_visible()
    await expect(visitor.section("Oprit").get_by_text("Running session")).not_to_be_visible()
    running = number(await visitor.figure("Garage", "Energy"))
    books, _ = await stage.books()
    session = books["chargers"][0]["current_session"]
    before = introduction.first_books["chargers"][0]["current_session"]
    assert before["kwh_so_far"] - ROUNDING <= running <= session["kwh_so_far"] + ROUNDING
    assert session["id_tag"] in VEHICLES["Zoe"]["tags"]
    line = visitor.section("Garage").locator("joulo-charger-line")
    await expect(line).to_contain_text(re.compile(r"Charging · [\d.]+ kWh · since .+ · Zoe"))
    completed = books["chargers"][1]["newest_session"]
    assert number(await visitor.figure("Oprit", "Energy")) == completed["kwh"]


async def test_a_session_that_has_just_ended_is_shown_until_joulo_lists_it(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    title = visitor.section("Oprit").get_by_text("Just ended")
    await expect(visitor.section("Oprit")).to_be_visible()
    await expect(title).not_to_be_visible()
    # As the next poll shows it: more than what Joulo lists as the last session.
    path = "/api/states/sensor.oprit_session_energy"
    state = await stage.home.call("GET", path)
    await stage.home.call("POST", path, state | {"state": "12.34"})
    await expect(title).to_be_visible()
    assert await visitor.figure("Oprit", "Energy") == "12.34 kWh"
    await stage.home.call("POST", path, state)


async def test_open_repairs_are_shown_and_lead_to_where_they_are_solved(
    stage: Stage, visit: Visit
) -> None:
    """The demo asks whose a card is."""
    visitor = await visit(1280, "light")
    repairs = visitor.page.locator("hui-repairs-card")
    async with stage.home.connection() as connection:
        (issue,) = [
            {"domain": each["domain"], "issue_id": each["issue_id"]}
            for each in (await connection.ask("repairs/list_issues"))["issues"]
            if not each["ignored"]
        ]
        await connection.ask("repairs/ignore_issue", **issue, ignore=True)
    try:
        await visitor.page.goto(stage.dashboard_url)
        await expect(visitor.section("Garage")).to_be_visible()
        await expect(repairs).not_to_be_visible()
    finally:
        async with stage.home.connection() as connection:
            await connection.ask("repairs/ignore_issue", **issue, ignore=False)
    await repairs.click()
    await expect(visitor.page).to_have_url(re.compile("/config/repairs"))


async def test_entities_that_are_renamed_hidden_or_disabled_are_respected(
    stage: Stage, visit: Visit
) -> None:
    """It draws itself anew at once, and again when all that is taken back."""
    changes: dict[str, dict[str, Any]] = {
        "sensor.oprit_total_energy": {"name": "Since the beginning"},
        "sensor.schuur_total_energy": {"hidden_by": "user"},
        "sensor.schuur_total_ere_credits": {"disabled_by": "user"},
        "sensor.schuur_total_cost": {"hidden_by": "user"},
    }
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    in_total = visitor.section("Schuur").get_by_text("In total")
    await expect(in_total).to_be_visible()
    async with stage.home.connection() as connection:
        for entity_id, change in changes.items():
            await connection.ask("config/entity_registry/update", entity_id=entity_id, **change)
    try:
        await visitor.figure("Oprit", "Since the beginning")
        await expect(in_total).to_have_count(0)
    finally:
        async with stage.home.connection() as connection:
            for entity_id, change in changes.items():
                back = dict.fromkeys(change)
                await connection.ask("config/entity_registry/update", entity_id=entity_id, **back)
    await expect(in_total).to_be_visible()


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


async def test_it_speaks_the_language_of_the_user_not_that_of_home_assistant(
    stage: Stage, visit: Visit
) -> None:
    async with stage.home.connection() as connection:
        await set_language(connection, "nl")
    try:
        visitor = await visit(1280, "light")
        await visitor.page.goto(stage.dashboard_url)
        for title, tile in (("Garage", "ERE-credits"), ("Joulo", "Nettokosten")):
            await visitor.figure(title, tile)
    finally:
        async with stage.home.connection() as connection:
            await set_language(connection, "en")


# What is drawn from other registries: as many chargers as asked for, which all have the entities of the garage's.
GENERATE = """async (change) => {
  const hass = document.querySelector("home-assistant").hass;
  const strategy = customElements.get("ll-strategy-dashboard-joulo");
  const garage = Object.values(hass.devices).find(({ name }) => name === "Garage");
  const numbers = [...Array(change.chargers).keys()].map((index) => index + 1);
  const devices = numbers.map((n) => ({ ...garage, id: `${n}`, name: `Charger ${n}` }));
  const entities = numbers.flatMap((n) =>
    Object.values(hass.entities)
      .filter(({ device_id }) => device_id === garage.id)
      .map((entity) => ({ ...entity, device_id: `${n}`, entity_id: `${entity.entity_id}_${n}` }))
      .map((entity) => ({ ...entity, ...change.entities?.[entity.translation_key] })),
  );
  const indexed = (items, key) => Object.fromEntries(items.map((item) => [item[key], item]));
  const account = Object.values(hass.devices).find(({ name }) => name === "Joulo");
  return strategy.generate({}, {
    ...hass,
    callWS: async () => ({}),
    devices: indexed([account, ...devices], "id"),
    entities: indexed(entities, "entity_id"),
  });
}"""


async def drawn(visitor: Visitor, chargers: int, **entities: dict[str, Any]) -> dict[str, Any]:
    """Return the overview of so many chargers; of some entities something is changed."""
    await visitor.page.wait_for_function("!!customElements.get('ll-strategy-dashboard-joulo')")
    change = {"chargers": chargers, "entities": entities}
    config = await visitor.page.evaluate(GENERATE, change)
    overview: dict[str, Any] = config["views"][0]
    return overview


async def test_without_a_charger_or_a_session_it_says_so(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    assert "There is no charger yet" in str(await drawn(visitor, 0))
    assert "No charging session has been completed yet" in str(await drawn(visitor, 1))


async def test_twelve_chargers_stand_in_order(stage: Stage, visit: Visit) -> None:
    sections = (await drawn(await visit(1280, "light"), 12))["sections"]
    headings = [
        next(card["heading"] for card in section["cards"] if "heading" in card)
        for section in sections
    ]
    assert headings == [f"Charger {number}" for number in range(1, 13)]


def shown_while(view: dict[str, Any], title: str) -> list[str]:
    """Return the entities on which it depends whether a part of a section is shown."""
    (section,) = view["sections"]
    cards = [card for card in section["cards"] if card.get("heading") == title]
    conditions = [
        condition
        for card in cards
        for outer in card["visibility"]
        for condition in outer.get("conditions", [outer])
    ]
    return [condition["entity"] for condition in conditions]


async def test_a_session_is_known_to_run_also_by_what_is_hidden(stage: Stage, visit: Visit) -> None:
    """What is disabled is in no registry; without anything that knows, no session is shown as running."""
    visitor = await visit(1280, "light")
    both = ["binary_sensor.garage_charging_1", "calendar.garage_charging_sessions_1"]
    hidden, disabled = {"hidden": True}, {"platform": "disabled"}
    assert shown_while(await drawn(visitor, 1, charging=hidden), "Running session") == both
    rest = await drawn(visitor, 1, charging=disabled)
    assert shown_while(rest, "Running session") == both[1:]
    nothing = await drawn(visitor, 1, charging=disabled, charging_sessions=disabled)
    assert shown_while(nothing, "Running session") == []
    end = await drawn(visitor, 1, last_session_end=hidden)
    assert shown_while(end, "Last session") == ["sensor.garage_last_session_end_1"]
