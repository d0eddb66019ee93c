/**
 * The small cards of the dashboard that no built-in card can be: a line for each charger, how far the history has been
 * read, the payout, what differs from Joulo's totals, graphs that come when there is something to draw, and an offer for
 * the Energy dashboard. What has nothing to say hides. Every text is set as text, never as markup.
 */

import {
  Watch,
  devicesOf,
  element,
  euros,
  figureOf,
  formatOf,
  isCharger,
  known,
  languageOf,
  nameOf,
  statesOf,
  statisticId,
  wordsIn,
} from "./common.js";

const TEXTS = {
  charging: ["Charging", "Laadt"],
  paused: ["Session paused", "Sessie gepauzeerd"],
  not_charging: ["Not charging", "Laadt niet"],
  ready: ["Ready", "Gereed"],
  offline: ["Offline", "Offline"],
  offline_since: ["Offline since {when}", "Offline sinds {when}"],
  offline_long: ["Offline for over {days} days", "Al meer dan {days} dagen offline"],
  out_of_service: ["Out of service", "Buiten gebruik"],
  unreachable: ["Joulo cannot be reached", "Joulo is niet bereikbaar"],
  unknown: ["Status unknown", "Status onbekend"],
  since: ["since {when}", "sinds {when}"],
  reading: [
    "The history is being read ({read} of about {all} sessions).",
    "De geschiedenis wordt gelezen ({read} van ongeveer {all} sessies).",
  ],
  reading_on: [
    "The history is being read ({read} sessions so far).",
    "De geschiedenis wordt gelezen (tot nu toe {read} sessies).",
  ],
  payout: ["Payout", "Uitbetaling"],
  paid_out: ["Paid out", "Uitbetaald"],
  payable: ["Payable", "Uit te betalen"],
  reserved: ["Reserved", "Gereserveerd"],
  unsold: ["Unsold", "Onverkocht"],
  expected: ["Expected this year: {amount}", "Verwacht dit jaar: {amount}"],
  price: ["{amount} for an ERE credit", "{amount} per ERE-credit"],
  price_and_fee: [
    "{amount} for an ERE credit, of which Joulo keeps {fee} %",
    "{amount} per ERE-credit, waarvan Joulo {fee} % inhoudt",
  ],
  differences: [
    "{here} kWh here, {theirs} kWh at Joulo: why?",
    "{here} kWh hier, {theirs} kWh bij Joulo: waarom?",
  ],
  without_mid: [
    "{kwh} kWh are of chargers without a MID-certified meter. Joulo's total leaves them out.",
    "{kwh} kWh is van laadpalen zonder MID-gecertificeerde meter. Joulo telt die niet mee.",
  ],
  running: [
    "{kwh} kWh are of sessions that run. Joulo counts a session when it has ended.",
    "{kwh} kWh is van lopende sessies. Joulo telt een sessie pas mee als ze is afgerond.",
  ],
  rest: [
    "{kwh} kWh are compared once a day; what Joulo has changed is then read again.",
    "{kwh} kWh wordt één keer per dag vergeleken; wat Joulo heeft gewijzigd, wordt dan opnieuw gelezen.",
  ],
  no_statistics: [
    "The graphs come after the first charging session.",
    "De grafieken verschijnen na de eerste laadsessie.",
  ],
  energy_graph: ["Energy per month", "Energie per maand"],
  value_graph: ["Value per month", "Waarde per maand"],
  cost_graph: ["Cost per month", "Kosten per maand"],
  energy: ["At your chargers", "Aan je laadpalen"],
  elsewhere: ["Elsewhere", "Elders"],
  energy_offer: [
    "The Energy dashboard does not have these chargers yet: {names}.",
    "Deze laadpalen staan nog niet in het energiedashboard: {names}.",
  ],
  energy_add: ["Add to the Energy dashboard", "Toevoegen aan het energiedashboard"],
  energy_added: [
    "Added. The Energy dashboard shows them as individual devices.",
    "Toegevoegd. Het energiedashboard toont ze als individuele apparaten.",
  ],
};

