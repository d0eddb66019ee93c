/**
 * The Joulo dashboard: a strategy that draws itself from Home Assistant's registries, with built-in
 * cards only. It finds entities by the integration's keys, whatever their ids are, and leaves out
 * what is hidden or disabled. A name that the user gave an entity is kept.
 */

const DOMAIN = "joulo";
const ELEMENT = "ll-strategy-dashboard-joulo";
const SESSIONS_CARD = "joulo-sessions-card";
/** A new version has a new address, as this module has. */
const SESSIONS_MODULE = `./${SESSIONS_CARD}.js${new URL(import.meta.url).search}`;
const ICON = "mdi:ev-station";
const VEHICLE_ICON = "mdi:car-electric";

/** The statistics that are drawn. */
const GRAPHS = ["energy", "value", "cost"];

/** The figures of a month or a year; one that a device does not have is left out. */
const OF_A_SPAN = ["energy", "ere", "value", "cost", "net_cost", "sessions"];

const LANGUAGES = ["en", "nl"];
const TEXTS = {
  description: [
    "Charging sessions, ERE credits and euros of all your chargers",
    "Laadsessies, ERE-credits en euro's van al je laadpalen",
  ],
  overview: ["Overview", "Overzicht"],
  sessions_view: ["Sessions", "Sessies"],
  sessions_card: ["Joulo charging sessions", "Joulo-laadsessies"],
  sessions_description: [
    "Charging sessions of a month, a year or all, with totals, a chart and a statement",
    "Laadsessies van een maand, een jaar of alles, met totalen, een grafiek en een overzicht",
  ],
  config_entry_id: ["Account", "Account"],
  span: ["Period at first", "Periode bij het openen"],
  chargers: ["Chargers", "Laadpalen"],
  account: ["Account", "Account"],
  session: ["Running session", "Lopende sessie"],
  just_ended: ["Just ended", "Zojuist afgerond"],
  last_session: ["Last session", "Laatste sessie"],
  month: ["This month", "Deze maand"],
  year: ["This year", "Dit jaar"],
  payout: ["Payout", "Uitbetaling"],
  energy_graph: ["Energy per month", "Energie per maand"],
  value_graph: ["Value per month", "Waarde per maand"],
  cost_graph: ["Cost per month", "Kosten per maand"],
  no_charger: [
    "There is no charger yet. It appears by itself as soon as Joulo lists one.",
    "Er is nog geen laadpaal. Hij verschijnt vanzelf zodra Joulo er een toont.",
  ],
  no_session: [
    "No charging session has been completed yet.",
    "Er is nog geen laadsessie afgerond.",
  ],
  no_statistics: [
    "There are no statistics yet. Reload this page after the first charging session.",
    "Er zijn nog geen statistieken. Laad deze pagina opnieuw na de eerste laadsessie.",
  ],
  // Names of tiles: what the heading above them has not said. Entities have theirs in the language of
  // Home Assistant, which need not be the user's.
  status: ["Status", "Status"],
  total_energy: ["Total energy", "Totale energie"],
  payable: ["Payable", "Uit te betalen"],
  paid_out: ["Paid out", "Uitbetaald"],
  reserved: ["Reserved", "Gereserveerd"],
  expected_this_year: ["Expected this year", "Verwacht dit jaar"],
  energy: ["Energy", "Energie"],
  ere: ["ERE credits", "ERE-credits"],
  value: ["Value", "Waarde"],
  cost: ["Cost", "Kosten"],
  net_cost: ["Net cost", "Nettokosten"],
  sessions: ["Sessions", "Sessies"],
  start: ["Start", "Begin"],
  end: ["End", "Einde"],
  duration: ["Duration", "Duur"],
  average_power: ["Average power", "Gem. vermogen"],
  charging: ["Charging", "Laden"],
  charger: ["Charger", "Laadpaal"],
  vehicle: ["Vehicle", "Voertuig"],
  tag_id: ["RFID tag", "RFID-tag"],
  unsold_ere: ["Unsold", "Onverkocht"],
};

/** Return the texts in a language, or in English. */
function textsIn(language) {
  const index = Math.max(0, LANGUAGES.indexOf(language.split("-")[0]));
  return Object.fromEntries(Object.entries(TEXTS).map(([key, texts]) => [key, texts[index]]));
}

// What there is to show

const isOurs = ([domain]) => domain === DOMAIN;

const isAccount = ({ entry_type }) => entry_type === "service";
const isVehicle = ({ identifiers }) =>
  identifiers.some(([domain, id]) => domain === DOMAIN && id.startsWith("vehicle_"));

