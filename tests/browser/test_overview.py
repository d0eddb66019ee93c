"""The small cards of the overview: what each says of every state, and when it has nothing to say."""

from typing import Any

from playwright.async_api import expect
import pytest

from scripts.demo_home.stage import Introduction, Stage

from .conftest import Visit, Width
from .test_dashboard import PHONE, show_account
from .visitor import Visitor

# Shows a card about a device, in a language and with states of its entities as they are given: attributes and all.
SHOW = """async ([name, device, language, changes, calls]) => {
  const hass = document.querySelector("home-assistant").hass;
  const shown = Object.values(hass.devices).find((each) => each.name === device);
  const states = { ...hass.states };
  for (const [of, more] of Object.entries(changes)) {
    const [on, key] = of.includes("/") ? of.split("/") : [device, of];
    const { id } = Object.values(hass.devices).find((each) => each.name === on);
    const entity = Object.values(hass.entities).find(
      (each) => each.device_id === id && each.translation_key === key,
    );
    const before = states[entity.entity_id];
    states[entity.entity_id] = {
      ...before,
      state: more.state ?? before.state,
      attributes: { ...before.attributes, ...more.attributes },
    };
  }
  const card = document.createElement(`joulo-${name}`);
  card.setConfig({ device: shown?.id });
  const drawn = new Promise((resolve) => {
    card.addEventListener("card-visibility-changed", resolve, { once: true });
    const look = () => (card.shadowRoot?.children.length > 1 ? resolve() : setTimeout(look, 20));
    look();
  });
  document.body.append(card);
  const callWS = async ({ type, ...more }) => calls?.[type] ?? hass.callWS({ type, ...more });
  card.hass = { ...hass, states, language, locale: { ...hass.locale, language }, callWS };
  await drawn;
  await new Promise((resolve) => setTimeout(resolve, 100));
  const text = card.hidden ? null : card.shadowRoot.querySelector("style ~ *").parentNode;
  const said = text && [...text.children].slice(1).map((each) => each.innerText).join(" ");
  card.remove();
  return said && said.replaceAll(/\\s+/g, " ").trim();
}"""

type Changes = dict[str, dict[str, Any]]


async def said(
    visitor: Visitor,
    card: str,
    device: str,
    changes: Changes,
    language: str = "en",
    calls: dict[str, Any] | None = None,
) -> str | None:
    """Return what a card says of a device whose states are changed; None where it hides."""
    await visitor.page.wait_for_function(f"!!customElements.get('joulo-{card}')")
    text: str | None = await visitor.page.evaluate(SHOW, [card, device, language, changes, calls])
    return text


OFF: Changes = {"charging": {"state": "off"}, "charging_sessions": {"state": "off"}}
CHARGER_LINES: list[tuple[Changes, str, str]] = [
    (OFF | {"status": {"state": "online"}}, "Ready", "Gereed"),
    (OFF | {"status": {"state": "active"}}, "Ready", "Gereed"),
    (OFF | {"status": {"state": "out_of_service"}}, "Out of service", "Buiten gebruik"),
    (OFF | {"status": {"state": "unknown"}}, "Status unknown", "Status onbekend"),
    (
        OFF | {"status": {"state": "unavailable"}},
        "Joulo cannot be reached",
        "Joulo is niet bereikbaar",
    ),
    (
        OFF | {"charging_sessions": {"state": "on"}, "session_energy": {"state": "unknown"}},
        "Session paused",
        "Sessie gepauzeerd",
    ),
]