const STYLE = `
  :host { display: block; }
  :host([hidden]) { display: none; }
  .line, button.line {
    display: flex; gap: 8px; align-items: center; width: 100%; text-align: start;
    font: inherit; font-size: 1.15em; padding: 4px; border: 0; background: none; color: var(--primary-text-color); cursor: pointer;
    overflow-wrap: anywhere;
  }
  .line ha-icon { color: var(--state-icon-color, var(--secondary-text-color)); flex: none; }
  .line.charging ha-icon { color: var(--primary-color); }
  .line.problem ha-icon { color: var(--warning-color); }
  p { margin: 4px; color: var(--secondary-text-color); }
  details { margin: 4px; color: var(--secondary-text-color); }
  summary { cursor: pointer; }
  ha-card { padding: 12px 16px; }
  ha-card p { margin: 4px 0; }
  .bar { display: flex; height: 14px; border-radius: 7px; overflow: hidden; gap: 2px; background: var(--divider-color); }
  dl { display: grid; grid-template-columns: 1fr auto; gap: 4px 8px; margin: 12px 0 4px; align-items: center; }
  dt { display: flex; gap: 8px; align-items: center; }
  dd { margin: 0; text-align: end; font-variant-numeric: tabular-nums; }
  .mark { width: 10px; height: 10px; border-radius: 50%; flex: none; }
  h3 { font: inherit; font-weight: 500; margin: 12px 4px 8px; color: var(--secondary-text-color); }
  button.act {
    font: inherit; color: var(--primary-color); background: none; border: 1px solid var(--primary-color);
    border-radius: 8px; padding: 6px 12px; margin: 4px; cursor: pointer;
  }`;

/** Card that is drawn anew when a state of one of its devices has changed. `settings` names the device. */
class Card {
  host;
  settings = {};
  hassNow;
  #root;
  #watch = new Watch();

  constructor(host) {
    this.host = host;
    this.#root = host.attachShadow({ mode: "open" });
  }

  set config(config) {
    this.settings = config;
  }

  set hass(hass) {
    this.hassNow = hass;
    if (this.#watch.hasNews(hass, () => this.#watched())) this.draw();
  }

  /** Return the ids of the devices on which the card depends. */
  get devices() {
    return [this.settings.device];
  }

  #watched() {
    const ids = new Set(this.devices);
    return Object.values(this.hassNow.entities)
      .filter(({ device_id }) => ids.has(device_id))
      .map(({ entity_id }) => entity_id);
  }

  get states() {
    return statesOf(this.hassNow, this.settings.device);
  }

  get language() {
    return languageOf(this.hassNow);
  }

  text(key, words) {
    return wordsIn(TEXTS, this.language, key, words);
  }

  number(figure, decimals) {
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return formatOf(Intl.NumberFormat, this.language, options).format(figure);
  }

  /** Show elements; without any, hide. */
  show(...elements) {
    const hidden = !elements.length;
    const hasFocus = this.#root.activeElement !== null;
    this.#root.replaceChildren(element("style", {}, STYLE), ...elements);
    // A keyboard would have to begin anew.
    if (hasFocus) this.#root.querySelector("button, summary")?.focus();
    if (this.host.hidden === hidden) return;
    this.host.hidden = hidden;
    this.host.dispatchEvent(new Event("card-visibility-changed", { bubbles: true }));
  }

  /** Open what Home Assistant knows of an entity. */
  showMore(entityId) {
    const detail = { entityId };
    this.host.dispatchEvent(
      new CustomEvent("hass-more-info", { bubbles: true, composed: true, detail }),
    );
  }
}

const CHARGING_ICON = "mdi:ev-station";
/** Hours for which a time needs no day: since 22:09 is clear at one in the night. */
const HOURS_CLEAR = 12;
/** Days for which the recorder is asked since when a charger is offline: for so long it keeps states by default. */
const DAYS_KEPT = 10;