/** Return Joulo's entities by device and key: the id, the user's own name, and whether it is hidden. */
async function entitiesByDevice(hass) {
  const ours = Object.values(hass.entities).filter(({ platform }) => platform === DOMAIN);
  const request = {
    type: "config/entity_registry/get_entries",
    entity_ids: ours.map((entity) => entity.entity_id),
  };
  // Without an answer only the user's own names are missing.
  const entries = await hass.callWS(request).catch(() => ({}));
  const entities = {};
  for (const { entity_id: id, device_id, translation_key, hidden } of ours) {
    (entities[device_id] ??= {})[translation_key] = { id, name: entries[id]?.name, hidden };
  }
  return entities;
}

/** Return Joulo's devices that have something to show, by name. */
async function visibleDevices(hass) {
  const entities = await entitiesByDevice(hass);
  return Object.values(hass.devices)
    .filter(({ identifiers }) => identifiers.some(isOurs))
    .filter(({ id }) => Object.values(entities[id] ?? {}).some(({ hidden }) => !hidden))
    .map((device) => ({
      ...device,
      name: device.name_by_user || device.name || "Joulo",
      entities: entities[device.id],
    }))
    .sort((one, other) => one.name.localeCompare(other.name, hass.language, { numeric: true }));
}

/** Return the id of a device's statistic, made from the device's identifier as the integration does. */
function statisticId(device, key) {
  const [, id] = device.identifiers.find(isOurs);
  const slug = id
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "");
  return `${DOMAIN}:${slug}_${key}`;
}

/** Return which statistics of the devices exist: none where Home Assistant records nothing. */
async function existingStatistics(devices, hass) {
  const statistic_ids = devices.flatMap((device) => GRAPHS.map((key) => statisticId(device, key)));
  const request = { type: "recorder/get_statistics_metadata", statistic_ids };
  const found = await hass.callWS(request).catch(() => []);
  return new Set(found.map((statistic) => statistic.statistic_id));
}

// Cards

const heading = (text, options) => ({ type: "heading", heading: text, ...options });
const subheading = (text) => heading(text, { heading_style: "subtitle" });
const line = (text) => ({ type: "markdown", content: text, text_only: true });

const isState = (entity, state) => ({ condition: "state", entity, state });
const isKnown = (entity) => ({ condition: "state", entity, state_not: "unknown" });
const any = (conditions) => ({ condition: "or", conditions });

/** Return a card that shows only while a condition holds too. */
const showingWhile = (condition, card) => ({
  ...card,
  visibility: [...(card.visibility ?? []), condition],
});

/** Return tiles of the figures that may be shown; a figure's key begins with the prefix. */
function tiles(device, prefix, figures, texts) {
  return figures.flatMap((figure) => {
    const entity = device.entities[prefix + figure];
    if (!entity || entity.hidden) return [];
    const tile = { type: "tile", entity: entity.id, name: entity.name || texts[figure] };
    if (!["tag_id", "vehicle"].includes(figure)) return [tile];
    // It is long; and none is usual, for not everyone needs a card to charge.
    const card = showingWhile(isKnown(entity.id), { ...tile, grid_options: { columns: "full" } });
    const vehicle = device.entities[`${prefix}vehicle`];
    // Whose a card is says more than its number.
    return [
      figure === "tag_id" && vehicle ? showingWhile(isState(vehicle.id, "unknown"), card) : card,
    ];
  });
}

/** Return cards below a heading; without cards, no heading. */
const titled = (title, cards) => (cards.length ? [subheading(title), ...cards] : []);

/** Return whether a session runs. One that is paused is on in the calendar only. */
const runs = ({ entities: { charging, charging_sessions: calendar } }) =>
  any([charging, calendar].filter(Boolean).map(({ id }) => isState(id, "on")));

/** Return the session that runs. Its entities keep their figures afterwards, so it hides then. */
function runningSession(charger, texts) {
  const running = runs(charger);
  const cards = titled(texts.session, [
    ...tiles(charger, "session_", ["energy", "ere", "cost", "start", "average_power"], texts),
    ...tiles(charger, "active_", ["vehicle", "tag_id"], texts),
  ]);
  // Where nothing tells whether one runs, it is better not to say so.
  return running.conditions.length ? cards.map((card) => showingWhile(running, card)) : [];
}

