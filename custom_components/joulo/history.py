"""The charging history of an account: holds its state, saves it, and tells listeners what has changed."""

from collections.abc import Callable
import logging
from typing import Any, Concatenate, Final, override

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.ulid import ulid_now

from .api import RateLimiter
from .const import DOMAIN
from .sessions.model import Change, HistoryState
from .sessions.storage import from_stored, restore, to_stored
from .sessions.transitions import Transition

_LOGGER = logging.getLogger(__name__)

type Listener = Callable[[Change], None]

_VERSION = 1
_REQUESTS: Final = "requests"
"""Key of what the rate limiter knows, beside those of the history."""
_RUN: Final = "run"
"""Key of the id of a run: of the one that has written a history, and in a small file of the last that has begun."""
_IS_LAST: Final = "is_last"
"""Key of whether a run has stored its last requests, and sent none afterwards."""
_SAVE_DELAY = 30
"""Seconds. A first load brings a page every few seconds, and many pages cost one write."""


async def async_remove_history(hass: HomeAssistant, entry_id: str) -> None:
    """Delete what is stored of an account."""
    await _store(hass, entry_id).async_remove()
    await _run_store(hass, entry_id).async_remove()


async def async_stored_state(hass: HomeAssistant, entry_id: str) -> HistoryState:
    """Return what is stored of an account, which may be one that is not set up."""
    document = await async_load_document(_store(hass, entry_id))
    return await hass.async_add_executor_job(from_stored, document, dt_util.utcnow())


class _Store(Store[dict[str, Any]]):
    """A store that knows whether its last write has reached the disk: Home Assistant's own only logs that."""

    is_written = True

    @override
    async def _async_write_data(self, data: dict[str, Any]) -> None:
        self.is_written = False
        await super()._async_write_data(data)
        self.is_written = True


def _store(hass: HomeAssistant, entry_id: str) -> _Store:
    return _Store(
        hass,
        _VERSION,
        f"{DOMAIN}.{entry_id}.history",
        private=True,
        serialize_in_event_loop=False,
    )


def _run_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, str]]:
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}.run", private=True)


async def async_load_document(store: Store[Any]) -> object:
    """Return what a store holds: a document, None where there is no file, or a text for a file that is no store's."""
    try:
        return await store.async_load()
    except LookupError, TypeError:
        return "damaged"


class SessionHistory:
    """Shell of `HistoryState`. It is written by transitions only, and read by `queries`.

    What the rate limiter knows stands in the same file, so that a restart finds both as of one moment.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str, rate_limiter: RateLimiter) -> None:
        """Begin empty, until `async_load` brings what an earlier run has stored."""
        self._hass = hass
        self._state = HistoryState(observing_since=dt_util.utcnow())
        self._listeners: list[tuple[Listener, Change]] = []
        self._unnotified = Change.NONE
        self._is_notifying = False
        self._is_save_scheduled = False
        self._is_closed = False
        self._was_away = True
        self._rate_limiter = rate_limiter
        self._store = _store(hass, entry_id)
        self._run_store = _run_store(hass, entry_id)
        self._run = ulid_now()

    @property
    def state(self) -> HistoryState:
        """The state of this moment. It is frozen: a thread may work on it."""
        return self._state

    @property
    def was_away(self) -> bool:
        """Whether Home Assistant has started since the last run; a reload is no absence."""
        return self._was_away

    async def async_load(self) -> None:
        """Replace the state by the stored one, and let the rate limiter go on where it was.

        Raise UnsupportedStorageVersionError if a later version of the integration has written the file.
        """
        document = await async_load_document(self._store)
        now = dt_util.utcnow()
        self._state, damaged = await self._hass.async_add_executor_job(restore, document, now)
        if damaged:
            _LOGGER.warning(
                "The file %s is damaged (%s). What can be read of it is kept, and Joulo is asked for the rest",
                self._store.path,
                ", ".join(damaged),
            )
        self._was_away = self._state.observing_since == now
        document = document if isinstance(document, dict) else {}
        run = await async_load_document(self._run_store)
        self._rate_limiter.restore(
            # A run that has stored nothing has asked all the same.
            document.get(_REQUESTS, {} if run else None),
            now,
            is_last=document.get(_IS_LAST) is True and run == {_RUN: document.get(_RUN)},
        )
        # From now on there are requests that the history's file does not know.
        await self._run_store.async_save({_RUN: self._run})

    async def async_save(self) -> bool:
        """Store the state now, and return whether the disk has taken it. The document is made in a thread."""
        state = self._state
        document = await self._hass.async_add_executor_job(self._document, state)
        await self._store.async_save(document)
        # A save that was scheduled meanwhile may be one that the store has dropped.
        self._is_save_scheduled = False
        if self._state is not state:
            self.async_schedule_save()
        return self._store.is_written

    async def async_close(self) -> None:
        """Store the state, and nothing after it: the next run reads the file."""
        self._is_closed = True
        await self.async_save()

    @callback
    def async_update[**P](
        self,
        transition: Callable[Concatenate[HistoryState, P], Transition],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Change:
        """Apply a transition, schedule a save, and notify each listener at most once.

        An update from within a listener notifies after the running round, so that every listener sees
        the changes in their order. Returns what has changed.
        """
        self._state, change = transition(self._state, *args, **kwargs)
        # The growing energy is stored once an hour: storage may be a card that wears out.
        if change & ~(Change.PROGRESS | Change.TARIFF | Change.CARS):
            self.async_schedule_save()
        self._unnotified |= change
        self._notify()
        return change

    @callback
    def async_listen(self, listener: Listener, changes: Change) -> CALLBACK_TYPE:
        """Call the listener after updates that change any of `changes`. Return the unsubscribe function."""
        subscription = (listener, changes)
        self._listeners.append(subscription)

        @callback
        def unsubscribe() -> None:
            self._listeners.remove(subscription)

        return unsubscribe

    def _notify(self) -> None:
        if self._is_notifying:
            return
        self._is_notifying = True
        try:
            while change := self._unnotified:
                self._unnotified = Change.NONE
                for listener, changes in tuple(self._listeners):
                    if change & changes:
                        listener(change)
        finally:
            self._is_notifying = False

    @callback
    def async_schedule_save(self, *_: object) -> None:
        """Store the state soon; while Home Assistant stops, as the last that it does."""
        # Asked again while it waits, the store would wait longer: a first load would never be written.
        if not self._is_closed and not self._is_save_scheduled:
            self._is_save_scheduled = True
            self._store.async_delay_save(self._latest_document, _SAVE_DELAY)

    def _latest_document(self) -> dict[str, Any]:
        # Runs in a thread, which sees either the state before an update or the one after it.
        self._is_save_scheduled = False
        return self._document(self._state)

    def _document(self, state: HistoryState) -> dict[str, Any]:
        now = dt_util.utcnow()
        return to_stored(state, now) | {
            _REQUESTS: self._rate_limiter.to_stored(now),
            _RUN: self._run,
            _IS_LAST: self._is_closed or self._hass.is_stopping,
        }