/** Card of one line: an icon and short texts. It leads to what Home Assistant knows of an entity. */
class Line extends Card {
  line(entity, className, icon, ...texts) {
    const said = element("span", {}, texts.filter(Boolean).join(" · "));
    const onclick = () => this.showMore(entity.entity_id);
    const properties = { type: "button", className: `line ${className}`, onclick };
    this.show(element("button", properties, element("ha-icon", { icon }), said));
  }

  unreachable(entity) {
    this.line(entity, "problem", "mdi:cloud-off-outline", this.text("unreachable"));
  }
}

/** Whether a vehicle charges, and where. */
export class VehicleLine extends Line {
  draw() {
    const { charging, charger } = this.states;
    switch (charging?.state) {
      case "on":
        return this.line(
          charging,
          "charging",
          CHARGING_ICON,
          this.text("charging"),
          known(charger),
        );
      case "off":
        return this.line(charging, "", "mdi:car-electric-outline", this.text("not_charging"));
      case "unavailable":
        return this.unreachable(charging);
      default:
        return this.show();
    }
  }
}

/** What a charger does, in a line: *Charging · 7.4 kWh · since 22:09 · Zoe*, *Ready*, *Offline since …*. */
export class ChargerLine extends Line {
  #offlineSince;

  draw() {
    const { status, charging, charging_sessions: calendar } = this.states;
    const isCharging = charging?.state === "on";
    if (status?.state !== "offline") this.#offlineSince = undefined;
    if (!status && !charging) return this.show();
    if ((status ?? charging).state === "unavailable") return this.unreachable(status ?? charging);
    if (isCharging || calendar?.state === "on") return this.#session(isCharging);
    switch (status?.state) {
      case "offline":
        return this.#offline(status);
      case "out_of_service":
        return this.#line("problem", "mdi:wrench-outline", this.text("out_of_service"));
      case "unknown":
        return this.#line("", "mdi:help-circle-outline", this.text("unknown"));
      default:
        return this.#line("", "mdi:check-circle-outline", this.text("ready"));
    }
  }

  #session(isCharging) {
    const { session_energy: energy, session_start: start, active_vehicle: vehicle } = this.states;
    const when = known(start);
    this.#line(
      isCharging ? "charging" : "",
      isCharging ? CHARGING_ICON : "mdi:pause-circle-outline",
      this.text(isCharging ? "charging" : "paused"),
      known(energy) && this.hassNow.formatEntityState(energy),
      when && this.text("since", { when: this.#moment(new Date(when)) }),
      known(vehicle),
    );
  }

  /** The state's own time is that of Home Assistant's start, if it has started since: the recorder knows better. */
  #offline(status) {
    if (this.#offlineSince === undefined) {
      this.#offlineSince = null;
      offlineSince(this.hassNow, status.entity_id).then((since) => {
        if (this.#offlineSince !== null) return;
        this.#offlineSince = since;
        this.draw();
      });
    }
    const since = this.#offlineSince;
    const text = !since
      ? this.text("offline")
      : Date.now() - since >= DAYS_KEPT * 86_400_000
        ? this.text("offline_long", { days: DAYS_KEPT })
        : this.text("offline_since", { when: this.#moment(since) });
    this.#line("problem", "mdi:lan-disconnect", text);
  }

  #line(className, icon, ...texts) {
    const { status, charging } = this.states;
    this.line(status ?? charging, className, icon, ...texts);
  }

  /** Return a time of today or of the last hours; of others the day too. */
  #moment(moment) {
    const { time_zone: timeZone } = this.hassNow.config;
    const day = formatOf(Intl.DateTimeFormat, "en-CA", { timeZone });
    const isToday =
      day.format(moment) === day.format(new Date()) ||
      Date.now() - moment < HOURS_CLEAR * 3_600_000;
    const time = { hour: "2-digit", minute: "2-digit", timeZone };
    const options = isToday ? time : { ...time, weekday: "short", day: "numeric", month: "short" };
    return formatOf(Intl.DateTimeFormat, this.language, options).format(moment);
  }
}

