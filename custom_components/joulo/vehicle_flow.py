"""Adds and changes the vehicles of an account: subentries, in the user interface."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.selector import (
    DateSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
import probatio

from .devices import charger_ids, charger_names
from .localizer import async_localizer
from .price import day_of
from .sessions import queries
from .sessions.vehicles import comparable, tag_ends
from .vehicles import (
    CONF_CHARGERS,
    CONF_SINCE,
    CONF_TAGS,
    LONGEST_NAME,
    since_of,
    vehicle_subentries,
)

if TYPE_CHECKING:
    from .data import JouloConfigEntry


class VehicleFlow(ConfigSubentryFlow):
    """Handle what a user enters about a vehicle."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about a new vehicle."""
        return self._ask("user", user_input, None)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask what has changed about a vehicle."""
        return self._ask("reconfigure", user_input, self._get_reconfigure_subentry())

    def _ask(
        self, step_id: str, user_input: dict[str, Any] | None, vehicle: ConfigSubentry | None
    ) -> SubentryFlowResult:
        """Show the form until it fits the other vehicles, then add the vehicle or change it."""
        entry: JouloConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            # The tags to choose from come from the history.
            return self.async_abort(reason="entry_not_loaded")
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            name, data = user_input[CONF_NAME].strip(), _data_of(user_input)
            errors, placeholders = _conflicts(entry, vehicle, name, data)
            if not errors:
                if vehicle is None:
                    return self.async_create_entry(title=name, data=data)
                return self.async_update_and_abort(entry, vehicle, title=name, data=data)
        known = {CONF_NAME: vehicle.title, **vehicle.data} if vehicle else {}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                self._form(entry, vehicle), user_input or known
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _form(self, entry: JouloConfigEntry, vehicle: ConfigSubentry | None) -> probatio.Schema:
        registry = dr.async_get(self.hass)
        # One that is gone can be kept, or taken away.
        stored = vehicle.data[CONF_CHARGERS] if vehicle else ()
        names = charger_names(registry, entry)
        chargers = [
            SelectOptionDict(value=charger_id, label=names.get(charger_id, charger_id))
            for charger_id in sorted({*charger_ids(registry, entry), *stored})
        ]
        return probatio.Schema(
            {
                probatio.Required(CONF_NAME): TextSelector(),
                probatio.Optional(CONF_TAGS, default=[]): SelectSelector(
                    SelectSelectorConfig(
                        options=list(self._tag_options(entry, vehicle)),
                        multiple=True,
                        custom_value=True,
                        mode=SelectSelectorMode.DROPDOWN,
                    )
                ),
                probatio.Optional(CONF_CHARGERS, default=[]): SelectSelector(
                    SelectSelectorConfig(
                        options=chargers, multiple=True, mode=SelectSelectorMode.DROPDOWN
                    )
                ),
                probatio.Optional(CONF_SINCE): DateSelector(),
            }
        )

    def _tag_options(
        self, entry: JouloConfigEntry, vehicle: ConfigSubentry | None
    ) -> Iterator[SelectOptionDict]:
        """Yield the tags of the history, newest use first, then those of other vehicles; each by its end only."""
        localizer = async_localizer(self.hass)
        owners = {
            comparable(tag): other.title
            for other in _others(entry, vehicle)
            for tag in other.data[CONF_TAGS]
        }
        uses = queries.tag_uses(entry.runtime_data.history.state)
        used = {comparable(use.tag) for use in uses}
        # As this vehicle spells them, so that they are shown as chosen.
        own = {comparable(tag): tag for tag in (vehicle.data[CONF_TAGS] if vehicle else ())}
        stored = [tag for key, tag in own.items() if key not in used]
        ends = tag_ends([*(use.tag for use in uses), *stored])
        for use in sorted(uses, key=lambda use: comparable(use.tag) in owners):
            key = comparable(use.tag)
            label = localizer.text(
                "tag_use" if use.sessions > 1 else "tag_used_once",
                end=ends[use.tag],
                sessions=str(use.sessions),
                last=localizer.day(use.last),
            )
            if key in owners:
                label = f"{label} · {owners[key]}"
            yield SelectOptionDict(value=own.get(key, use.tag), label=label)
        for tag in stored:
            yield SelectOptionDict(value=tag, label=localizer.text("tag", end=ends[tag]))


def _others(entry: JouloConfigEntry, vehicle: ConfigSubentry | None) -> list[ConfigSubentry]:
    """Return the other vehicles of the account."""
    return [
        each
        for each in vehicle_subentries(entry)
        if vehicle is None or each.subentry_id != vehicle.subentry_id
    ]


def _data_of(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a vehicle, with each tag once."""
    tags = {
        comparable(tag): tag.strip() for tag in user_input.get(CONF_TAGS, ()) if comparable(tag)
    }
    data: dict[str, Any] = {
        CONF_TAGS: list(tags.values()),
        CONF_CHARGERS: list(user_input.get(CONF_CHARGERS, ())),
    }
    if since := user_input.get(CONF_SINCE):
        data[CONF_SINCE] = day_of(since).isoformat()
    return data


def _conflicts(
    entry: JouloConfigEntry, vehicle: ConfigSubentry | None, name: str, data: dict[str, Any]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the errors by field, and the name of the vehicle with which a tag or a charger is shared."""
    tags = {comparable(tag) for tag in data[CONF_TAGS]}
    if not name:
        return {CONF_NAME: "name_taken"}, {}
    if len(name) > LONGEST_NAME:
        return {CONF_NAME: "name_too_long"}, {}
    for other in _others(entry, vehicle):
        shared = {"vehicle": other.title}
        if other.title.casefold() == name.casefold():
            return {CONF_NAME: "name_taken"}, shared
        if since_of(other.data) != since_of(data):
            continue
        if tags & {comparable(tag) for tag in other.data[CONF_TAGS]}:
            return {CONF_TAGS: "tag_taken"}, shared
        if {*data[CONF_CHARGERS]} & {*other.data[CONF_CHARGERS]}:
            return {CONF_CHARGERS: "charger_taken"}, shared
    return {}, {}