async def test_the_line_of_a_charger_says_what_it_does_in_every_state(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    for changes, english, dutch in CHARGER_LINES:
        for language, text in (("en", english), ("nl", dutch)):
            line = await said(visitor, "charger-line", "Garage", changes, language)
            assert line is not None
            assert line.split(" · ")[0] == text


async def test_the_line_of_a_charger_that_charges_has_energy_time_and_vehicle(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    changes: Changes = {
        "charging": {"state": "on"},
        "session_energy": {"state": "7.4"},
        "session_start": {"state": "2026-01-15T21:09:00+00:00"},
        "active_vehicle": {"state": "<img src=x onerror=alert(1)> {{ 1 }}"},
    }
    line = await said(visitor, "charger-line", "Garage", changes, "nl")
    assert line is not None
    status, energy, since, vehicle = line.split(" · ")
    assert (status, vehicle) == ("Laadt", "<img src=x onerror=alert(1)> {{ 1 }}")
    assert "7.4" in energy
    assert since == "sinds do 15 jan, 22:09"


async def test_a_charger_is_offline_since_its_last_other_status_also_after_a_restart(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    offline = OFF | {"status": {"state": "offline"}}
    now = float(await visitor.page.evaluate("Date.now() / 1000"))
    states = [
        {"s": "online", "lu": now - 9000},
        {"s": "offline", "lu": now - 8000},
        {"s": "unavailable", "lu": now - 600},
        {"s": "offline", "lu": now - 500},
    ]
    moment = "new Intl.DateTimeFormat('en', {hour: '2-digit', minute: '2-digit', timeZone: 'Europe/Amsterdam'})"
    told = await visitor.page.evaluate(f"{moment}.format({(now - 8000) * 1000})")
    for history, text in (
        (states, told),
        ([], "Offline"),
        ([{"s": "offline", "lu": now - 864_001}], "Offline for over 10 days"),
    ):
        calls = {"history/history_during_period": {"sensor.garage_status": history}}
        line = await said(visitor, "charger-line", "Garage", offline, calls=calls)
        assert line is not None
        assert line.endswith(text)


async def test_the_line_of_a_vehicle_says_whether_and_where_it_charges(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    on: Changes = {"charging": {"state": "on"}, "charger": {"state": "Garage"}}
    for changes, text in (
        (on, "Charging · Garage"),
        ({"charging": {"state": "off"}}, "Not charging"),
        ({"charging": {"state": "unavailable"}}, "Joulo cannot be reached"),
        ({"charging": {"state": "unknown"}}, None),
    ):
        assert await said(visitor, "vehicle-line", "Zoe", changes) == text


async def test_while_the_history_is_read_it_says_how_far(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    reading = {"history_sessions": {"state": "120", "attributes": {"complete": False}}}
    for total, language, text in (
        ("400", "en", "The history is being read (120 of about 400 sessions)."),
        ("unknown", "nl", "De geschiedenis wordt gelezen (tot nu toe 120 sessies)."),
    ):
        changes = reading | {"total_sessions": {"state": total}}
        assert await said(visitor, "history-line", "Joulo", changes, language) == text
    assert await said(visitor, "history-line", "Joulo", {}) is None


async def test_the_payout_has_its_parts_the_price_and_the_fee(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    told: Changes = {
        "paid_out": {"state": "120"},
        "payable": {"state": "30.5"},
        "reserved": {"state": "0"},
        "unsold_ere": {"state": "100"},
        "ere_price": {"state": "0.5"},
        "platform_fee": {"state": "20"},
        "expected_this_year": {"state": "unknown"},
    }
    text = await said(visitor, "payout", "Joulo", told)
    assert text is not None
    for part in (
        "Paid out €120.00",
        "Payable €30.50",
        "Reserved €0.00",
        "Unsold ≈ €40.00 (100",
        "€0.50 for an ERE credit, of which Joulo keeps 20 %",
    ):
        assert part in text
    assert "Expected" not in text
    nothing = {key: {"state": "unknown"} for key in told}
    assert await said(visitor, "payout", "Joulo", nothing) is None


async def test_what_differs_from_joulos_total_has_its_reasons(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    equal: Changes = {
        "total_energy": {"state": "100"},
        "Garage/total_energy": {"state": "60"},
        "Garage/charging": {"state": "off"},
        "Oprit/total_energy": {"state": "40"},
        "Oprit/charging": {"state": "off"},
        "Schuur/total_energy": {"state": "0"},
        "Schuur/mid_certified": {"state": "off"},
    }
    assert await said(visitor, "differences", "Joulo", equal) is None
    changes = equal | {
        "Garage/total_energy": {"state": "65"},
        "Garage/charging": {"state": "on"},
        "Garage/session_energy": {"state": "5"},
        "Schuur/total_energy": {"state": "12.5"},
    }
    text = await said(visitor, "differences", "Joulo", changes)
    assert text is not None
    assert text.startswith("117.5 kWh here, 100.0 kWh at Joulo: why?")
    unknown = changes | {"Oprit/total_energy": {"state": "unavailable"}}
    assert await said(visitor, "differences", "Joulo", unknown) is None


# Sets another total of Joulo's in a card that is on the page already.
CHANGE_TOTAL = """([name, total]) => {
  const { hass } = document.querySelector("home-assistant");
  const account = Object.values(hass.devices).find((each) => each.name === "Joulo");
  const { entity_id: id } = Object.values(hass.entities).find(
    (each) => each.device_id === account.id && each.translation_key === "total_energy",
  );
  let card = document.querySelector(`body > ${name}`);
  if (!card) {
    card = document.createElement(name);
    card.setConfig({ device: account.id });
    document.body.append(card);
  }
  card.hass = { ...hass, states: { ...hass.states, [id]: { ...hass.states[id], state: total } } };
}"""


async def test_what_is_open_stays_open_and_keeps_the_focus_when_a_figure_changes(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    await expect(visitor.section("Garage")).to_be_visible()
    await visitor.page.evaluate(CHANGE_TOTAL, ["joulo-differences", "1.5"])
    card = visitor.page.locator("body > joulo-differences")
    await card.locator("summary").focus()
    await visitor.page.keyboard.press("Enter")
    await expect(card.locator("p").first).to_be_visible()
    await visitor.page.evaluate(CHANGE_TOTAL, ["joulo-differences", "2.5"])
    await expect(card.locator("summary")).to_contain_text("2.5 kWh at Joulo")
    await expect(card.locator("p").first).to_be_visible()
    await expect(card.locator("summary")).to_be_focused()


async def test_a_charger_without_a_mid_meter_has_no_payout_and_no_graph_of_a_value(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    section = visitor.section("Schuur")
    await expect(section.get_by_text("Not MID-certified: no payout")).to_be_visible()
    await expect(section.get_by_text("€0.00")).to_have_count(0)
    await expect(
        visitor.section("Garage").get_by_text("Not MID-certified: no payout")
    ).not_to_be_visible()
    await visitor.page.goto(f"{stage.dashboard_url}/sessions")
    await expect(visitor.section("Schuur").get_by_text("Cost per month")).to_be_visible()
    await expect(visitor.section("Schuur").get_by_text("Value per month")).to_have_count(0)
    await expect(visitor.section("Garage").get_by_text("Value per month")).to_be_visible()


async def test_without_anything_to_draw_it_says_when_graphs_come(
    stage: Stage, visit: Visit
) -> None:
    visitor = await visit(1280, "light")
    empty: dict[str, Any] = {"recorder/statistics_during_period": {}}
    text = await said(visitor, "graphs", "Garage", {}, calls=empty)
    assert text == "The graphs come after the first charging session."


async def test_graphs_ask_the_recorder_once(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    await expect(visitor.section("Garage")).to_be_visible()
    asked = await visitor.page.evaluate(
        """async () => {
          const { hass } = document.querySelector("home-assistant");
          const garage = Object.values(hass.devices).find(({ name }) => name === "Garage");
          const card = document.createElement("joulo-graphs");
          let asked = 0;
          card.setConfig({ device: garage.id });
          card.hass = { ...hass, callWS: async () => { asked++; return {}; } };
          document.body.append(card);
          await new Promise((resolve) => setTimeout(resolve, 500));
          card.remove();
          return asked;
        }"""
    )
    assert asked == 1


# Whatever is cut off ends with an ellipsis.
CUT_OFF = """() => {
  const cut = [];
  const walk = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) walk(each.shadowRoot);
      const isCut = each.clientWidth && each.scrollWidth > each.clientWidth + 1;
      if (isCut && getComputedStyle(each).textOverflow === "ellipsis") cut.push(each.textContent);
    }
  };
  walk(document);
  return cut;
}"""

# Rows of tiles in which one stands alone in half the width.
HOLES = """() => {
  const holes = [];
  const walk = (root) => {
    for (const each of root.querySelectorAll("*")) {
      if (each.shadowRoot) walk(each.shadowRoot);
      if (!each.matches(".container") || !each.querySelector(":scope > .card")) continue;
      const { left, right } = each.getBoundingClientRect();
      const rows = new Map();
      for (const card of each.querySelectorAll(":scope > .card")) {
        const box = card.getBoundingClientRect();
        if (box.height) rows.set(box.top, Math.max(rows.get(box.top) ?? left, box.right));
      }
      for (const end of rows.values()) if (end < right - 2) holes.push([end, right]);
    }
  };
  walk(document);
  return holes;
}"""


@pytest.mark.parametrize("width", [PHONE, 1280, 1400])
async def test_nothing_is_cut_off_and_no_group_of_tiles_has_a_hole(
    introduced: tuple[Stage, Introduction], language: str, visit: Visit, width: Width
) -> None:
    stage, _ = introduced
    visitor = await visit(1280 if width != PHONE else PHONE, "light")
    await visitor.page.set_viewport_size({"width": width, "height": 3000})
    await visitor.page.goto(stage.dashboard_url)
    await expect(visitor.page.locator("joulo-charger-line button").first).to_be_visible()
    for show in (None, show_account):
        if show:
            await show(visitor, width)
            await expect(visitor.page.locator("joulo-payout ha-card")).to_be_visible()
        assert await visitor.page.evaluate(CUT_OFF) == []
        assert await visitor.page.evaluate(HOLES) == []


async def test_an_administrator_adds_the_chargers_to_the_energy_dashboard_and_nothing_else_changes(
    stage: Stage, visit: Visit
) -> None:
    async with stage.home.connection() as connection:
        before = await connection.ask("energy/get_prefs")
        await connection.ask("energy/save_prefs", device_consumption=[OTHER_DEVICE])
        others = await connection.ask("energy/get_prefs")
    try:
        visitor = await visit(1280, "light")
        await visitor.page.goto(f"{stage.dashboard_url}/sessions")
        offer = visitor.page.locator("joulo-energy-offer")
        await expect(offer).to_contain_text("Garage, Oprit, and Schuur")
        await offer.get_by_role("button").click()
        await expect(offer).to_contain_text("Added.")
        async with stage.home.connection() as connection:
            after = await connection.ask("energy/get_prefs")
        names = [each.get("name") for each in after["device_consumption"]]
        assert names == ["Boiler", "Garage", "Oprit", "Schuur"]
        assert after | {"device_consumption": []} == others | {"device_consumption": []}
        await visitor.page.reload()
        await expect(visitor.page.locator("joulo-sessions-card table")).to_be_visible()
        await expect(offer).not_to_be_visible()
    finally:
        async with stage.home.connection() as connection:
            devices = before["device_consumption"]
            await connection.ask("energy/save_prefs", device_consumption=devices)


async def test_an_offer_that_cannot_be_taken_up_says_why(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    await visitor.page.goto(stage.dashboard_url)
    await expect(visitor.section("Garage")).to_be_visible()
    await visitor.page.evaluate(
        """() => {
          const { hass } = document.querySelector("home-assistant");
          const card = document.createElement("joulo-energy-offer");
          card.setConfig({});
          document.body.append(card);
          card.hass = { ...hass, callWS: async (request) => {
            if (request.type === "energy/save_prefs") throw new Error("Nothing can be stored.");
            return request.type === "energy/get_prefs" ? {} : hass.callWS(request);
          } };
        }"""
    )
    offer = visitor.page.locator("body > joulo-energy-offer")
    await offer.get_by_role("button").press("Enter")
    await expect(offer.get_by_role("alert")).to_have_text("Nothing can be stored.")


OTHER_DEVICE = {"stat_consumption": "sensor.boiler_energy", "name": "Boiler"}


async def test_a_user_who_is_no_administrator_sees_all_but_what_needs_one(
    stage: Stage, visit: Visit
) -> None:
    tokens = await stage.home.add_user("resident", "a-password-of-the-demo")
    visitor = await visit(1280, "light", tokens)
    await visitor.page.goto(stage.dashboard_url)
    for name in ("Garage", "Zoe", "Joulo"):
        await expect(visitor.section(name)).to_be_visible()
    await expect(visitor.page.locator("joulo-payout ha-card")).to_be_visible()
    await expect(visitor.page.locator("hui-repairs-card")).not_to_be_visible()
    garage = visitor.section("Garage").locator("hui-heading-card").first
    assert "/config/" not in str(await garage.evaluate("(card) => JSON.stringify(card._config)"))
    await visitor.page.goto(f"{stage.dashboard_url}/sessions")
    card = visitor.page.locator("joulo-sessions-card")
    await card.locator("tbody button").nth(1).click()
    await expect(card.get_by_label("Whose car?")).to_be_visible()
    await expect(visitor.page.locator("joulo-energy-offer")).not_to_be_visible()


async def test_without_joulo_it_says_so(stage: Stage, visit: Visit) -> None:
    visitor = await visit(1280, "light")
    strategy = """async () => {
      const hass = document.querySelector("home-assistant").hass;
      const strategy = customElements.get("ll-strategy-dashboard-joulo");
      return strategy.generate({}, { ...hass, devices: {}, entities: {} });
    }"""
    await visitor.page.wait_for_function("!!customElements.get('ll-strategy-dashboard-joulo')")
    views = (await visitor.page.evaluate(strategy))["views"]
    for view in views:
        assert "Joulo is not set up" in str(view)