/** Return since when a charger is offline, by the recorder; null where that is not known. */
async function offlineSince(hass, entityId) {
  const request = {
    type: "history/history_during_period",
    start_time: new Date(Date.now() - DAYS_KEPT * 86_400_000).toISOString(),
    entity_ids: [entityId],
    minimal_response: true,
    no_attributes: true,
  };
  const answer = await hass.callWS(request).catch(() => ({}));
  let since = null;
  for (const { s: state, lc: changed, lu: updated } of (answer[entityId] ?? []).reverse()) {
    if (state === "offline") since = new Date((changed ?? updated) * 1000);
    // While Home Assistant or Joulo was away, nobody knows better.
    else if (!/^un(known|available)$/.test(state)) break;
  }
  return since;
}

/** How far the history has been read, until all of it is there. */
export class HistoryLine extends Card {
  draw() {
    const { history_sessions: history, total_sessions: total } = this.states;
    if (history?.attributes.complete !== false) return this.show();
    const [read, all] = [figureOf(history) ?? 0, figureOf(total)];
    const key = all ? "reading" : "reading_on";
    return this.show(element("p", { role: "status" }, this.text(key, { read, all })));
  }
}

/** Colours of the payout's parts, from what is on the account to what is still to be sold. */
const PARTS = {
  paid_out: "var(--success-color)",
  payable: "var(--primary-color)",
  reserved: "var(--warning-color)",
  unsold: "var(--disabled-color)",
};

/** What an account's ERE credits pay out: a bar of its parts, with Joulo's price and fee. */
export class Payout extends Card {
  draw() {
    const states = this.states;
    const amounts = this.#amounts(states);
    if (!Object.keys(amounts).length) return this.show();
    const entries = Object.entries(amounts);
    const label = entries.map(([key, eur]) => `${this.text(key)} ${this.#euros(eur)}`).join(", ");
    const bar = element(
      "div",
      { className: "bar", role: "img", "aria-label": `${this.text("payout")}: ${label}` },
      entries
        .filter(([, eur]) => eur > 0)
        .map(([key, eur]) => element("div", { style: `flex: ${eur}; background: ${PARTS[key]}` })),
    );
    const mark = (key) =>
      element("span", { className: "mark", style: `background: ${PARTS[key]}` });
    const legend = entries.flatMap(([key, eur]) => [
      element("dt", {}, mark(key), this.text(key)),
      element("dd", {}, key === "unsold" ? this.#unsold(states, eur) : this.#euros(eur)),
    ]);
    const notes = [this.#price(states), this.#expected(states)].filter(Boolean);
    return this.show(
      element(
        "ha-card",
        {},
        bar,
        element("dl", {}, legend),
        notes.map((note) => element("p", {}, note)),
      ),
    );
  }

  /** Return EUR by part, without what Joulo does not tell. */
  #amounts({ paid_out, payable, reserved, unsold_ere, ere_price, platform_fee }) {
    const [ere, price, fee] = [unsold_ere, ere_price, platform_fee].map(figureOf);
    const unsold = ere === null || price === null ? null : ere * price * (1 - (fee ?? 0) / 100);
    const amounts = {
      paid_out: figureOf(paid_out),
      payable: figureOf(payable),
      reserved: figureOf(reserved),
      unsold,
    };
    const isTold = ["paid_out", "payable", "reserved"].some((key) => amounts[key] !== null);
    return isTold
      ? Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount !== null))
      : {};
  }

  /** What is not sold yet is worth about today's price. */
  #unsold({ unsold_ere: ere }, eur) {
    return `≈ ${this.#euros(eur)} (${this.hassNow.formatEntityState(ere)})`;
  }

  #price({ ere_price, platform_fee }) {
    const [price, fee] = [ere_price, platform_fee].map(figureOf);
    if (price === null) return null;
    const amount = this.#euros(price, 3);
    if (fee === null) return this.text("price", { amount });
    const decimals = Number.isInteger(fee) ? 0 : 1;
    return this.text("price_and_fee", { amount, fee: this.number(fee, decimals) });
  }

  #expected({ expected_this_year: expected }) {
    const eur = figureOf(expected);
    return eur === null ? null : this.text("expected", { amount: this.#euros(eur) });
  }

  #euros(amount, most = 2) {
    return euros(amount, this.language, most);
  }
}

