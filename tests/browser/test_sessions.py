"""The sessions card: a period of sessions by the books, by mouse and keyboard, with names of every kind."""

import csv
from io import StringIO
from pathlib import Path
import re
from typing import Any, NamedTuple

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Locator, expect
import pytest

from scripts.demo_home.stage import Introduction, Stage
from tests.simulator import TAGS

from .conftest import Picture, Scheme, Visit, Width
from .test_dashboard import PHONE, ROUNDING, fits
from .visitor import Visitor, number


class Words(NamedTuple):
    """What stands on the card in a language."""

    year: str
    all: str
    total: str
    vehicle: str
    download: str
    print: str
    whose: str
    delimiter: str


WORDS = {
    "en": Words(
        year="Year",
        all="All",
        total="Total",
        vehicle="Vehicle",
        download="Download",
        print="Print",
        whose="Whose car?",
        delimiter=",",
    ),
    "nl": Words(
        year="Jaar",
        all="Alles",
        total="Totaal",
        vehicle="Voertuig",
        download="Downloaden",
        print="Afdrukken",
        whose="Van welke auto?",
        delimiter=";",
    ),
}


async def open_card(visitor: Visitor) -> Locator:
    """Open the page of the sessions, and return the card once it has them."""
    await visitor.page.goto(f"{visitor.stage.dashboard_url}/sessions")
    card = visitor.page.locator("joulo-sessions-card")
    await expect(card.locator("table")).to_be_visible()
    return card


async def total_energy(card: Locator, language: str = "en") -> float:
    """Return the kWh in the row of totals."""
    cells = await card.locator("tfoot td").all_inner_texts()
    return number(next(text for text in cells if "kWh" in text), language)


async def answer(stage: Stage, **data: Any) -> Any:
    """Return what the action answers."""
    async with stage.home.connection() as connection:
        called = await connection.ask(
            "call_service",
            domain="joulo",
            service="get_sessions",
            service_data=data,
            return_response=True,
        )
    return called["response"]


def statement(path: Path, delimiter: str) -> list[list[str]]:
    """Return the lines of a statement that was downloaded."""
    text = path.read_text("utf-8-sig")
    return list(csv.reader(StringIO(text), delimiter=delimiter))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (PHONE, "light")])
