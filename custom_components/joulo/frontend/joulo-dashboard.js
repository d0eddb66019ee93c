/**
 * What every page of Home Assistant loads: the offer of the Joulo dashboard and of its cards. It is small; each of them
 * loads its own module where it is shown. The address of this folder has the version in it, so modules of two versions
 * never meet.
 */

const DOMAIN = "joulo";
const STRATEGY = "ll-strategy-dashboard-joulo";
const SESSIONS_CARD = "joulo-sessions-card";
const DOCUMENTATION = "https://github.com/ha-joulo/ha-joulo/blob/main/docs/dashboard.md";

const LANGUAGES = ["en", "nl"];
const TEXTS = {
  dashboard_description: [
    "Charging sessions, ERE credits and euros of all your chargers",
    "Laadsessies, ERE-credits en euro's van al je laadpalen",
  ],
  sessions_card: ["Joulo charging sessions", "Joulo-laadsessies"],
  sessions_description: [
    "Charging sessions of a month, a year or all, with totals, a chart and a statement",
    "Laadsessies van een maand, een jaar of alles, met totalen, een grafiek en een overzicht",
  ],
  config_entry_id: ["Account", "Account"],
  span: ["Period at first", "Periode bij het openen"],
  reload: [
    "Joulo has been updated. Reload this page.",
    "Joulo is bijgewerkt. Laad deze pagina opnieuw.",
  ],
};

/** Return a text. Where dashboards and cards are added, no language is passed; the page has the user's. */
function text(key) {
  const language = document.documentElement.lang.split("-")[0];
  return TEXTS[key][Math.max(0, LANGUAGES.indexOf(language))];
}

class JouloDashboardStrategy extends HTMLElement {
  static registryDependencies = ["entities", "devices", "language"];

  static noEditor = true;

  static getCreateSuggestions() {
    return { title: "Joulo", icon: "mdi:ev-station" };
  }

  static async generate(_config, hass) {
    const { generate } = await import("./strategy.js");
    return generate(hass);
  }
}

/** A card whose content is drawn by a class of another module, which is loaded when the card is shown. */
class LazyCard extends HTMLElement {
  #content;
  #config = {};
  #hass;

  setConfig(config) {
    this.#config = config;
    if (this.#content) this.#content.config = config;
  }

  set hass(hass) {
    this.#hass = hass;
    if (this.#content) this.#content.hass = hass;
  }

  async connectedCallback() {
    if (!this.#content) await this.#load();
    // It may have left the page while the module was loaded.
    if (this.isConnected) this.#content?.connect?.();
  }

  disconnectedCallback() {
    this.#content?.disconnect?.();
  }

  async #load() {
    let Content;
    try {
      Content = await this.constructor.load();
    } catch {
      // After an update, the modules of the version that this page came with are gone.
      this.textContent = text("reload");
      return;
    }
    if (this.#content) return;
    this.#content = new Content(this);
    this.#content.config = this.#config;
    if (this.#hass) this.#content.hass = this.#hass;
  }
}

class SessionsCard extends LazyCard {
  static load = async () => (await import("./sessions-card.js")).SessionsCard;

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
      computeLabel: ({ name }) => text(name),
    };
  }

  getCardSize() {
    return 12;
  }

  getGridOptions() {
    return { columns: "full", min_columns: 6, rows: "auto" };
  }
}

/** Return a card of the overview, which is as high as what it says. */
const overviewCard = (name) =>
  class extends LazyCard {
    /** Shown or not, it has to follow what it may have to say. */
    connectedWhileHidden = true;

    static load = async () => (await import("./overview-cards.js"))[name];

    getCardSize() {
      return 1;
    }

    getGridOptions() {
      return { columns: "full", rows: "auto" };
    }
  };

const ELEMENTS = {
  [STRATEGY]: JouloDashboardStrategy,
  [SESSIONS_CARD]: SessionsCard,
  "joulo-charger-line": overviewCard("ChargerLine"),
  "joulo-vehicle-line": overviewCard("VehicleLine"),
  "joulo-history-line": overviewCard("HistoryLine"),
  "joulo-payout": overviewCard("Payout"),
  "joulo-differences": overviewCard("Differences"),
  "joulo-graphs": overviewCard("Graphs"),
  "joulo-energy-offer": overviewCard("EnergyOffer"),
};

const CARD = {
  type: SESSIONS_CARD,
  get name() {
    return text("sessions_card");
  },
  get description() {
    return text("sessions_description");
  },
  documentationURL: DOCUMENTATION,
};

const DASHBOARD = {
  type: DOMAIN,
  strategyType: "dashboard",
  name: "Joulo",
  get description() {
    return text("dashboard_description");
  },
  documentationURL: DOCUMENTATION,
};

/** Offer the dashboard and the card, once: an open page loads this module again after an update. */
function register() {
  for (const [name, definition] of Object.entries(ELEMENTS)) {
    if (!customElements.get(name)) customElements.define(name, definition);
  }
  for (const [list, offer] of [
    ["customStrategies", DASHBOARD],
    ["customCards", CARD],
  ]) {
    const offers = (window[list] ??= []);
    if (!offers.some(({ type }) => type === offer.type)) offers.push(offer);
  }
}

register();
// Home Assistant may replace the registry of elements after that, and forget what it held.
customElements.whenDefined("home-assistant").then(register);