/** Return the session that Joulo has not listed as completed yet, a quarter of an hour at most. */
function justEnded(charger, texts) {
  const { session_energy: session, last_session_energy: last } = charger.entities;
  if (!session || !last) return [];
  const running = { condition: "not", conditions: [runs(charger)] };
  const isUnlisted = { condition: "state", entity: session.id, state_not: last.id };
  // While Joulo cannot be reached, or nothing is known yet, nobody knows what has just ended.
  const isTold = ({ id }) => ({
    condition: "state",
    entity: id,
    state_not: ["unknown", "unavailable"],
  });
  const known = { condition: "and", conditions: [isTold(session), isTold(last)] };
  return titled(texts.just_ended, tiles(charger, "session_", ["energy", "ere"], texts)).map(
    (card) => showingWhile(known, showingWhile(isUnlisted, showingWhile(running, card))),
  );
}

/** Return the last completed session of a charger or a vehicle, or while there is none a line. */
function lastSession(device, texts) {
  const when = ["end", "start", "duration"];
  const what = ["energy", "ere", "value", "cost", "average_power", "charger", "vehicle", "tag_id"];
  const cards = titled(
    texts.last_session,
    tiles(device, "last_session_", [...when, ...what], texts),
  );
  const { last_session_end: end } = device.entities;
  if (!end || !cards.length) return cards;
  const none = showingWhile(isState(end.id, "unknown"), line(texts.no_session));
  return [...cards.map((card) => showingWhile(isKnown(end.id), card)), none];
}

/** Return a graph of a statistic over a year, by month. */
const graph = (statistic, title) => [
  subheading(title),
  {
    type: "statistics-graph",
    entities: [{ entity: statistic, name: title }],
    chart_type: "bar",
    period: "month",
    days_to_show: 365,
    stat_types: ["change"],
    hide_legend: true,
  },
];

/** Return the graphs of those statistics that exist, or a line; without a MID meter nothing has a value. */
function graphs(device, statistics, texts) {
  const existing = GRAPHS.filter((key) => statistics.has(statisticId(device, key)));
  if (!existing.length) return [line(texts.no_statistics)];
  const { mid_certified: mid } = device.entities;
  const isWorthIt = mid && { condition: "state", entity: mid.id, state_not: "off" };
  return existing.flatMap((key) => {
    const cards = graph(statisticId(device, key), texts[`${key}_graph`]);
    return key === "value" && mid ? cards.map((card) => showingWhile(isWorthIt, card)) : cards;
  });
}

// Sections and views

/** Return cards below a device's name, which leads to its page for those who may open it. */
function deviceSection(device, icon, hass, cards) {
  const navigation_path = `/config/devices/device/${device.id}`;
  const link = hass.user.is_admin && { tap_action: { action: "navigate", navigation_path } };
  return { type: "grid", cards: [heading(device.name, { icon, ...link }), ...cards] };
}

/** Return what Home Assistant has to repair; it hides while that is nothing. */
const repairs = () => ({ type: "repairs", hide_empty: true, grid_options: { columns: "full" } });

const chargerNow = (charger, texts, hass) =>
  deviceSection(charger, ICON, hass, [
    ...tiles(charger, "", ["status", "total_energy"], texts),
    ...runningSession(charger, texts),
    ...justEnded(charger, texts),
    ...lastSession(charger, texts),
  ]);

const vehicleNow = (vehicle, texts, hass) =>
  deviceSection(vehicle, VEHICLE_ICON, hass, [
    ...tiles(vehicle, "", ["charging", "charger"], texts),
    ...titled(texts.month, tiles(vehicle, "month_", OF_A_SPAN, texts)),
    ...lastSession(vehicle, texts),
  ]);

const deviceHistory = (device, statistics, texts, hass) =>
  deviceSection(device, isVehicle(device) ? VEHICLE_ICON : ICON, hass, [
    ...graphs(device, statistics, texts),
  ]);

/** Return what an account's ERE credits pay out; nothing while Joulo tells no position. */
function payout(account, texts) {
  const figures = ["payable", "paid_out", "reserved", "expected_this_year", "unsold_ere"];
  const cards = tiles(account, "", figures, texts);
  const known = any(cards.map(({ entity }) => isKnown(entity)));
  return titled(texts.payout, cards).map((card) => showingWhile(known, card));
}

function accountNow(account, texts, hass) {
  return deviceSection(account, "mdi:leaf", hass, [
    ...titled(texts.month, tiles(account, "month_", OF_A_SPAN, texts)),
    ...titled(texts.year, tiles(account, "year_", OF_A_SPAN, texts)),
    ...payout(account, texts),
  ]);
}

/** Return a section for each device, or a line. */
const sectionsOf = (devices, texts, section) =>
  devices.length ? devices.map(section) : [{ type: "grid", cards: [line(texts.no_charger)] }];