/** kWh that sums may differ by from rounding. */
const ROUNDING = 0.05;

/** What differs from Joulo's own total, and why, behind a line that opens. */
export class Differences extends Card {
  #isOpen = false;

  get devices() {
    return [this.settings.device, ...this.#chargers.map(({ id }) => id)];
  }

  get #chargers() {
    const { device } = this.settings;
    const entries = this.hassNow.devices[device]?.config_entries ?? [];
    return devicesOf(this.hassNow)
      .filter(isCharger)
      .filter(({ config_entries }) => config_entries.some((entry) => entries.includes(entry)));
  }

  draw() {
    const theirs = figureOf(this.states.total_energy);
    const chargers = this.#chargers.map(({ id }) => statesOf(this.hassNow, id));
    const totals = chargers.map(({ total_energy }) => figureOf(total_energy));
    if (theirs === null || totals.includes(null)) return this.show();
    const here = sum(totals);
    if (Math.abs(here - theirs) < ROUNDING) return this.show();
    const without = sum(
      totals.filter((_, index) => chargers[index].mid_certified?.state === "off"),
    );
    const running = sum(
      chargers
        .filter(
          ({ charging, mid_certified: mid }) => charging?.state === "on" && mid?.state !== "off",
        )
        .map(({ session_energy }) => figureOf(session_energy) ?? 0),
    );
    const reasons = { without_mid: without, running, rest: here - theirs - without - running };
    const words = { here: this.number(here, 1), theirs: this.number(theirs, 1) };
    const ontoggle = ({ target }) => {
      this.#isOpen = target.open;
    };
    return this.show(
      element(
        "details",
        { open: this.#isOpen, ontoggle },
        element("summary", {}, this.text("differences", words)),
        Object.entries(reasons)
          .filter(([, kwh]) => Math.abs(kwh) >= ROUNDING)
          .map(([key, kwh]) => element("p", {}, this.text(key, { kwh: this.number(kwh, 2) }))),
      ),
    );
  }
}

const sum = (figures) => figures.reduce((total, figure) => total + figure, 0);

const GRAPHS = { energy: ["energy", "elsewhere"], value: ["value"], cost: ["cost"] };
const GRAPH_DAYS = 365;
/** Milliseconds until statistics are looked for again where there are none: they come soon after the history. */
const LOOK_AGAIN = 15_000;

/** Home Assistant's own graphs of a device's statistics by month; those that would be empty are left out. */
export class Graphs extends Card {
  #cards = [];
  #timer;
  #hasLooked = false;
  #isEmpty = false;

