/** What the strategy and the cards share: Joulo's devices and entities, texts in two languages, and elements. */

export const DOMAIN = "joulo";
const LANGUAGES = ["en", "nl"];

/** Return a text of a table by its key, in a language or else in English, with words put into it. */
export function wordsIn(texts, language, key, words = {}) {
  const index = Math.max(0, LANGUAGES.indexOf(language.split("-")[0]));
  return texts[key][index].replace(/\{(\w+)\}/g, (_, word) => words[word]);
}

export const languageOf = ({ locale, language }) => locale?.language ?? language;

const formats = new Map();

/** Return a format of numbers or dates. To make one takes long, and thousands of cells use a few. */
export function formatOf(Format, language, options) {
  const key = JSON.stringify([Format.name, language, options]);
  if (!formats.has(key)) formats.set(key, new Format(language, options));
  return formats.get(key);
}

/** Return an amount in euros as text, with two decimals or up to so many. */
export const euros = (amount, language, maximumFractionDigits = 2) =>
  formatOf(Intl.NumberFormat, language, {
    style: "currency",
    currency: "EUR",
    maximumFractionDigits,
  }).format(amount);

/** Return an element with properties, attributes (those with a hyphen, role and class) and children; texts stay texts. */
export function element(name, properties = {}, ...children) {
  const made = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && !(made instanceof SVGElement)) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

// Devices and entities

export const isOurs = ([domain]) => domain === DOMAIN;
export const isAccount = ({ entry_type }) => entry_type === "service";
export const isVehicle = ({ identifiers }) =>
  identifiers.some(([domain, id]) => domain === DOMAIN && id.startsWith("vehicle_"));
export const isCharger = (device) => !isAccount(device) && !isVehicle(device);

export const devicesOf = ({ devices }) =>
  Object.values(devices).filter(({ identifiers }) => identifiers.some(isOurs));

export const nameOf = ({ name_by_user, name }) => name_by_user || name || "Joulo";

/** Return the states of a device's entities by the integration's keys, whatever their ids are. */
export function statesOf({ entities, states }, deviceId) {
  const own = Object.values(entities).filter(
    ({ platform, device_id }) => platform === DOMAIN && device_id === deviceId,
  );
  return Object.fromEntries(
    own.map(({ translation_key, entity_id }) => [translation_key, states[entity_id]]),
  );
}

/** Tells whether what Home Assistant says is news for a card: it says all again with every state of anything. */
export class Watch {
  #before;
  #ids = [];

  /** Return whether a state of the entities whose ids a function finds has changed, or what they are and are called. */
  hasNews(hass, idsIn) {
    const before = this.#before;
    this.#before = hass;
    const isOther = ["entities", "devices", "language", "locale"].some(
      (part) => before?.[part] !== hass[part],
    );
    if (isOther) this.#ids = idsIn(hass);
    return isOther || this.#ids.some((id) => before.states[id] !== hass.states[id]);
  }
}

/** Return a state's text; null where there is none. */
export const known = ({ state } = {}) =>
  state === undefined || /^(unknown|unavailable|)$/.test(state) ? null : state;

/** Return a state's number; null where there is none. */
export function figureOf(state) {
  const figure = parseFloat(known(state) ?? "");
  return Number.isFinite(figure) ? figure : null;
}

/** Return the id of a device's statistic, made from the device's identifier as the integration does. */
export function statisticId({ identifiers }, key) {
  const [, id] = identifiers.find(isOurs);
  const slug = id
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_|_$/g, "");
  return `${DOMAIN}:${slug}_${key}`;
}
