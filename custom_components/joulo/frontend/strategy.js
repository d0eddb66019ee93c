/**
 * The strategy of the Joulo dashboard: it draws views from Home Assistant's registries. It finds entities by the
 * integration's keys, whatever their ids are, and leaves out what is hidden or disabled. A name that the user gave an
 * entity is kept.
 */

import { DOMAIN, devicesOf, isAccount, isCharger, isVehicle, nameOf, wordsIn } from "./common.js";

const ICON = "mdi:ev-station";
const VEHICLE_ICON = "mdi:car-electric";

/** The figures that may be long texts. */
const LONG = ["tag_id", "vehicle"];

/** The figures of a month or a year; one that a device does not have is left out. */
const OF_A_SPAN = ["energy", "ere", "value", "cost", "net_cost", "sessions", "elsewhere_energy"];

const TEXTS = {
  overview: ["Overview", "Overzicht"],
  sessions_view: ["Sessions", "Sessies"],
  chargers: ["Chargers", "Laadpalen"],
  account: ["Account", "Account"],
  session: ["Running session", "Lopende sessie"],
  total: ["In total", "In totaal"],
  no_payout: ["Not MID-certified: no payout", "Niet MID-gecertificeerd: geen uitbetaling"],
  no_joulo: [
    "Joulo is not set up. Add it under Settings → Devices & services.",
    "Joulo is niet ingesteld. Voeg de integratie toe bij Instellingen → Apparaten en diensten.",
  ],
  just_ended: ["Just ended", "Zojuist afgerond"],
  last_session: ["Last session", "Laatste sessie"],
  month: ["This month", "Deze maand"],
  year: ["This year", "Dit jaar"],
  no_charger: [
    "There is no charger yet. It appears by itself as soon as Joulo lists one.",
    "Er is nog geen laadpaal. Hij verschijnt vanzelf zodra Joulo er een toont.",
  ],
  no_session: [
    "No charging session has been completed yet.",
    "Er is nog geen laadsessie afgerond.",
  ],
  // Names of tiles: what the heading above them has not said. Entities have theirs in the language of
  // Home Assistant, which need not be the user's.
  energy: ["Energy", "Energie"],
  ere: ["ERE credits", "ERE-credits"],
  value: ["Value", "Waarde"],
  cost: ["Cost", "Kosten"],
  net_cost: ["Net cost", "Nettokosten"],
  sessions: ["Sessions", "Sessies"],
  elsewhere_energy: ["Elsewhere", "Elders"],
  last_charge: ["Last charge", "Laatste laadbeurt"],
  location: ["Where", "Waar"],
  soc_end: ["Battery after", "Accu na laden"],
  start: ["Start", "Begin"],
  end: ["End", "Einde"],
  duration: ["Duration", "Duur"],
  average_power: ["Average power", "Gem. vermogen"],
  charger: ["Charger", "Laadpaal"],
  vehicle: ["Vehicle", "Voertuig"],
  tag_id: ["RFID tag", "RFID-tag"],
};

/** Return all texts in a language. */
const textsIn = (language) =>
  Object.fromEntries(Object.keys(TEXTS).map((key) => [key, wordsIn(TEXTS, language, key)]));

// What there is to show

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
  const devices = devicesOf(hass).map((device) => ({
    ...device,
    name: nameOf(device),
    entities: entities[device.id] ?? {},
  }));
  const meters = devices.filter(isCharger).filter((device) => device.entities.mid_certified);
  return devices
    .filter((device) => Object.values(device.entities).some(({ hidden }) => !hidden))
    .map((device) => ({ ...device, meters: metersOf(device, meters) }))
    .sort((one, other) => one.name.localeCompare(other.name, hass.language, { numeric: true }));
}

/** Return the ids of the entities that tell whether a charger has a MID meter: of all chargers of the account, or one. */
const metersOf = (device, chargers) =>
  chargers
    .filter(({ id }) => !isCharger(device) || id === device.id)
    .filter(({ config_entries: of }) => of.some((entry) => device.config_entries.includes(entry)))
    .map(({ entities }) => entities.mid_certified.id);

// Cards

const WHOLE_WIDTH = { grid_options: { columns: "full" } };

const heading = (text, options) => ({ type: "heading", heading: text, ...options });
const subheading = (text) => heading(text, { heading_style: "subtitle" });
const line = (text) => ({ type: "markdown", content: text, text_only: true });

