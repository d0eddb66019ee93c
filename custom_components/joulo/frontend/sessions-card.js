/**
 * The sessions card: a period of charging sessions as a chart, a table and totals, with what a statement needs. It is
 * loaded where it is shown only. The sessions come from the action `joulo.get_sessions`; every text of theirs is set as
 * text, never as markup.
 */

import {
  DOMAIN,
  Watch,
  devicesOf,
  element,
  euros,
  figureOf,
  formatOf,
  isAccount,
  isCharger,
  isVehicle,
  known,
  languageOf,
  nameOf,
  statesOf,
  wordsIn,
} from "./common.js";

const TEXTS = {
  month: ["Month", "Maand"],
  year: ["Year", "Jaar"],
  all: ["All", "Alles"],
  period: ["Period", "Periode"],
  earlier: ["Earlier", "Eerder"],
  later: ["Later", "Later"],
  all_chargers: ["All chargers", "Alle laadpalen"],
  all_vehicles: ["All vehicles", "Alle voertuigen"],
  charger: ["Charger", "Laadpaal"],
  vehicle: ["Vehicle", "Voertuig"],
  nobody: ["Nobody's", "Van niemand"],
  other_tag: ["Card …{end}", "Pas …{end}"],
  by_charger: ["By charger", "Per laadpaal"],
  by_vehicle: ["By vehicle", "Per voertuig"],
  stacked: ["Stacked", "Gestapeld"],
  figure: ["Figure", "Grootheid"],
  energy: ["Energy", "Energie"],
  ere: ["ERE credits", "ERE-credits"],
  value: ["Value", "Waarde"],
  cost: ["Cost", "Kosten"],
  net: ["Net cost", "Nettokosten"],
  no_payout: ["Not MID-certified: no payout", "Niet MID-gecertificeerd: geen uitbetaling"],
  power: ["Average power", "Gem. vermogen"],
  started: ["Start", "Begin"],
  ended: ["End", "Einde"],
  duration: ["Duration", "Duur"],
  session: ["Session", "Sessie"],
  sessions: ["Sessions", "Sessies"],
  total: ["Total", "Totaal"],
  one: ["{count} session", "{count} sessie"],
  many: ["{count} sessions", "{count} sessies"],
  runs: ["Charging now", "Laadt nu"],
  from_energy: ["measured, from Joulo", "gemeten, van Joulo"],
  from_ere: ["from Joulo", "van Joulo"],
  from_value: [
    "at Joulo's price and fee when it was completed",
    "met de prijs en kosten van Joulo toen ze werd afgerond",
  ],
  from_cost: ["kWh times the price of each hour", "kWh maal de prijs van elk uur"],
  from_estimate: [
    "some hours have no price; they take the mean of the others",
    "sommige uren hebben geen prijs; daarvoor geldt het gemiddelde van de andere",
  ],
  from_net: ["cost less value", "kosten min waarde"],
  from_power: ["energy over the whole time", "energie over de hele tijd"],
  whose: ["Whose car?", "Van welke auto?"],
  details: ["Details of {when}", "Details van {when}"],
  download: ["Download", "Downloaden"],
  print: ["Print", "Afdrukken"],
  statement: ["Charging sessions", "Laadsessies"],
  price: ["Average price per kWh", "Gemiddelde prijs per kWh"],
  before: ["{year}: {total}", "{year}: {total}"],
  none: ["No charging sessions in this period.", "Geen laadsessies in deze periode."],
  loading: ["The sessions are being read …", "De sessies worden gelezen …"],
  again: ["Try again", "Probeer opnieuw"],
  no_account: [
    "There is no Joulo account. Add one under Settings → Devices & services.",
    "Er is geen Joulo-account. Voeg er een toe bij Instellingen → Apparaten en diensten.",
  ],
};

/** Milliseconds until the sessions are asked for again that could not be had. */
const RETRY = 10_000;
/** Rows that are drawn at once; the next ones come as soon as somebody scrolls to them. */
const BATCH = 60;
const COLOURS = 8;
/** Pixels: of the bars, and of a month from which on its name has three letters. */
const CHART_HEIGHT = 150;
const WIDE_ENOUGH = 28;
const LEAST_ROOM = 15;

const FIGURES = {
  energy: { key: "energy_kwh", unit: "kWh", decimals: 2 },
  ere: { key: "ere_credits", unit: "ERE", decimals: 2 },
  value: { key: "value_eur", unit: "EUR", decimals: 2 },
  cost: { key: "cost_eur", unit: "EUR", decimals: 2 },
  net: { key: "net_cost_eur", unit: "EUR", decimals: 2 },
};