  set hass(hass) {
    super.hass = hass;
    for (const card of this.#cards) card.hass = hass;
  }

  draw() {
    if (!this.#hasLooked) this.#look();
  }

  disconnect() {
    clearTimeout(this.#timer);
  }

  connect() {
    if (this.#isEmpty) this.#look();
  }

  async #look() {
    clearTimeout(this.#timer);
    this.#hasLooked = true;
    const device = this.hassNow.devices[this.settings.device];
    this.#isEmpty = !device;
    if (!device) return;
    const filled = await this.#filled(device);
    const graphs = Object.entries(GRAPHS)
      .map(([key, parts]) => [key, parts.filter((part) => filled.has(statisticId(device, part)))])
      .filter(([, parts]) => parts.length);
    this.#isEmpty = !graphs.length;
    if (this.#isEmpty) {
      this.show(element("p", {}, this.text("no_statistics")));
      if (this.host.isConnected) this.#timer = setTimeout(() => this.#look(), LOOK_AGAIN);
      return;
    }
    const { createCardElement } = await window.loadCardHelpers();
    this.#cards = graphs.map(([, parts]) => createCardElement(this.#graph(device, parts)));
    for (const card of this.#cards) card.hass = this.hassNow;
    this.show(
      ...graphs.flatMap(([key], index) => [
        element("h3", {}, this.text(`${key}_graph`)),
        this.#cards[index],
      ]),
    );
  }

  /** Return the ids of those statistics that have something to draw. */
  async #filled(device) {
    const request = {
      type: "recorder/statistics_during_period",
      start_time: new Date(Date.now() - GRAPH_DAYS * 86_400_000).toISOString(),
      statistic_ids: Object.values(GRAPHS).flatMap((parts) =>
        parts.map((part) => statisticId(device, part)),
      ),
      period: "month",
      types: ["change"],
    };
    const rows = await this.hassNow.callWS(request).catch(() => ({}));
    const isFilled = ([, months]) => months.some(({ change }) => change);
    return new Set(
      Object.entries(rows)
        .filter(isFilled)
        .map(([id]) => id),
    );
  }

  #graph(device, parts) {
    return {
      type: "statistics-graph",
      entities: parts.map((part) => ({
        entity: statisticId(device, part),
        // Two in one graph are told apart by their legend.
        name: this.text(parts.length > 1 ? part : `${part}_graph`),
      })),
      chart_type: parts.length > 1 ? "bar-stack" : "bar",
      period: "month",
      days_to_show: GRAPH_DAYS,
      stat_types: ["change"],
      hide_legend: parts.length === 1,
    };
  }
}

/** An offer to administrators: chargers that the Energy dashboard lacks become individual devices there. */
export class EnergyOffer extends Card {
  #isAsked = false;

  get devices() {
    return [];
  }

  draw() {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.show();
    if (this.hassNow.user.is_admin) this.#ask();
  }

  async #ask() {
    // Without an answer there is nothing to offer.
    const missing = await this.#missing().catch(() => []);
    if (!missing.length) return;
    const names = formatOf(Intl.ListFormat, this.language, {}).format(missing.map(nameOf));
    const onclick = ({ target }) => {
      target.disabled = true;
      this.#add().catch(({ message }) => this.show(element("p", { role: "alert" }, message)));
    };
    this.show(
      element("p", {}, this.text("energy_offer", { names })),
      element("button", { type: "button", className: "act", onclick }, this.text("energy_add")),
    );
  }

  /** Return the chargers whose energy is recorded, and not yet in the Energy dashboard. */
  async #missing() {
    const chargers = devicesOf(this.hassNow).filter(isCharger);
    const statistic_ids = chargers.map((device) => statisticId(device, "energy"));
    const metadata = { type: "recorder/get_statistics_metadata", statistic_ids };
    const recorded = await this.hassNow.callWS(metadata).catch(() => []);
    const ids = new Set(recorded.map(({ statistic_id }) => statistic_id));
    const there = new Set((await this.#consumption()).map(({ stat_consumption: id }) => id));
    return chargers.filter((device) => {
      const id = statisticId(device, "energy");
      return ids.has(id) && !there.has(id);
    });
  }

  /** Return the individual devices that the Energy dashboard has; none while it is not set up. */
  async #consumption() {
    const preferences = await this.hassNow.callWS({ type: "energy/get_prefs" }).catch((error) => {
      if (error.code === "not_found") return {};
      throw error;
    });
    return preferences.device_consumption ?? [];
  }

  async #add() {
    const missing = await this.#missing();
    const added = missing.map((device) => ({
      stat_consumption: statisticId(device, "energy"),
      name: nameOf(device),
    }));
    // Asked for just before: nothing that somebody else has added meanwhile is lost.
    const device_consumption = [...(await this.#consumption()), ...added];
    await this.hassNow.callWS({ type: "energy/save_prefs", device_consumption });
    this.show(element("p", { role: "status" }, this.text("energy_added")));
  }
}