const isState = (entity, state) => ({ condition: "state", entity, state });
const isKnown = (entity) => ({ condition: "state", entity, state_not: "unknown" });
const any = (conditions) => ({ condition: "or", conditions });
const all = (conditions) => ({ condition: "and", conditions });

/** Return a card that shows only while a condition holds too. */
const showingWhile = (condition, card) => ({
  ...card,
  visibility: [...(card.visibility ?? []), condition],
});

const hasNoMeter = (meter) => isState(meter, "off");
const hasMeter = (meter) => ({ condition: "state", entity: meter, state_not: "off" });

/** Return a tile; one with what may be long takes the whole width, and hides while there is nothing. */
function tile(device, prefix, figure, texts) {
  const entity = device.entities[prefix + figure];
  const card = { type: "tile", entity: entity.id, name: entity.name || texts[figure] };
  if (figure === "value" && device.meters.length)
    return showingWhile(any(device.meters.map(hasMeter)), card);
  if (!LONG.includes(figure)) return card;
  const long = showingWhile(isKnown(entity.id), { ...card, ...WHOLE_WIDTH });
  const vehicle = device.entities[`${prefix}vehicle`];
  // Whose a card is says more than its number.
  return figure === "tag_id" && vehicle ? showingWhile(isState(vehicle.id, "unknown"), long) : long;
}

/**
 * Return tiles of the figures that may be shown, two beside each other; a figure's key begins with the prefix. In the
 * place of a value that can only be 0 stands why.
 */
function tiles(device, prefix, figures, { texts, hass }) {
  const shown = figures.filter((figure) => {
    const entity = device.entities[prefix + figure];
    return entity && !entity.hidden;
  });
  const isWorthless =
    device.meters.length && device.meters.every((id) => hass.states[id]?.state === "off");
  const halves = shown.filter(
    (figure) => !LONG.includes(figure) && !(isWorthless && figure === "value"),
  );
  const alone = halves.length % 2 ? halves.at(-1) : null;
  const cards = shown.map((figure) => {
    const card = tile(device, prefix, figure, texts);
    return figure === alone ? { ...card, ...WHOLE_WIDTH } : card;
  });
  if (!shown.includes("value") || !device.meters.length) return cards;
  return [...cards, showingWhile(all(device.meters.map(hasNoMeter)), line(texts.no_payout))];
}

/** Return cards below a heading; without cards, no heading. */
const titled = (title, cards) => (cards.length ? [subheading(title), ...cards] : []);

/** Return whether a session runs. One that is paused is on in the calendar only. */
const runs = ({ entities: { charging, charging_sessions: calendar } }) =>
  any([charging, calendar].filter(Boolean).map(({ id }) => isState(id, "on")));

/** Return the session that runs. Its entities keep their figures afterwards, so it hides then. */
function runningSession(charger, context) {
  const running = runs(charger);
  const cards = titled(context.texts.session, [
    ...tiles(charger, "session_", ["energy", "ere", "cost", "average_power"], context),
    // The line above has the vehicle.
    ...tiles(charger, "active_", ["tag_id"], context),
  ]);
  // Where nothing tells whether one runs, it is better not to say so.
  return running.conditions.length ? cards.map((card) => showingWhile(running, card)) : [];
}

/** Return the session that Joulo has not listed as completed yet, a quarter of an hour at most. */
function justEnded(charger, context) {
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
  const known = all([isTold(session), isTold(last)]);
  return titled(
    context.texts.just_ended,
    tiles(charger, "session_", ["energy", "ere"], context),
  ).map((card) => showingWhile(known, showingWhile(isUnlisted, showingWhile(running, card))));
}

/** Return the last completed session of a charger or a vehicle, or while there is none a line. */
function lastSession(device, context) {
  const { texts } = context;
  const when = ["end", "start", "duration"];
  const what = ["energy", "ere", "value", "cost", "average_power", "charger", "vehicle", "tag_id"];
  const cards = titled(
    texts.last_session,
    tiles(device, "last_session_", [...when, ...what], context),
  );
  const { last_session_end: end } = device.entities;
  if (!end || !cards.length) return cards;
  const none = showingWhile(isState(end.id, "unknown"), line(texts.no_session));
  return [...cards.map((card) => showingWhile(isKnown(end.id), card)), none];
}