/** Return the chargers and the vehicles, and beside them the accounts; a phone has a switch between both. */
function overview(devices, accounts, texts, hass) {
  const sections = sectionsOf(devices, texts, (device) =>
    (isVehicle(device) ? vehicleNow : chargerNow)(device, texts, hass),
  );
  const sidebar = accounts.length && {
    sections: accounts.map((account) => accountNow(account, texts, hass)),
    content_label: texts.chargers,
    sidebar_label: texts.account,
  };
  sections[0].cards.unshift(repairs());
  const view = { title: texts.overview, path: "overview", type: "sections", sections };
  return sidebar ? { ...view, sidebar } : view;
}

/** Return the sessions, and below them what each charger and vehicle has come to by month. */
async function sessions(devices, texts, hass) {
  const statistics = await existingStatistics(devices, hass);
  const sections = sectionsOf(devices, texts, (device) =>
    deviceHistory(device, statistics, texts, hass),
  );
  const card = { type: `custom:${SESSIONS_CARD}`, grid_options: { columns: "full" } };
  const first = { type: "grid", column_span: 4, cards: [card] };
  return {
    title: texts.sessions_view,
    path: "sessions",
    type: "sections",
    sections: devices.length ? [first, ...sections] : sections,
  };
}

class JouloDashboardStrategy extends HTMLElement {
  static registryDependencies = ["entities", "devices", "language"];

  static noEditor = true;

  static getCreateSuggestions() {
    return { title: "Joulo", icon: ICON };
  }

  static async generate(_config, hass) {
    const texts = textsIn(hass.language);
    const devices = await visibleDevices(hass);
    const accounts = devices.filter(isAccount);
    const chargers = devices.filter((device) => !isAccount(device) && !isVehicle(device));
    const others = [...chargers, ...devices.filter(isVehicle)];
    return {
      views: [overview(others, accounts, texts, hass), await sessions(others, texts, hass)],
    };
  }
}

/** The sessions card. Its module is loaded where one is shown: this one stands on every page. */
class JouloSessionsCard extends HTMLElement {
  #card;
  #config = {};
  #hass;

  static getStubConfig() {
    return {};
  }

  static getConfigForm() {
    const options = ["month", "year", "all"];
    return {
      schema: [
        { name: "config_entry_id", selector: { config_entry: { integration: DOMAIN } } },
        { name: "span", selector: { select: { options, mode: "dropdown" } } },
      ],
      computeLabel: ({ name }) => textsIn(document.documentElement.lang)[name],
    };
  }

  setConfig(config) {
    this.#config = config;
    if (this.#card) this.#card.config = config;
  }

  set hass(hass) {
    this.#hass = hass;
    if (this.#card) this.#card.hass = hass;
  }

  getCardSize() {
    return 12;
  }

  getGridOptions() {
    return { columns: "full", min_columns: 6, rows: "auto" };
  }

  async connectedCallback() {
    if (!this.#card) {
      const { SessionsCard } = await import(SESSIONS_MODULE);
      this.#card ??= new SessionsCard(this);
      this.#card.config = this.#config;
      if (this.#hass) this.#card.hass = this.#hass;
    }
    this.#card.connect();
  }

  disconnectedCallback() {
    this.#card?.disconnect();
  }
}

const CARD = {
  type: SESSIONS_CARD,
  get name() {
    return textsIn(document.documentElement.lang).sessions_card;
  },
  get description() {
    return textsIn(document.documentElement.lang).sessions_description;
  },
  documentationURL: "https://github.com/ha-joulo/ha-joulo/blob/main/docs/dashboard.md",
};

const OFFER = {
  type: DOMAIN,
  strategyType: "dashboard",
  name: "Joulo",
  // Where dashboards are added, no language is passed; the page has the user's.
  get description() {
    return textsIn(document.documentElement.lang).description;
  },
  documentationURL: "https://github.com/ha-joulo/ha-joulo/blob/main/docs/dashboard.md",
};

/** Offer the dashboard and the card, once: an open page loads this module again after an update. */
function register() {
  if (!customElements.get(ELEMENT)) customElements.define(ELEMENT, JouloDashboardStrategy);
  const offers = (window.customStrategies ??= []);
  if (!offers.some(({ type }) => type === DOMAIN)) offers.push(OFFER);
  if (!customElements.get(SESSIONS_CARD)) customElements.define(SESSIONS_CARD, JouloSessionsCard);
  const cards = (window.customCards ??= []);
  if (!cards.some(({ type }) => type === SESSIONS_CARD)) cards.push(CARD);
}

register();
// Home Assistant may replace the registry of elements after that, and forget what it held.
customElements.whenDefined("home-assistant").then(register);