const STYLE = `
  :host { display: block; container-type: inline-size; }
  ha-card { padding: 16px; display: flex; flex-direction: column; gap: 12px; }
  .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
  .bar h2 { font: inherit; font-size: 1.2em; margin: 0; min-width: 9em; text-align: center; }
  .grow { flex: 1; }
  button, select {
    font: inherit; color: var(--primary-text-color); background: var(--card-background-color);
    border: 1px solid var(--divider-color); border-radius: 8px; padding: 6px 10px; min-height: 36px; cursor: pointer;
  }
  button[aria-pressed="true"] { border-color: var(--primary-color); box-shadow: inset 0 0 0 1px var(--primary-color); font-weight: 600; }
  button:disabled { opacity: 0.5; cursor: default; }
  .subtitle, .note { color: var(--secondary-text-color); }
  svg { width: 100%; display: block; }
  svg text { fill: var(--secondary-text-color); font-size: 11px; }
  .scroll { max-height: 70vh; overflow: auto; }
  table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { text-align: end; padding: 8px 6px; border-bottom: 1px solid var(--divider-color); white-space: nowrap; }
  th.text, td.text { text-align: start; }
  td.text { overflow-wrap: anywhere; white-space: normal; }
  thead th, tfoot td, tfoot th { position: sticky; background: var(--card-background-color); z-index: 1; }
  thead th { top: 0; font-weight: 500; color: var(--secondary-text-color); }
  tfoot td, tfoot th { bottom: 0; font-weight: 600; border-top: 1px solid var(--divider-color); border-bottom: 0; }
  tr.running { background: color-mix(in srgb, var(--primary-color) 12%, transparent); }
  td button { border: 0; background: none; padding: 0; min-height: 0; text-align: start; text-decoration: underline; text-decoration-color: var(--primary-color); text-underline-offset: 3px; }
  .details dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; text-align: start; white-space: normal; }
  .details dt { color: var(--secondary-text-color); }
  .details small { display: block; color: var(--secondary-text-color); }
  .details dd { margin: 0; overflow-wrap: anywhere; }
  @container (max-width: 560px) {
    thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    table, tbody, tfoot { display: block; }
    tr { display: flex; flex-wrap: wrap; gap: 2px 12px; padding: 8px 0; border-bottom: 1px solid var(--divider-color); }
    th, td { border: 0 !important; padding: 0; }
    td[data-label]::before { content: attr(data-label) " "; color: var(--secondary-text-color); }
    td.unknown, tfoot td:empty { display: none; }
    td.text:first-child, tfoot th { width: 100%; text-align: start; }
    tfoot { position: sticky; bottom: 0; background: var(--card-background-color); }
  }`;

// Time, on Home Assistant's own clock

/** Return year, month and day of a moment in a time zone. */
const dayOf = (moment, timeZone) =>
  formatOf(Intl.DateTimeFormat, "en-CA", { timeZone }).format(moment).split("-").map(Number);

/** Return the year of a moment's text. A time zone changes it around New Year only, and to ask for it takes long. */
function yearOf(text, timeZone) {
  const isNearNewYear = /^.{5}(12-31|01-01)/.test(text);
  return isNearNewYear ? dayOf(new Date(text), timeZone)[0] : Number(text.slice(0, 4));
}

/** Return the first and the last day of a period, and of the same one a year before; none for all of time. */
function spanOf({ span, year, month }, yearsBefore = 0) {
  const text = (...parts) =>
    parts.map((part, index) => String(part).padStart(index ? 2 : 4, "0")).join("-");
  const of = year - yearsBefore;
  if (span === "year") return { start: text(of, 1, 1), end: text(of, 12, 31) };
  if (span === "month") {
    const last = new Date(Date.UTC(of, month, 0)).getUTCDate();
    return { start: text(of, month, 1), end: text(of, month, last) };
  }
  return {};
}

/** Return the period before or after. */
function moved(period, steps) {
  if (period.span === "year") return { ...period, year: period.year + steps };
  const index = period.year * 12 + period.month - 1 + steps;
  return { ...period, year: Math.floor(index / 12), month: (index % 12) + 1 };
}

/** Return the ids of Joulo's entities. */
const entityIds = ({ entities }) =>
  Object.values(entities)
    .filter(({ platform }) => platform === DOMAIN)
    .map(({ entity_id }) => entity_id);

/** Return the sum of the known figures of sessions; null where none is known. */
function sumOf(rows, { key, decimals }) {
  const known = rows.map((row) => row[key]).filter((figure) => figure !== null);
  if (!known.length) return rows.length ? null : 0;
  return Number(known.reduce((sum, figure) => sum + figure, 0).toFixed(decimals));
}