async def test_a_period_has_the_sessions_and_the_totals_of_the_books(
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
    card = await open_card(visitor)
    assert await fits(visitor)
    if (language, scheme, width) == ("en", "light", 1280):
        await picture(visitor, "sessions", language)
    await card.get_by_role("button", name=words.all, exact=True).click()
    await expect(card.locator("tfoot")).to_contain_text(words.total)
    books = [introduction.first_books, (await stage.books())[0]]
    await expect(card.locator("tfoot th")).to_contain_text(str(books[1]["total_sessions"]))
    kwh = await total_energy(card, language)
    assert books[0]["total_kwh"] - ROUNDING <= kwh <= books[1]["total_kwh"] + ROUNDING
    assert await fits(visitor)


async def test_a_vehicle_is_chosen_and_a_session_is_given_to_another_one(
    stage: Stage, language: str, visit: Visit
) -> None:
    words = WORDS[language]
    visitor = await visit(1280, "light")
    card = await open_card(visitor)
    await card.get_by_role("button", name=words.year, exact=True).click()
    await card.get_by_label(words.vehicle, exact=True).select_option("ID.3")
    rows = (await answer(stage, start="2020-01-01"))["sessions"]
    year = visitor.page.locator("joulo-sessions-card h2")
    shown = await year.inner_text()
    own = [row for row in rows if row["vehicle"] == "ID.3" and row["started_at"][:4] == shown]
    await expect(card.locator("tbody tr")).to_have_count(min(len(own), 60))

    await card.locator("tbody button").first.click()
    await card.get_by_label(words.whose).select_option(label="Zoe")
    await expect(card.locator("tbody tr")).not_to_have_count(min(len(own), 60) + 1)
    session_id = max(own, key=lambda row: row["started_at"])["session_id"]
    after = (await answer(stage, start="2020-01-01"))["sessions"]
    assert next(row["vehicle"] for row in after if row["session_id"] == session_id) == "Zoe"
    async with stage.home.connection() as connection:
        devices = await connection.ask("config/device_registry/list")
        id3 = next(device["id"] for device in devices if device["name"] == "ID.3")
        data = {"session_id": session_id, "vehicle": id3}
        await connection.ask(
            "call_service", domain="joulo", service="assign_session", service_data=data
        )


async def test_the_download_is_the_statement_of_the_period(
    stage: Stage, language: str, visit: Visit
) -> None:
    words = WORDS[language]
    visitor = await visit(1280, "light")
    card = await open_card(visitor)
    await card.get_by_role("button", name=words.all, exact=True).click()
    await card.get_by_label(words.vehicle, exact=True).select_option("Zoe")
    async with visitor.page.expect_download() as downloading:
        await card.get_by_role("button", name=words.download).click()
    download = await downloading.value
    assert download.suggested_filename == "joulo-all-zoe.csv"
    _, *lines, _ = statement(await download.path(), words.delimiter)
    rows = [row for row in (await answer(stage))["sessions"] if row["vehicle"] == "Zoe"]
    assert [line[-2] for line in lines] == [row["session_id"] for row in rows]


async def test_the_download_has_what_every_choice_shows(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    card = await open_card(visitor)
    await card.get_by_role("button", name="All", exact=True).click()
    await card.get_by_label("Charger", exact=True).select_option("Schuur")
    rows = [row for row in (await answer(stage))["sessions"] if row["charger_name"] == "Schuur"]
    for choice, owner in (("Zoe", "Zoe"), ("Nobody's", None)):
        await card.get_by_label("Vehicle", exact=True).select_option(choice)
        own = [row["session_id"] for row in rows if row["vehicle"] == owner]
        await expect(card.locator("tfoot th")).to_contain_text(f"{len(own)} session")
        if not own:
            continue
        async with visitor.page.expect_download() as downloading:
            await card.get_by_role("button", name="Download").click()
        _, *lines, _ = statement(await (await downloading.value).path(), ",")
        assert [line[-2] for line in lines] == own


async def test_the_download_has_all_that_the_books_of_joulo_have(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    card = await open_card(visitor)
    await card.get_by_role("button", name="All", exact=True).click()
    await expect(card.locator("h2")).to_have_text("All")
    async with visitor.page.expect_download() as downloading:
        await card.get_by_role("button", name="Download").click()
    head, *lines, _ = statement(await (await downloading.value).path(), ",")
    books, _ = await stage.books()
    assert len(lines) == books["total_sessions"]
    kwh = sum(float(line[head.index("Energy (kWh)")]) for line in lines)
    assert kwh == pytest.approx(books["total_kwh"], abs=0.005 * len(lines))


# Keeps a statement on the page that would be gone once it is printed.
KEEP_WHAT_IS_PRINTED = "window.print = () => {};"


async def test_what_is_printed_is_a_statement_for_an_employer_without_whole_tags(
    stage: Stage, language: str, visit: Visit, tmp_path: Path
) -> None:
    visitor = await visit(1280, "light")
    await visitor.page.context.add_init_script(KEEP_WHAT_IS_PRINTED)
    card = await open_card(visitor)
    await card.get_by_role("button", name=WORDS[language].year, exact=True).click()
    await expect(card.locator("h2")).to_have_text(re.compile(r"^\d{4}$"))
    rows = await card.locator("tbody tr:not(.running)").count()
    shown = amounts(await card.locator("tfoot").inner_text())
    await card.get_by_role("button", name=WORDS[language].print).click()
    page = visitor.page.locator("joulo-sessions-card iframe").content_frame
    await expect(page.locator("table tr")).not_to_have_count(0)
    text = await page.locator("main").inner_text()
    assert "Joulo" in text
    assert "/kWh" in text
    assert await page.locator("table tr").count() >= rows + 2
    assert amounts(await page.locator("table tr").last.inner_text()) == shown
    assert not [tag for tag in TAGS if tag and tag in text]


def amounts(line: str) -> list[str]:
    """Return the cells of a line that hold an amount."""
    return [cell.strip() for cell in re.split(r"[\t\n]", line) if re.search("kWh|ERE|€", cell)]


@pytest.mark.parametrize("count", [0, 1, 400])
async def test_none_one_and_many_sessions_are_counted_and_fit_a_phone(
    stage: Stage, visit: Visit, count: int
) -> None:
    visitor = await visit(390, "light")
    await open_card(visitor)
    names = tuple(f"Charger {number}" for number in range(1, 13))
    await visitor.page.evaluate(SHOW, [rows_of(count, names), 500])
    made = visitor.page.locator("body > joulo-sessions-card")
    if count:
        words = f"{count} session" if count == 1 else f"{count} sessions"
        await expect(made.locator("tfoot th")).to_have_text(f"Total · {words}")
        await made.locator("tbody button").first.click()
        await expect(made.locator("dl")).to_contain_text("from Joulo")
    else:
        # What runs is of this month, not of the one before.
        await made.get_by_role("button", name="Month").click()
        await made.get_by_role("button", name="Earlier").click()
        await expect(made).to_contain_text("No charging sessions in this period.")
    assert await fits(visitor)


async def test_while_joulo_is_down_the_past_is_there_and_nothing_has_just_ended(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    states = await stage.home.call("GET", "/api/states")
    own = [
        each
        for each in states
        if each["entity_id"].startswith(("sensor.oprit_", "binary_sensor.oprit_"))
    ]
    for state in own:
        await stage.home.call(
            "POST", f"/api/states/{state['entity_id']}", state | {"state": "unavailable"}
        )
    try:
        await visitor.page.goto(stage.dashboard_url)
        section = visitor.section("Oprit")
        await expect(section.get_by_text("Joulo cannot be reached")).to_be_visible()
        await expect(section.get_by_text("Just ended")).not_to_be_visible()
        card = await open_card(visitor)
        await expect(card.locator("tbody tr").first).to_be_visible()
    finally:
        for state in own:
            await stage.home.call("POST", f"/api/states/{state['entity_id']}", state)


async def test_the_card_is_used_by_keyboard_alone(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    card = await open_card(visitor)
    title = card.locator("h2")
    before = await title.inner_text()
    await card.get_by_label("Earlier").focus()
    await visitor.page.keyboard.press("Enter")
    await expect(title).not_to_have_text(before)
    await expect(card.get_by_label("Earlier")).to_be_focused()
    await card.locator("tbody button").first.focus()
    await visitor.page.keyboard.press("Enter")
    await expect(card.locator("dl")).to_be_visible()
    await visitor.page.keyboard.press("Enter")
    await expect(card.locator("dl")).not_to_be_visible()


@pytest.mark.parametrize("width", [1280, PHONE])
async def test_nothing_serious_is_wrong_for_those_who_listen(
    stage: Stage, visit: Visit, width: Width
) -> None:
    visitor = await visit(width, "light")
    card = await open_card(visitor)
    await card.locator("tbody button").first.click()
    found = await Axe().run(visitor.page)
    serious = [
        (violation["id"], node["html"])
        for violation in found.response["violations"]
        for node in violation["nodes"]
        # The page around it is Home Assistant's.
        if "joulo-sessions-card" in str(node["target"])
        and violation["impact"] in ("serious", "critical")
    ]
    assert serious == []


NAMES = ("<img src=x onerror=window.hacked=1>", "{{ states.sun }}", "\u202eegarag", "x" * 255)

SHOW = """async ([rows, delay]) => {
  const card = document.createElement("joulo-sessions-card");
  const hass = document.querySelector("home-assistant").hass;
  card.setConfig({ span: "all" });
  document.body.append(card);
  const answer = { response: { sessions: rows, totals: {}, csv: "" } };
  card.hass = { ...hass, callWS: async () => answer };
  await new Promise((resolve) => setTimeout(resolve, delay));
  window.made = card;
}"""


def rows_of(count: int, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return so many rows as the action answers them, with names by turns."""
    return [
        {
            "session_id": f"session-{index}",
            "started_at": f"20{10 + index % 16}-{1 + index % 12:02}-{1 + index % 28:02}T18:00:00+00:00",
            "ended_at": None,
            "duration_minutes": 60.0,
            "charger_name": names[index % len(names)],
            "vehicle": names[(index + 1) % len(names)],
            "tag_id": None,
            "energy_kwh": 10.0,
            "ere_credits": 3.0,
            "value_eur": 1.0,
            "cost_eur": 2.5,
            "cost_estimated": index % 2 == 0,
            "net_cost_eur": 1.5,
            "average_power_kw": 10.0,
        }
        for index in range(count)
    ]


async def test_names_of_every_kind_are_shown_as_they_are(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    await open_card(visitor)
    await visitor.page.evaluate(SHOW, [rows_of(8, NAMES), 500])
    made = visitor.page.locator("body > joulo-sessions-card")
    for name in NAMES:
        await expect(made.locator("td", has_text=name).first).to_be_attached()
    assert await made.locator("img").count() == 0
    assert await visitor.page.evaluate("window.hacked") is None


LONGEST = """async () => {
  const longest = [0];
  new PerformanceObserver((list) => longest.push(...list.getEntries().map((each) => each.duration)))
    .observe({ type: "longtask" });
  const scroll = window.made.shadowRoot.querySelector(".scroll");
  for (let step = 0; step < 40; step++) {
    scroll.scrollTop += 2000;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return [Math.max(...longest), window.made.shadowRoot.querySelectorAll("tbody tr").length];
}"""


async def test_ten_thousand_sessions_are_drawn_as_they_are_seen(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    await open_card(visitor)
    await visitor.page.evaluate(SHOW, [rows_of(10_000, ("Garage",)), 1500])
    made = visitor.page.locator("body > joulo-sessions-card")
    await expect(made.locator("tfoot th")).to_contain_text("10000")
    assert await made.locator("tbody tr").count() < 200
    _, drawn = await visitor.page.evaluate(LONGEST)
    assert 200 < drawn < 10_000


async def test_an_error_is_said_and_another_try_helps(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    await open_card(visitor)
    await visitor.page.evaluate(
        """() => {
          const card = document.createElement("joulo-sessions-card");
          const hass = document.querySelector("home-assistant").hass;
          let fails = true;
          card.setConfig({});
          document.body.append(card);
          card.hass = { ...hass, callWS: async (request) => {
            if (!fails) return { response: { sessions: [] } };
            fails = false;
            throw new Error("The past is still being read: 200 sessions so far.");
          } };
        }"""
    )
    made = visitor.page.locator("body > joulo-sessions-card")
    await expect(made.get_by_role("alert")).to_contain_text("200 sessions so far")
    await made.get_by_role("button", name="Try again").click()
    await expect(made).to_contain_text("0 sessions")


async def test_a_card_that_comes_back_to_a_page_draws_more_rows_again(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    await open_card(visitor)
    await visitor.page.evaluate(SHOW, [rows_of(400, ("Garage",)), 500])
    await visitor.page.evaluate(
        "() => { window.made.remove(); document.body.append(window.made); }"
    )
    _, drawn = await visitor.page.evaluate(LONGEST)
    assert drawn >= 400


LEAVES = """async () => {
  const { hass } = document.querySelector("home-assistant");
  const { setTimeout: wait } = window;
  const card = document.createElement("joulo-sessions-card");
  const waits = [];
  const failures = [];
  card.setConfig({});
  document.body.append(card);
  card.hass = { ...hass, callWS: () => new Promise((_, fail) => failures.push(fail)) };
  await new Promise((resolve) => wait(resolve, 100));
  card.remove();
  window.setTimeout = (action, delay) => {
    waits.push(delay);
    return wait(action, delay);
  };
  for (const fail of failures) fail(new Error("The connection is gone."));
  await new Promise((resolve) => wait(resolve, 100));
  window.setTimeout = wait;
  return [failures.length, waits.filter((delay) => delay >= 10_000).length];
}"""


async def test_a_card_that_has_left_the_page_asks_no_more(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    await open_card(visitor)
    failures, retries = await visitor.page.evaluate(LEAVES)
    assert failures
    assert not retries


async def test_a_period_that_is_changed_in_the_editor_is_shown_at_once(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    await open_card(visitor)
    await visitor.page.evaluate(SHOW, [rows_of(3, ("Garage",)), 500])
    made = visitor.page.locator("body > joulo-sessions-card")
    await expect(made.locator("h2")).to_have_text("All")
    await visitor.page.evaluate("window.made.setConfig({ span: 'year' })")
    await expect(made.locator("h2")).to_have_text(re.compile(r"^\d{4}$"))


SHOW_TWO_ACCOUNTS = """async (rows) => {
  const { hass } = document.querySelector("home-assistant");
  const account = Object.values(hass.devices).find(({ name }) => name === "Joulo");
  const other = { ...account, id: "other", config_entries: ["other"] };
  const card = document.createElement("joulo-sessions-card");
  window.calls = [];
  card.setConfig({ span: "all" });
  document.body.append(card);
  card.hass = {
    ...hass,
    devices: { ...hass.devices, other },
    callWS: async ({ service_data: { config_entry_id: of } }) => ({
      response: { sessions: rows[of === "other" ? 1 : 0] },
    }),
    callService: async (_domain, _service, data) => {
      window.calls.push(data);
      throw new Error("Home Assistant says why.");
    },
  };
  return account.config_entries[0];
}"""


async def test_a_session_is_given_to_a_vehicle_of_its_own_account(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    await open_card(visitor)
    first, second = rows_of(2, ("ID.3",))
    account = await visitor.page.evaluate(SHOW_TWO_ACCOUNTS, [[first], [second]])
    made = visitor.page.locator("body > joulo-sessions-card")
    await made.locator(f"[data-name='{second['session_id']}']").press("Enter")
    await expect(made.locator("dl")).to_be_visible()
    await expect(made.get_by_label("Whose car?")).to_have_count(0)
    await made.locator(f"[data-name='{first['session_id']}']").press("Enter")
    await made.get_by_label("Whose car?").select_option(label="Zoe")
    (call,) = await visitor.page.evaluate("window.calls")
    assert call["config_entry_id"] == account
    assert call["session_id"] == first["session_id"]
    # It was refused: the session is still whose it was.
    await expect(made.get_by_label("Whose car?").locator("option:checked")).to_have_text("ID.3")