/** Return the last charge that the car itself tells of, wherever it was; nothing while there is none. */
function lastCharge(vehicle, context) {
  const figures = ["end", "location", "energy", "soc_end"];
  const cards = titled(context.texts.last_charge, tiles(vehicle, "last_charge_", figures, context));
  const { last_charge_end: end } = vehicle.entities;
  return end ? cards.map((card) => showingWhile(isKnown(end.id), card)) : cards;
}

// Sections and views

/** Return cards below a device's name, which leads to its page for those who may open it. */
function deviceSection(device, icon, { hass }, cards) {
  const navigation_path = `/config/devices/device/${device.id}`;
  const link = hass.user.is_admin && { tap_action: { action: "navigate", navigation_path } };
  return { type: "grid", cards: [heading(device.name, { icon, ...link }), ...cards] };
}

/** Return what Home Assistant has to repair; it hides while that is nothing. */
const repairs = () => ({ type: "repairs", hide_empty: true, ...WHOLE_WIDTH });

/** Return a card of our own about a device. */
const own = (name, { id }) => ({ type: `custom:joulo-${name}`, device: id });

const chargerNow = (charger, context) =>
  deviceSection(charger, ICON, context, [
    own("charger-line", charger),
    ...runningSession(charger, context),
    ...justEnded(charger, context),
    ...lastSession(charger, context),
    ...titled(context.texts.total, tiles(charger, "total_", ["energy", "ere", "cost"], context)),
  ]);

const vehicleNow = (vehicle, context) =>
  deviceSection(vehicle, VEHICLE_ICON, context, [
    own("vehicle-line", vehicle),
    ...titled(context.texts.month, tiles(vehicle, "month_", OF_A_SPAN, context)),
    ...lastSession(vehicle, context),
    ...lastCharge(vehicle, context),
  ]);

const accountNow = (account, context) =>
  deviceSection(account, "mdi:leaf", context, [
    own("history-line", account),
    ...titled(context.texts.month, tiles(account, "month_", OF_A_SPAN, context)),
    ...titled(context.texts.year, tiles(account, "year_", OF_A_SPAN, context)),
    own("differences", account),
    own("payout", account),
  ]);

/** Return a section for each device, or a line. */
function sectionsOf(devices, { hass, texts }, section) {
  if (devices.length) return devices.map(section);
  const isThere = devicesOf(hass).length;
  return [{ type: "grid", cards: [line(isThere ? texts.no_charger : texts.no_joulo)] }];
}

/** Return the chargers and the vehicles, and beside them the accounts; a phone has a switch between both. */
function overview(devices, accounts, context) {
  const { texts } = context;
  const sections = sectionsOf(devices, context, (device) =>
    (isVehicle(device) ? vehicleNow : chargerNow)(device, context),
  );
  const sidebar = accounts.length && {
    sections: accounts.map((account) => accountNow(account, context)),
    content_label: texts.chargers,
    sidebar_label: texts.account,
  };
  sections[0].cards.unshift(repairs());
  const view = { title: texts.overview, path: "overview", type: "sections", sections };
  return sidebar ? { ...view, sidebar } : view;
}

/** Return the sessions, and below them what each charger and vehicle has come to by month. */
function sessions(devices, accounts, context) {
  const { texts } = context;
  const cards = [
    ...accounts.map((account) => own("history-line", account)),
    { type: "custom:joulo-sessions-card", ...WHOLE_WIDTH },
    { type: "custom:joulo-energy-offer" },
  ];
  const graphs = sectionsOf(devices, context, (device) =>
    deviceSection(device, isVehicle(device) ? VEHICLE_ICON : ICON, context, [
      own("graphs", device),
    ]),
  );
  return {
    title: texts.sessions_view,
    path: "sessions",
    type: "sections",
    sections: devices.length ? [{ type: "grid", column_span: 4, cards }, ...graphs] : graphs,
  };
}

/** Return the configuration of the dashboard, for what there is and for who looks at it. */
export async function generate(hass) {
  const context = { hass, texts: textsIn(hass.language) };
  const devices = await visibleDevices(hass);
  const accounts = devices.filter(isAccount);
  const others = [...devices.filter(isCharger), ...devices.filter(isVehicle)];
  return {
    views: [overview(others, accounts, context), sessions(others, accounts, context)],
  };
}