/** Draws the card into its host, which passes on what Home Assistant says. */
export class SessionsCard {
  #host;
  #root;
  /** It stays: what is put into a new one can have no focus until that is drawn. */
  #frame = element("ha-card");
  #hass;
  #watch = new Watch();
  #config = {};
  #rows = [];
  #before = [];
  #error = null;
  #isLoading = true;
  #seen = new Map();
  #lastProgress = "";
  #asked = 0;
  #timer;
  #observer;
  #resized;
  #width = 600;
  #drawn = BATCH;
  #open = new Set();
  #view = { span: "month", charger: "", vehicle: "", figure: "energy", stack: "charger" };

  constructor(host) {
    this.#host = host;
    this.#root = host.attachShadow({ mode: "open" });
    this.#root.append(element("style", {}, STYLE), this.#frame);
    this.#resized = new ResizeObserver(([{ contentRect }]) => {
      // Within the padding of the card.
      const width = Math.max(Math.round(contentRect.width) - 34, 200);
      if (width === this.#width) return;
      this.#width = width;
      if (this.#hass) this.#draw();
    });
  }

  /** Follow the width, for as long as the card is on a page, and go on with what that has stopped. */
  connect() {
    this.#resized.observe(this.#host);
    if (this.#error) this.#load();
    else if (!this.#isLoading) this.#draw();
  }

  /** Stop asking and watching. */
  disconnect() {
    this.#resized.disconnect();
    clearTimeout(this.#timer);
    this.#observer?.disconnect();
  }

  /** Take over the configuration: the account, and the period at first. An editor may change it later. */
  set config(config) {
    this.#config = config;
    if (config.span) this.#view.span = config.span;
    if (this.#hass) this.#load();
  }

  /** Take over the state of Home Assistant, and ask anew when a session has been completed or corrected. */
  set hass(hass) {
    const language = this.#hass?.language;
    this.#hass = hass;
    if (!this.#watch.hasNews(hass, entityIds)) return;
    if (!this.#view.year) {
      const [year, month] = dayOf(new Date(), hass.config.time_zone);
      Object.assign(this.#view, { year, month });
    }
    if (this.#hasNews()) this.#load();
    else if (
      hass.language !== language ||
      (this.#progress !== this.#lastProgress && !this.#isLoading)
    )
      this.#draw();
  }

  // What there is

  get #accounts() {
    const services = devicesOf(this.#hass).filter(isAccount);
    const entries = services.flatMap(({ config_entries }) => config_entries);
    const { config_entry_id: chosen } = this.#config;
    return chosen ? entries.filter((entry) => entry === chosen) : entries;
  }

  /** Return ids and names of the devices of a kind, by name. */
  #named(isWanted) {
    return devicesOf(this.#hass)
      .filter(isWanted)
      .map((device) => ({ id: device.id, name: nameOf(device) }))
      .sort((one, other) => one.name.localeCompare(other.name));
  }

  /** Whether a session has been completed, corrected or given to another vehicle since this was last asked. */
  #hasNews() {
    const telling = /^(total_(energy|ere|cost)|last_session_.+|charging_session|active_vehicle)$/;
    const ids = entityIds(this.#hass).filter((id) =>
      telling.test(this.#hass.entities[id].translation_key),
    );
    const news = ids.filter((id) => {
      const state = this.#hass.states[id]?.state;
      // While Joulo or the integration is away, nothing is news.
      return state && state !== "unavailable" && state !== this.#seen.get(id);
    });
    for (const id of news) this.#seen.set(id, this.#hass.states[id].state);
    return !this.#asked || news.length > 0;
  }

  /** What is known of the sessions that run, as a text that changes with it. */
  get #progress() {
    return JSON.stringify(this.#running());
  }

  // Asking

  /** Return the answers of the accounts, each with its account. */
  #ask(data) {
    return Promise.all(
      this.#accounts.map(async (account) => {
        const { response } = await this.#hass.callWS({
          type: "call_service",
          domain: DOMAIN,
          service: "get_sessions",
          service_data: { config_entry_id: account, ...data },
          return_response: true,
        });
        return { ...response, account };
      }),
    );
  }

  async #load() {
    const asked = ++this.#asked;
    clearTimeout(this.#timer);
    try {
      const [now, before] = await Promise.all([
        this.#ask(spanOf(this.#view)),
        this.#view.span === "all" ? [] : this.#ask(spanOf(this.#view, 1)).catch(() => []),
      ]);
      if (asked !== this.#asked) return;
      const rowsOf = (answers) =>
        answers.flatMap(({ sessions, account }) => sessions.map((row) => ({ ...row, account })));
      this.#rows = rowsOf(now).sort((one, other) => (one.started_at < other.started_at ? 1 : -1));
      this.#before = rowsOf(before);
      this.#error = null;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#error = error.message ?? String(error);
      if (this.#host.isConnected) this.#timer = setTimeout(() => this.#load(), RETRY);
    }
    this.#isLoading = false;
    this.#draw();
  }

  #change(change, { load = false } = {}) {
    Object.assign(this.#view, change);
    this.#drawn = BATCH;
    if (load) this.#load();
    this.#draw();
  }

  // Words and numbers

  get #language() {
    return languageOf(this.#hass);
  }

  #text(key, words) {
    return wordsIn(TEXTS, this.#language, key, words);
  }

  #number(figure, decimals = 2) {
    if (figure === null || figure === undefined) return "–";
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return formatOf(Intl.NumberFormat, this.#language, options).format(figure);
  }

  #amount(figure, { unit, decimals }) {
    if (figure === null || figure === undefined) return "–";
    if (unit !== "EUR") return `${this.#number(figure, decimals)} ${unit}`;
    return euros(figure, this.#language);
  }

  #moment(text, options = { dateStyle: "medium", timeStyle: "short" }) {
    if (!text) return "–";
    const timeZone = this.#hass.config.time_zone;
    return formatOf(Intl.DateTimeFormat, this.#language, { ...options, timeZone }).format(
      new Date(text),
    );
  }

  #duration(minutes) {
    if (minutes === null || minutes === undefined) return "–";
    const whole = Math.round(minutes);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  /** Return whose a session is: its vehicle, or else the end of the card that was used. */
  #owner(row) {
    if (row.vehicle) return row.vehicle;
    return row.tag_id ? this.#text("other_tag", { end: row.tag_id.slice(-4) }) : "";
  }

  /** Whether the period is the one that has not ended yet. */
  get #isLatest() {
    const [year, month] = dayOf(new Date(), this.#hass.config.time_zone);
    const { span, year: shown, month: shownMonth } = this.#view;
    return shown > year || (shown === year && (span === "year" || shownMonth >= month));
  }

  get #title() {
    const { span, year, month } = this.#view;
    if (span === "all") return this.#text("all");
    const day = new Date(Date.UTC(year, month - 1, 15));
    const options = span === "year" ? { year: "numeric" } : { year: "numeric", month: "long" };
    return new Intl.DateTimeFormat(this.#language, { ...options, timeZone: "UTC" }).format(day);
  }

  #chosen(rows) {
    const { charger, vehicle } = this.#view;
    return rows.filter(
      (row) =>
        (!charger || row.charger_name === charger) &&
        (!vehicle || (row.vehicle ?? this.#text("nobody")) === vehicle),
    );
  }

  // Drawing

  #draw() {
    const rows = this.#chosen(this.#rows);
    const parts = this.#accounts.length
      ? [this.#periodBar(), this.#filterBar(rows), ...this.#body(rows)]
      : [element("p", { className: "note" }, this.#text("no_account"))];
    // What has the focus keeps it: a keyboard would have to begin anew.
    const focused = this.#root.activeElement?.dataset.name;
    const top = this.#root.querySelector(".scroll")?.scrollTop ?? 0;
    this.#lastProgress = this.#progress;
    this.#frame.replaceChildren(...parts);
    if (top) this.#root.querySelector(".scroll")?.scrollTo({ top });
    if (focused) this.#root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  }

  #body(rows) {
    if (this.#error) {
      return [
        element("p", { role: "alert" }, this.#error),
        this.#button("again", () => this.#load()),
      ];
    }
    if (this.#isLoading) return [element("p", { className: "note" }, this.#text("loading"))];
    const running = this.#running();
    if (!rows.length && !running.length)
      return [element("p", { className: "note" }, this.#text("none"))];
    return [...this.#chart(rows), this.#table(rows, running)];
  }

  #button(key, onclick, more = {}) {
    const button = element("button", { type: "button", onclick, ...more }, this.#text(key));
    button.dataset.name = key;
    return button;
  }

  #choice(key, options, chosen, onchange) {
    const choices = options.map(([value, label]) =>
      element("option", { value, selected: value === chosen }, label),
    );
    const select = element(
      "select",
      { "aria-label": this.#text(key), onchange: ({ target }) => onchange(target.value) },
      choices,
    );
    select.dataset.name = key;
    return select;
  }

  #periodBar() {
    const { span } = this.#view;
    const step = (steps, key, sign) => {
      const go = () => this.#change(moved(this.#view, steps), { load: true });
      const disabled = span === "all" || (steps > 0 && this.#isLatest);
      const button = this.#button(key, go, { "aria-label": this.#text(key), disabled });
      button.textContent = sign;
      return button;
    };
    const earlier = step(-1, "earlier", "‹");
    const later = step(1, "later", "›");
    const spans = ["month", "year", "all"].map((key) =>
      this.#button(key, () => this.#change({ span: key }, { load: true }), {
        "aria-pressed": String(span === key),
      }),
    );
    return element(
      "div",
      { className: "bar" },
      earlier,
      element("h2", { "aria-live": "polite" }, this.#title),
      later,
      element("span", { className: "grow" }),
      element(
        "div",
        { className: "bar", role: "group", "aria-label": this.#text("period") },
        spans,
      ),
    );
  }

  #filterBar(rows) {
    const names = (key) => [...new Set(this.#rows.map((row) => row[key]))].filter(Boolean).sort();
    const [chargers, vehicles] = [names("charger_name"), names("vehicle")];
    const parts = [];
    const { charger, vehicle } = this.#view;
    if (chargers.length > 1 || charger) {
      const options = [["", this.#text("all_chargers")], ...chargers.map((name) => [name, name])];
      parts.push(
        this.#choice("charger", options, charger, (value) => this.#change({ charger: value })),
      );
    }
    if (vehicles.length || vehicle) {
      const nobody = this.#text("nobody");
      const options = [
        ["", this.#text("all_vehicles")],
        ...[...vehicles, nobody].map((name) => [name, name]),
      ];
      parts.push(
        this.#choice("vehicle", options, vehicle, (value) => this.#change({ vehicle: value })),
      );
    }
    const disabled = !rows.length;
    parts.push(
      element("span", { className: "grow" }),
      this.#button("download", () => this.#download(rows), { disabled }),
      this.#button("print", () => this.#print(rows), { disabled }),
    );
    return element("div", { className: "bar" }, parts);
  }

  // The chart

  #chart(rows) {
    const figures = Object.keys(FIGURES).filter((name) =>
      rows.some((row) => row[FIGURES[name].key] !== null),
    );
    if (!figures.length) return [];
    const name = figures.includes(this.#view.figure) ? this.#view.figure : figures[0];
    const figure = FIGURES[name];
    const bars = this.#bars(rows, figure);
    const before = this.#bars(this.#chosen(this.#before), figure);
    const total = this.#amount(sumOf(rows, figure), figure);
    const subtitle = [total];
    if (this.#before.length) {
      const sum = this.#amount(sumOf(this.#chosen(this.#before), figure), figure);
      subtitle.push(this.#text("before", { year: this.#view.year - 1, total: sum }));
    }
    const label = `${this.#text(name)}, ${this.#title}: ${subtitle.join(" · ")}`;
    return [
      element(
        "div",
        { className: "bar" },
        figures.map((key) =>
          this.#button(key, () => this.#change({ figure: key }), {
            "aria-pressed": String(key === name),
          }),
        ),
        element("span", { className: "grow" }),
        this.#choice(
          "stacked",
          ["charger", "vehicle"].map((key) => [key, this.#text(`by_${key}`)]),
          this.#view.stack,
          (stack) => this.#change({ stack }),
        ),
      ),
      element("div", { className: "subtitle" }, subtitle.join(" · ")),
      this.#plot(bars, before, label, figure),
      this.#legend(rows),
    ];
  }

  #stackOf(row) {
    return this.#view.stack === "charger"
      ? (row.charger_name ?? "")
      : (row.vehicle ?? this.#text("nobody"));
  }

  #stacks(rows) {
    return [...new Set(rows.map((row) => this.#stackOf(row)))].sort();
  }

  #colour(index) {
    return `var(--color-${(index % COLOURS) + 1}, var(--primary-color))`;
  }

  /** Return by slot (the days of a month, the months of a year, or years) what each stack adds up to. */
  #bars(rows, figure) {
    const bars = new Map();
    for (const row of rows) {
      if (row[figure.key] === null) continue;
      const slot = this.#slotOf(row);
      if (!bars.has(slot)) bars.set(slot, new Map());
      const stack = this.#stackOf(row);
      bars.get(slot).set(stack, (bars.get(slot).get(stack) ?? 0) + row[figure.key]);
    }
    return bars;
  }

  #slotOf({ started_at }) {
    const { time_zone: timeZone } = this.#hass.config;
    if (this.#view.span === "all") return yearOf(started_at, timeZone);
    const [, month, day] = dayOf(new Date(started_at), timeZone);
    return this.#view.span === "year" ? month : day;
  }

  get #slots() {
    const { span, year, month } = this.#view;
    const numbers = (from, count) => Array.from({ length: count }, (_, index) => from + index);
    if (span === "month") return numbers(1, new Date(Date.UTC(year, month, 0)).getUTCDate());
    if (span === "year") return numbers(1, 12);
    // The newest one is the first.
    const [last, first] = [this.#rows[0], this.#rows.at(-1)].map((row) => this.#slotOf(row));
    return numbers(first, last - first + 1);
  }

  #slotName(slot, width) {
    if (this.#view.span !== "year") return String(slot);
    const options = { month: width < WIDE_ENOUGH ? "narrow" : "short", timeZone: "UTC" };
    const day = new Date(Date.UTC(2000, slot - 1, 15));
    return formatOf(Intl.DateTimeFormat, this.#language, options).format(day);
  }

  #plot(bars, before, label, figure) {
    const slots = this.#slots;
    const [width, height, foot] = [this.#width, CHART_HEIGHT, 18];
    const step = width / slots.length;
    // Every month has its name; of days, as many as there is room for.
    const every = Math.ceil(LEAST_ROOM / step);
    const sum = (parts) =>
      [...parts.values()].reduce((total, part) => total + Math.max(part, 0), 0);
    const heights = [...bars.values(), ...before.values()].map(sum);
    const scale = height / Math.max(...heights, 0.01);
    const stacks = this.#stacks(this.#chosen(this.#rows));
    const bar = (index, share, top, tall) => ({
      x: (index + (1 - share) / 2) * step,
      y: top,
      width: share * step,
      height: tall,
    });
    const shapes = slots.flatMap((slot, index) => {
      const earlier = before.get(slot);
      const ghost = earlier ? sum(earlier) * scale : 0;
      const box = { ...bar(index, 0.9, height - ghost, ghost), fill: "var(--divider-color)" };
      const parts = ghost ? [element("svg:rect", box)] : [];
      let top = height;
      stacks.forEach((stack, number) => {
        const amount = bars.get(slot)?.get(stack) ?? 0;
        const tall = Math.max(amount * scale, 0);
        if (!tall) return;
        top -= tall;
        const title = `${this.#slotName(slot, step)} · ${stack}: ${this.#amount(amount, figure)}`;
        const fill = this.#colour(number);
        const properties = { ...bar(index, 0.6, top, tall), fill };
        parts.push(element("svg:rect", properties, element("svg:title", {}, title)));
      });
      if (index % every) return parts;
      const place = { x: (index + 0.5) * step, y: height + foot - 4, "text-anchor": "middle" };
      return [...parts, element("svg:text", place, this.#slotName(slot, step))];
    });
    const viewBox = `0 0 ${width} ${height + foot}`;
    return element("svg:svg", { viewBox, role: "img", "aria-label": label }, shapes);
  }

  #legend(rows) {
    const stacks = this.#stacks(rows);
    if (stacks.length < 2) return null;
    const items = stacks.map((stack, index) =>
      element(
        "span",
        {},
        element("span", { style: `color: ${this.#colour(index)}`, "aria-hidden": "true" }, "■ "),
        stack,
      ),
    );
    return element("div", { className: "bar note" }, items);
  }

  // The table

  /** Return the columns that have something to show in any row. */
  #columns(rows, summed = rows) {
    const figure = (name) => ({
      title: this.#text(name),
      cell: (row) => this.#amount(row[FIGURES[name].key], FIGURES[name]),
      sum: () => this.#amount(sumOf(summed, FIGURES[name]), FIGURES[name]),
      isKnown: (row) => row[FIGURES[name].key] !== null,
    });
    const [value, cost] = [figure("value"), figure("cost")];
    const about = (row) => (row.cost_estimated ? "≈ " : "");
    const withoutMeter = this.#withoutMeter();
    const isWorth = (row) => value.isKnown(row) && !withoutMeter.has(row.charger_id);
    return [
      {
        title: this.#text("duration"),
        cell: (row) => this.#duration(row.duration_minutes),
        isKnown: (row) => row.duration_minutes !== null,
      },
      {
        title: this.#text("charger"),
        isText: true,
        cell: (row) => row.charger_name ?? "",
        isKnown: (row) => row.charger_name,
      },
      {
        title: this.#text("vehicle"),
        isText: true,
        cell: (row) => this.#owner(row),
        isKnown: (row) => row.vehicle || row.tag_id,
      },
      figure("energy"),
      figure("ere"),
      { ...value, isKnown: isWorth, cell: (row) => (isWorth(row) ? value.cell(row) : "–") },
      { ...cost, cell: (row) => about(row) + cost.cell(row) },
      figure("net"),
      {
        title: this.#text("power"),
        cell: (row) => this.#amount(row.average_power_kw, { unit: "kW", decimals: 1 }),
        isKnown: (row) => row.average_power_kw !== null,
      },
    ].filter(({ isKnown }) => rows.some(isKnown));
  }

  /** Return the ids of the chargers without a MID meter: their sessions are worth nothing. */
  #withoutMeter() {
    const chargers = devicesOf(this.#hass)
      .filter(isCharger)
      .filter(({ id }) => statesOf(this.#hass, id).mid_certified?.state === "off");
    return new Set(chargers.flatMap(({ identifiers }) => identifiers.map(([, id]) => id)));
  }

  /** Return what runs now as rows: it is in no statement yet. */
  #running() {
    const isNow = this.#view.span === "all" || this.#isLatest;
    if (!isNow) return [];
    const rows = this.#named(isCharger).flatMap((device) => {
      const states = statesOf(this.#hass, device.id);
      if (states.charging?.state !== "on" || !states.session_start) return [];
      return [
        {
          session_id: device.id,
          started_at: known(states.session_start),
          ended_at: null,
          duration_minutes: null,
          charger_name: device.name,
          vehicle: known(states.active_vehicle),
          tag_id: known(states.active_tag_id),
          energy_kwh: figureOf(states.session_energy),
          ere_credits: figureOf(states.session_ere),
          value_eur: null,
          cost_eur: figureOf(states.session_cost),
          net_cost_eur: null,
          average_power_kw: figureOf(states.session_average_power),
          is_running: true,
        },
      ];
    });
    return this.#chosen(rows);
  }

  #table(rows, running) {
    const all = [...running, ...rows];
    // What runs is in no total yet.
    const columns = this.#columns(all, rows);
    const cells = (tag, role, of) =>
      columns.map((column) => {
        const className = column.isText ? "text" : "";
        const properties = { className, role, "data-label": column.title };
        return element(tag, properties, of(column) ?? "");
      });
    const head = element(
      "tr",
      { role: "row" },
      element("th", { className: "text", role: "columnheader" }, this.#text("started")),
      cells("th", "columnheader", ({ title }) => title),
    );
    const count = this.#text(rows.length === 1 ? "one" : "many", { count: rows.length });
    const foot = element(
      "tr",
      { role: "row" },
      element("th", { className: "text", role: "rowheader" }, `${this.#text("total")} · ${count}`),
      cells("td", "cell", ({ sum }) => sum?.()),
    );
    const body = element("tbody", { role: "rowgroup" });
    const scroll = element(
      "div",
      { className: "scroll", tabIndex: 0, role: "region", "aria-label": this.#text("sessions") },
      element(
        "table",
        // Where it is drawn as cards, it stays a table for those who listen.
        { role: "table" },
        element("thead", { role: "rowgroup" }, head),
        body,
        element("tfoot", { role: "rowgroup" }, foot),
      ),
    );
    this.#fill(body, scroll, all, columns);
    return scroll;
  }

  /** Draw the first rows, and others as soon as the last one comes into view: there may be thousands. */
  #fill(body, scroll, rows, columns) {
    this.#observer?.disconnect();
    let drawn = 0;
    const more = (count) => {
      const batch = rows.slice(drawn, drawn + count);
      this.#drawn = drawn += batch.length;
      body.append(...batch.flatMap((row) => this.#row(row, columns)));
      this.#observer?.disconnect();
      if (drawn < rows.length) this.#observer.observe(body.lastElementChild);
    };
    this.#observer = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && more(BATCH),
      { root: scroll, rootMargin: "400px" },
    );
    // Drawn anew, it is as long as it was.
    more(Math.max(BATCH, this.#drawn));
  }

  #row(row, columns) {
    const when = row.is_running
      ? `${this.#text("runs")} · ${this.#moment(row.started_at, { timeStyle: "short" })}`
      : this.#moment(row.started_at);
    const isOpen = this.#open.has(row.session_id);
    const toggle = () => {
      if (!this.#open.delete(row.session_id)) this.#open.add(row.session_id);
      this.#draw();
    };
    const label = this.#text("details", { when });
    const opener = element(
      "button",
      {
        type: "button",
        onclick: toggle,
        "aria-expanded": String(isOpen),
        "aria-label": label,
      },
      when,
    );
    opener.dataset.name = row.session_id;
    const line = element(
      "tr",
      { className: row.is_running ? "running" : "", role: "row" },
      element("td", { className: "text", role: "rowheader" }, opener),
      columns.map(({ title, cell, isText, isKnown }) => {
        const className = `${isText ? "text" : ""} ${isKnown(row) ? "" : "unknown"}`.trim();
        return element("td", { className, role: "cell", "data-label": title }, cell(row));
      }),
    );
    if (!isOpen) return [line];
    const properties = { colSpan: columns.length + 1, role: "cell" };
    const details = element("td", properties, this.#details(row));
    return [line, element("tr", { className: "details", role: "row" }, details)];
  }

  #details(row) {
    const power = this.#amount(row.average_power_kw, { unit: "kW", decimals: 1 });
    const lines = [
      ["started", this.#moment(row.started_at)],
      ["ended", this.#moment(row.ended_at)],
      ["duration", this.#duration(row.duration_minutes)],
      ["charger", row.charger_name ?? "–"],
      ["vehicle", this.#owner(row) || this.#text("nobody")],
      ...Object.keys(FIGURES).map((name) => [name, ...this.#sourced(row, name)]),
      ["power", power, row.average_power_kw === null ? null : "from_power"],
      ...(row.is_running ? [] : [["session", row.session_id]]),
    ].map(([key, text, source]) => [
      element("dt", {}, this.#text(key)),
      element("dd", {}, text, source && element("small", {}, this.#text(source))),
    ]);
    const vehicles = this.#named(
      (device) => isVehicle(device) && device.config_entries.includes(row.account),
    );
    if (vehicles.length && !row.is_running) {
      const options = [["", this.#text("nobody")], ...vehicles.map(({ id, name }) => [id, name])];
      const chosen = vehicles.find(({ name }) => name === row.vehicle)?.id ?? "";
      const choice = this.#choice("whose", options, chosen, (id) => this.#assign(row, id));
      lines.push([element("dt", {}, this.#text("whose")), element("dd", {}, choice)]);
    }
    return element("dl", {}, lines.flat());
  }

  /** Return a figure of a session as text, and the key of where it comes from; nothing comes from nowhere. */
  #sourced(row, name) {
    const amount = row[FIGURES[name].key];
    if (name === "value" && this.#withoutMeter().has(row.charger_id))
      return [this.#text("no_payout"), null];
    if (amount === null) return ["–", null];
    const source = name === "cost" && row.cost_estimated ? "estimate" : name;
    return [this.#amount(amount, FIGURES[name]), `from_${source}`];
  }

  async #assign({ session_id, account }, vehicle) {
    const data = { config_entry_id: account, session_id, ...(vehicle && { vehicle }) };
    // Home Assistant says what was wrong; the choice goes back to whose the session is.
    await this.#hass.callService(DOMAIN, "assign_session", data).catch(() => null);
    this.#load();
  }

  // Statements

  get #fileName() {
    const { span, year, month, charger, vehicle } = this.#view;
    const period = {
      all: "all",
      year: String(year),
      month: `${year}-${String(month).padStart(2, "0")}`,
    };
    const slug = (name) =>
      name
        .toLowerCase()
        .replace(/[^\p{L}\p{N}]+/gu, "-")
        .replace(/^-|-$/g, "");
    return ["joulo", period[span], ...[charger, vehicle].filter(Boolean).map(slug)].join("-");
  }

  /** Save the sessions that are shown as a statement, which the integration words. */
  async #download(rows) {
    const { charger, vehicle } = this.#view;
    const isFiltered = charger || vehicle;
    try {
      const answers = await this.#ask({
        ...spanOf(this.#view),
        ...(isFiltered && { session_id: rows.map((row) => row.session_id) }),
        format: "csv",
      });
      // A spreadsheet knows the encoding by the mark at the beginning.
      const blob = new Blob(["\ufeff", answers.map(({ csv }) => csv).join("\r\n")], {
        type: "text/csv;charset=utf-8",
      });
      const link = element("a", {
        href: URL.createObjectURL(blob),
        download: `${this.#fileName}.csv`,
      });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), RETRY);
    } catch (error) {
      this.#error = error.message;
      this.#draw();
    }
  }

  /** Show a statement for an employer in a page of its own, and have the browser print it. */
  #print(rows) {
    const columns = this.#columns(rows);
    const line = (tag, first, of) =>
      element(
        "tr",
        {},
        element(tag, {}, first),
        columns.map((column) => element(tag, {}, of(column) ?? "")),
      );
    const priced = rows.filter(({ cost_eur }) => cost_eur !== null);
    const energy = sumOf(priced, FIGURES.energy);
    const cost = sumOf(priced, FIGURES.cost);
    const price =
      energy && cost !== null ? `${this.#amount(cost / energy, FIGURES.cost)}/kWh` : "–";
    const account = devicesOf(this.#hass).find(isAccount)?.name;
    // Hidden, some browsers would print nothing.
    const style = "position: fixed; width: 0; height: 0; border: 0";
    const frame = element("iframe", { title: this.#text("statement"), style });
    this.#root.append(frame);
    const { contentDocument: page } = frame;
    page.title = this.#fileName;
    page.body.append(
      page.adoptNode(
        element(
          "main",
          {},
          element(
            "style",
            {},
            "table{border-collapse:collapse}td,th{padding:4px 8px;text-align:end}",
          ),
          element("h1", {}, this.#text("statement")),
          element("p", {}, [account, this.#title].filter(Boolean).join(" · ")),
          element("p", {}, `${this.#text("price")}: ${price}`),
          element(
            "table",
            {},
            line("th", this.#text("started"), ({ title }) => title),
            [...rows]
              .reverse()
              .map((row) => line("td", this.#moment(row.started_at), ({ cell }) => cell(row))),
            line("th", this.#text("total"), ({ sum }) => sum?.()),
          ),
        ),
      ),
    );
    frame.contentWindow.onafterprint = () => frame.remove();
    frame.contentWindow.print();
  }
}
